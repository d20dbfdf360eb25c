//! Requests for past days: what they ask for, what becomes of it, and how they give way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use http::HeaderMap;
use orchestrator::api::request::parse_job;
use orchestrator::app::App;
use orchestrator::calendar::Calendar;
use orchestrator::catalogue;
use orchestrator::engine::Answer;
use orchestrator::engine::backfill::Plan as BackfillPlan;
use orchestrator::ledger::Filter;
use orchestrator::run::Trigger;
use orchestrator::run::report::RunReport;

use super::plan::{Fault, Plan, is_change, names};
use super::stored::stored;
use super::world::{JOB, Market, tick_of};
use super::{HOUR, check};
use crate::world::dice::Dice;

fn backfill(app: &App, body: &str) -> Trigger {
    let job = catalogue::find(JOB).expect("a job");
    parse_job(job, &HeaderMap::new(), body.as_bytes(), &app.engine.world).expect("a trigger")
}

async fn preview(app: &App, body: &str) -> BackfillPlan {
    let trigger = backfill(app, body);
    let asked = trigger.backfill.expect("a backfill");
    app.engine.preview(&trigger, asked).await.expect("a plan")
}

pub(super) async fn run(app: &Arc<App>, body: &str) -> RunReport {
    match app.engine.run(backfill(app, body)).await {
        Answer::Ended { report, .. } => *report,
        other => panic!("{other:?}"),
    }
}

fn sessions(from: &str, to: &str) -> Vec<NaiveDate> {
    let days = from.parse().expect("a day")..=to.parse().expect("a day");
    Calendar::default().sessions(days).map(|session| session.date).collect()
}

