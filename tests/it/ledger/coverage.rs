//! The coverage beside a Firestore that others write, and what it costs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use futures::future::{join, join_all};
use orchestrator::app::App;
use orchestrator::firestore::value::fields;
use orchestrator::firestore::{DocumentPath, Value, Write};
use orchestrator::ledger::coverage::verify::Records;
use orchestrator::ledger::coverage::{Change, Changes, DayCells, Held};
use orchestrator::run::cell::{Cell, Day};

use super::world::{Way, play, reported, tick, usual};

/// How long one who writes waits for others.
const PATIENCE: Duration = Duration::from_secs(3);

fn day() -> Day {
    Day { dataset: "daily_prices", date: "2026-11-20".parse().expect("a date") }
}

fn stored(tickers: &[&str]) -> Changes {
    let mut change = Change::default();
    for ticker in tickers {
        change.note(&Arc::from(*ticker), &Cell::answered(0));
    }
    Changes::from([(day(), change)])
}

/// What a run knows that begins now.
fn held(app: &App) -> Held {
    Held::new(app.engine.world.clock.instant())
}

async fn cells(app: &App) -> DayCells {
    app.engine.coverage.day(day()).await.expect("Firestore answers").expect("there").cells
}

fn names(cells: &DayCells) -> BTreeSet<&str> {
    cells.iter().map(|(ticker, _)| &**ticker).collect()
}

#[test]
fn two_who_write_at_once_lose_nothing() {
    play(usual, |world| async move {
        let (one, other) = (world.instance(TimeDelta::zero()), world.instance(TimeDelta::seconds(5)));
        let (first, second) = join(
            one.engine.coverage.save("one", held(&one), stored(&["A", "B"]), PATIENCE),
            other.engine.coverage.save("other", held(&other), stored(&["B", "C"]), PATIENCE),
        )
        .await;
        assert!(first.result.is_ok() && second.result.is_ok(), "{first:?} {second:?}");
        assert!(first.left.is_empty() && second.left.is_empty());
        assert_eq!(names(&cells(&one).await), BTreeSet::from(["A", "B", "C"]));
    });
}

/// Without turns, each commit but one is refused in every round.
#[test]
fn runs_of_one_instance_do_not_refuse_each_other() {
    const RUNS: usize = 16;
    play(usual, |world| async move {
        let app = world.instance(TimeDelta::zero());
        let tickers: Vec<_> = (0..RUNS).map(|number| format!("T{number}")).collect();
        let coverage = &app.engine.coverage;
        let saves =
            tickers.iter().map(|ticker| coverage.save("run", held(&app), stored(&[ticker]), PATIENCE));
        let saved = join_all(saves).await;
        assert!(saved.iter().all(|saved| saved.result.is_ok() && saved.left.is_empty()), "{saved:?}");
        assert_eq!((world.asked("batchGet"), world.asked("commit")), (1, RUNS));
        assert_eq!(names(&cells(&app).await).len(), RUNS);
    });
}

/// What an instance wrote before a run began may have been changed by another instance since: the run reads it.
#[test]
fn a_run_knows_nothing_from_before_it_began() {
    play(usual, |world| async move {
        let (app, other) = (world.instance(TimeDelta::zero()), world.instance(TimeDelta::zero()));
        let coverage = &app.engine.coverage;
        assert!(coverage.save("run", held(&app), stored(&["A"]), PATIENCE).await.result.is_ok());
        let path = other.engine.coverage.document(day());
        let gone = DayCells::default().to_fields(day(), "other", other.engine.world.clock.now());
        other.engine.firestore.commit(&[Write::overwrite(path, gone)]).await.expect("written");
        other.engine.world.clock.sleep(Duration::from_secs(1)).await;
        assert!(coverage.save("later", held(&app), stored(&["A"]), PATIENCE).await.result.is_ok());
        assert_eq!(names(&cells(&app).await), BTreeSet::from(["A"]));
    });
}

/// Records that were deleted are no longer stored, whatever this instance wrote of them since the run began.
#[test]
fn a_run_does_not_rely_on_what_a_count_has_corrected() {
    play(usual, |world| async move {
        let app = world.instance(TimeDelta::zero());
        let coverage = &app.engine.coverage;
        let change = || {
            let mut change = Change::default();
            change.note(&Arc::from("A"), &Cell::stored([] as [&str; 0]));
            Changes::from([(day(), change)])
        };
        let began = held(&app);
        assert!(coverage.save("other", held(&app), change(), PATIENCE).await.result.is_ok());
        let none = Records { collection: "none", field: "date", from: Value::NULL, until: Value::Integer(1) };
        assert!(coverage.verify(day(), &none).await.expect("counted").changed);
        assert_eq!(cells(&app).await.counts().stored, 0);
        assert!(coverage.save("run", began, change(), PATIENCE).await.result.is_ok());
        assert_eq!(cells(&app).await.counts().stored, 1);
    });
}

/// A document that nobody can read would keep every run of its dataset pending.
#[test]
fn a_document_that_cannot_be_read_is_made_anew_and_that_is_told() {
    play(usual, |world| async move {
        let app = world.instance(TimeDelta::zero());
        let (coverage, path) = (&app.engine.coverage, app.engine.coverage.document(day()));
        let broken = fields([("counts", Value::string("none")), ("cells", Value::Integer(7))]);
        app.engine.firestore.commit(&[Write::overwrite(path, broken)]).await.expect("written");
        assert!(
            coverage.day(day()).await.expect_err("it cannot be read").to_string().contains("verify that day")
        );
        let mut saved = coverage.save("run", held(&app), stored(&["A"]), PATIENCE).await;
        assert!(saved.result.is_ok() && saved.left.is_empty(), "{saved:?}");
        assert_eq!(names(&cells(&app).await), BTreeSet::from(["A"]));
        let told = saved.held.take_remade();
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            told[0].starts_with(
                "the coverage of daily_prices on 2026-11-20 could not be read and was made anew"
            )
        );
        let mut again = coverage.save("run", saved.held, stored(&["B"]), PATIENCE).await;
        assert_eq!(again.held.take_remade(), Vec::<String>::new(), "once");
    });
}

#[test]
fn a_document_that_is_known_is_not_read_again_and_one_that_stays_is_not_written() {
    play(usual, |world| async move {
        let app = world.instance(TimeDelta::zero());
        let coverage = &app.engine.coverage;
        let saved = coverage.save("run", held(&app), stored(&["A"]), PATIENCE).await;
        assert_eq!((world.asked("batchGet"), world.asked("commit")), (1, 1));
        let saved = coverage.save("run", saved.held, stored(&["B"]), PATIENCE).await;
        assert_eq!((world.asked("batchGet"), world.asked("commit")), (1, 2));
        let saved = coverage.save("run", saved.held, stored(&["A", "B"]), PATIENCE).await;
        assert_eq!((world.asked("batchGet"), world.asked("commit")), (1, 2));
        assert!(saved.result.is_ok());
    });
}

#[test]
fn a_write_whose_answer_is_lost_is_known_as_ones_own() {
    let script = |method: &str, asked| {
        if method == "commit" && asked == 0 { Way::Lost } else { Way::Usual }
    };
    play(script, |world| async move {
        let app = world.instance(TimeDelta::zero());
        let saved = app.engine.coverage.save("run", held(&app), stored(&["A"]), PATIENCE).await;
        assert!(saved.result.is_ok() && saved.left.is_empty(), "{saved:?}");
        assert_eq!(names(&cells(&app).await), BTreeSet::from(["A"]));
    });
}

/// As many requests as there are without coverage, and one read and one write beside them.
#[test]
fn a_run_of_a_thousand_tickers_reads_and_writes_the_coverage_once() {
    play(usual, |world| async move {
        let app = world.instance(TimeDelta::zero());
        world.seed(&app, 1_000);
        let (_, report, status) = reported(app.engine.run(tick(&app)).await);
        assert_eq!(status, 200, "{report:#}");
        // The breaker, the pause of the job, the coverage of the day of the run and of the day of its records, and what
        // is stored of a thousand records.
        assert_eq!(world.asked("batchGet"), 5);
        // Claim, coverage, close: the run is over within a second.
        assert_eq!(world.asked("commit"), 3);
        let last_published = Day { date: "2026-11-20".parse().expect("a date"), ..day() };
        let whole = app.engine.coverage.day(last_published).await.expect("Firestore answers").expect("there");
        assert_eq!((whole.summary.counts.stored, whole.summary.counts.expected), (1_000, 1_000));
    });
}

#[test]
fn work_whose_coverage_cannot_be_recorded_stays_pending() {
    // The claim and the closing commit pass; those in between do not.
    let script = |method: &str, asked| match (method, asked) {
        ("commit", 1..=400) => Way::Slow(Duration::from_secs(300)),
        _ => Way::Usual,
    };
    play(script, |world| async move {
        let app = world.instance(TimeDelta::zero());
        world.seed(&app, 3);
        let (kind, report, _) = reported(app.engine.run(tick(&app)).await);
        let done = report["data"]["tickers_processed"].as_u64().unwrap_or_default();
        assert_eq!((kind, done), ("unavailable", 0), "{report:#}");
    });
}

/// The counts of a quarter, and what they cost: `--nocapture` shows it.
#[test]
fn a_grid_of_ninety_days_is_one_request_without_the_tickers() {
    play(usual, |world| async move {
        let app = world.instance(TimeDelta::zero());
        let mut change = Change::default();
        for number in 0..5_000 {
            let ticker: Arc<str> = format!("T{number:05}").into();
            change.expected.insert(ticker.clone());
            change.note(&ticker, &Cell::answered(0));
        }
        let mut cells = DayCells::default();
        cells.apply(&change);
        let first = day().date - TimeDelta::days(89);
        for date in first.iter_days().take(90) {
            let day = Day { date, ..day() };
            let fields = cells.to_fields(day, "run", "2026-11-23T23:00:00Z".parse().expect("a time"));
            let path: DocumentPath = app.engine.coverage.document(day);
            world.store(&app, &Write::overwrite(path, fields));
        }
        let began = std::time::Instant::now();
        let found =
            app.engine.coverage.counts("daily_prices", &(first..=day().date)).await.expect("an answer");
        println!("90 days of 5,000 tickers: {:?}", began.elapsed());
        assert_eq!((found.len(), world.asked("runQuery")), (90, 1));
        assert!(found.iter().all(|day| day.counts.stored == 5_000 && day.counts.missing == 0));
    });
}