#[test]
fn a_preview_tells_the_plan_and_does_nothing() {
    let market = Market::stage(Dice::new(1), &Plan { tickers: 3, ..Plan::quiet(1) }, |market| async move {
        let (app, _) = market.instance();
        let month = r#"{"from": "2026-10-01", "to": "2026-10-30"}"#;
        let before = market.store().documents().len();
        let plan = preview(&app, month).await;
        assert_eq!((plan.cells, plan.tickers, plan.calls, plan.quota_requests), (66, 3, 1, 3));
        assert_eq!((plan.minutes, plan.holes.len()), (None, 20));
        let first = &plan.holes[0];
        assert_eq!(
            (first.ticker.as_str(), first.date.as_str(), first.state),
            ("T0", "2026-10-01", "missing")
        );
        assert_eq!((market.store().documents().len(), market.calls().len()), (before, 0));

        let report = run(&app, month).await;
        assert_eq!((report.http_status().as_u16(), report.data.records_stored), (200, 66), "{report:?}");
        assert_eq!(preview(&app, month).await.cells, 0, "nothing is missing any more");
        let again = run(&app, month).await;
        assert_eq!((again.data.records_stored, again.data.tickers_requested), (0, 0));
        assert_eq!(again.message, "nothing to fill from 2026-10-01 to 2026-10-30");
        let all = preview(&app, r#"{"from": "2026-10-01", "to": "2026-10-30", "only": "all"}"#).await;
        assert_eq!(all.cells, 66);
        assert_eq!(all.minutes, Some(1), "the runs so far say how long it takes");
    });
    assert_eq!(market.calls().len(), 1);
}

#[test]
fn only_tickers_and_days_with_holes_are_requested() {
    let market = Market::stage(Dice::new(2), &Plan { tickers: 4, ..Plan::quiet(2) }, |market| async move {
        let (app, _) = market.instance();
        run(&app, r#"{"from": "2026-10-01", "to": "2026-10-30", "tickers": ["T0", "T1", "T3"]}"#).await;
        run(&app, r#"{"from": "2026-10-12", "to": "2026-10-30", "tickers": ["T2"]}"#).await;
        let report = run(&app, r#"{"from": "2026-10-01", "to": "2026-10-30"}"#).await;
        assert_eq!((report.data.records_stored, report.data.tickers_requested), (7, 1), "{report:?}");
    });
    let last = market.calls().pop().expect("a call");
    assert_eq!(last.tickers, ["T2"]);
    let days = last.days.map(|(from, to)| format!("{from} {to}"));
    assert_eq!(days.as_deref(), Some("2026-10-01 2026-10-09"), "as far as anything is missing");
}

#[test]
fn a_year_of_a_ticker_is_one_request_and_no_answer_is_too_large() {
    // All of them together would have more records than an answer may.
    let plan = Plan { tickers: 25, batch: 50, ..Plan::quiet(3) };
    let market = Market::stage(Dice::new(3), &plan, |market| async move {
        let (app, _) = market.instance();
        let report = run(&app, r#"{"from": "2024-01-01", "to": "2025-12-31"}"#).await;
        let expect = u64::try_from(25 * sessions("2024-01-01", "2025-12-31").len()).expect("few");
        assert_eq!((report.http_status().as_u16(), report.data.records_stored), (200, expect), "{report:?}");
    });
    let mut asked = BTreeMap::<String, usize>::new();
    for call in market.calls() {
        assert!(call.records <= 5_000, "{} records in one answer", call.records);
        assert!(call.days.is_some());
        call.tickers.into_iter().for_each(|ticker| *asked.entry(ticker).or_default() += 1);
    }
    assert!(asked.values().all(|count| *count == 2) && asked.len() == 25, "{asked:?}");
    assert_eq!(check::coverage(&market), Vec::<String>::new());
}

/// Two backfills bring a dividend or split of the same day, each of another ticker.
#[test]
fn each_backfill_that_brings_a_change_has_its_histories_requested_again() {
    let day: NaiveDate = "2026-11-19".parse().expect("a day");
    let changed: Vec<String> =
        names(500).into_iter().filter(|ticker| is_change(ticker, day)).take(2).collect();
    assert_eq!(changed.len(), 2, "too few tickers change on {day}");
    Market::stage(Dice::new(10), &Plan { tickers: 500, ..Plan::quiet(10) }, move |market| async move {
        let (app, _) = market.instance();
        for ticker in &changed {
            let body = format!(r#"{{"from": "{day}", "to": "{day}", "tickers": ["{ticker}"]}}"#);
            assert_eq!(run(&app, &body).await.data.records_stored, 1);
        }
        let all = app.engine.ledger.list(&Filter { limit: 10, ..Filter::default() }).await;
        let runs = all.expect("Firestore answers").runs.into_iter().map(|run| run.summary.run_id);
        let histories = runs.filter(|run_id| run_id.contains(&format!("_adjust_{day}_")));
        assert_eq!(histories.count(), 2);
    });
}

#[test]
fn a_plan_for_a_large_watchlist_has_one_request_a_ticker_and_year() {
    Market::stage(Dice::new(4), &Plan { tickers: 500, ..Plan::quiet(4) }, |market| async move {
        let (app, _) = market.instance();
        let plan = preview(&app, r#"{"from": "2021-11-25", "to": "2026-11-20"}"#).await;
        assert_eq!((plan.tickers, plan.quota_requests), (500, 2_500));
        assert_eq!(plan.cells, 500 * sessions("2021-11-25", "2026-11-20").len());
        let trigger = backfill(&app, r#"{"from": "2010-01-01"}"#);
        let asked = trigger.backfill.expect("a backfill");
        let refused = app.engine.preview(&trigger, asked).await.expect_err("too large");
        assert!(format!("{refused:?}").contains("are too many for one run, limit 1500000"), "{refused:?}");
    });
}

#[test]
fn what_the_provider_does_not_have_is_empty_and_not_a_hole_for_ever() {
    let mut plan = Plan { tickers: 2, ..Plan::quiet(5) };
    plan.never.insert(("T1".to_owned(), "2026-10-07".parse().expect("a day")));
    Market::stage(Dice::new(5), &plan, |market| async move {
        let (app, _) = market.instance();
        let week = r#"{"from": "2026-10-05", "to": "2026-10-09"}"#;
        let report = run(&app, week).await;
        assert_eq!((report.data.run_status.name(), report.data.records_stored), ("succeeded", 9));
        assert_eq!(preview(&app, week).await.cells, 0);
        let empty = preview(&app, r#"{"from": "2026-10-05", "to": "2026-10-09", "only": "empty"}"#).await;
        assert_eq!(
            (empty.cells, empty.holes[0].state, empty.holes[0].date.as_str()),
            (1, "empty", "2026-10-07")
        );
    });
}

#[test]
fn a_service_that_ignores_the_days_leaves_them_missing() {
    let mut plan = Plan { tickers: 2, ..Plan::quiet(6) };
    plan.faults.push(Fault::ignored(Duration::ZERO, HOUR));
    Market::stage(Dice::new(6), &plan, |market| async move {
        let (app, _) = market.instance();
        let week = r#"{"from": "2026-10-05", "to": "2026-10-09"}"#;
        let report = run(&app, week).await;
        assert_eq!(report.data.run_status.name(), "failed", "{report:?}");
        let failed = &report.data.shortfalls.tickers_failed;
        assert!(
            failed[0].reason.contains("ignored the requested days, 2026-10-05 to 2026-10-09"),
            "{failed:?}"
        );
        assert_eq!(report.data.pending.len(), 0);
        assert_eq!(preview(&app, week).await.cells, 10, "nothing is known about these days");
        market.handle().sleep(HOUR).await;
        let run_id = report.data.identity.run_id.clone();
        let Some(Answer::Ended { report, .. }) = app.engine.resume(&run_id, None).await else {
            panic!("no answer")
        };
        // The prices of this week, which the service sent first, do not count again.
        assert_eq!(
            (report.data.run_status.name(), report.data.records_stored),
            ("succeeded", 10),
            "{report:?}"
        );
        assert_eq!(preview(&app, week).await.cells, 0);
    });
}

/// An instance dies at any step of a backfill; the watch finishes it.
#[test]
fn a_backfill_survives_the_death_of_its_instance_at_any_step() {
    for seed in 0..24 {
        let plan = Plan { tickers: 6, ..Plan::quiet(seed) };
        let market = Market::stage(Dice::new(seed), &plan, move |market| async move {
            let (app, owner) = market.instance();
            market.handle().kill_after(owner, 20 + seed * 37);
            let trigger = backfill(&app, r#"{"from": "2026-01-02", "to": "2026-03-31"}"#);
            let again = Trigger { digest: trigger.digest.clone(), ..trigger.clone() };
            market.handle().spawn(owner, async move { drop(app.engine.run(trigger).await) });
            market.handle().sleep(HOUR / 4).await;
            let (other, _) = market.instance();
            // It may have died before its claim: then nobody knows of it, and its caller comes again.
            drop(other.engine.run(again.clone()).await);
            for _ in 0..6 {
                market.handle().sleep(HOUR / 4).await;
                let (watch, _) = market.instance();
                let start = watch.engine.world.clock.instant();
                watch.engine.watch(start).await.expect("Firestore answers");
            }
            let state = other.engine.ledger.get(&again.run_id).await.expect("an answer").expect("a run");
            let expect = 6 * sessions("2026-01-02", "2026-03-31").len();
            let stored = usize::try_from(state.counts.records_stored()).expect("few");
            assert_eq!((state.status.name(), stored), ("succeeded", expect), "seed {seed}: {state:?}");
        });
        let days: BTreeSet<_> = sessions("2026-01-02", "2026-03-31").into_iter().collect();
        let found = stored(&market).into_keys().filter(|(_, date)| days.contains(date)).count();
        assert_eq!(found, 6 * days.len(), "seed {seed}");
        assert_eq!(check::coverage(&market), Vec::<String>::new(), "seed {seed}");
    }
}

/// How long a tick of `tickers` takes, and how many calls a backfill gets meanwhile if there is one.
fn tick_beside_a_backfill(has_backfill: bool) -> (Duration, usize) {
    let plan = Plan { tickers: 200, pace: Duration::from_millis(200), ..Plan::quiet(9) };
    let took = Arc::new(std::sync::Mutex::new((Duration::ZERO, 0)));
    let result = took.clone();
    Market::stage(Dice::new(9), &plan, move |market| async move {
        let (app, owner) = market.instance();
        if has_backfill {
            let few = names(200).join("\", \"");
            let body = format!(r#"{{"from": "2016-01-04", "to": "2025-12-31", "tickers": ["{few}"]}}"#);
            let trigger = backfill(&app, &body);
            market.handle().spawn(owner, async move { drop(app.engine.run(trigger).await) });
            market.handle().sleep(Duration::from_secs(60)).await;
        }
        let (other, _) = market.instance();
        let (before, began) = (market.calls().len(), market.handle().now());
        let tick = "2026-11-23T12:00:00Z".parse().expect("a time");
        assert!(tick_of(other, tick).await);
        let after = market.calls();
        let filled = after[before..].iter().filter(|call| call.days.is_some()).count();
        *result.lock().expect("a lock") = (market.handle().now().saturating_sub(began), filled);
    });
    *took.lock().expect("a lock")
}

/// The provider works on one ticker at a time: whatever the backfill gets, the tick waits for.
#[test]
fn a_tick_beside_a_backfill_takes_a_twentieth_longer_at_most() {
    let (alone, _) = tick_beside_a_backfill(false);
    let (beside, calls) = tick_beside_a_backfill(true);
    let ratio = beside.as_secs_f64() / alone.as_secs_f64();
    println!("alone {alone:?}, beside {beside:?}: {ratio:.3}, with {calls} calls of the backfill");
    assert!(calls >= 1, "the backfill still moves");
    assert!(ratio <= 1.05, "{ratio:.3}: alone {alone:?}, beside {beside:?} with {calls} calls");
}
