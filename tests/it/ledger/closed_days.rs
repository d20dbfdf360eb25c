//! Ticks on days without a session: they are skipped once and for all, and count neither as success nor as failure.

use chrono::TimeDelta;
use orchestrator::app::App;
use orchestrator::ledger::Filter;
use orchestrator::ledger::statistics::{JobStatistics, JobTotals};
use orchestrator::ops::facts::Facts;
use orchestrator::ops::status::StatusReport;
use orchestrator::run::{Status, Trigger};
use serde_json::{Value as Json, json};

use super::world::{JOB, Way, World, by_hand, play, reported, tick, tick_at, usual};

/// The last one before the world begins.
const LABOR_DAY: &str = "2026-09-07T22:00:00Z";

async fn totals(app: &App) -> JobTotals {
    let path = app.engine.ledger.statistics(JOB);
    let stored = app.engine.firestore.get(&path).await.expect("Firestore answers").expect("there");
    JobTotals::from_document(&stored)
}

async fn run(app: &App, trigger: Trigger) -> (&'static str, Json) {
    let (kind, report, status) = reported(app.engine.run(trigger).await);
    assert_eq!(status, 200, "{report:#}");
    (kind, report["data"].clone())
}

/// An instance for which today is closed, too.
fn closed_today(world: &World) -> std::sync::Arc<App> {
    world.instance_with(TimeDelta::zero(), |name| {
        (name == "calendar_overrides").then_some("2026-11-23=closed")
    })
}

#[test]
fn a_tick_of_a_closed_day_is_skipped_and_its_retry_learns_the_same() {
    for lost in 0..3 {
        let loses = move |method: &str, asked| match method {
            "commit" if asked == lost => Way::Lost,
            _ => Way::Usual,
        };
        play(loses, |world| async move {
            let app = world.instance(TimeDelta::zero());
            world.seed(&app, 3);
            let (kind, first) = run(&app, tick_at(&app, LABOR_DAY)).await;
            assert_eq!((kind, &first["run_status"]), ("ended", &json!("skipped")));
            assert_eq!(first["skipped"], "market closed: Labor Day");
            // It stays skipped, whatever the calendar says by then.
            let open = |name: &str| (name == "calendar_overrides").then_some("2026-09-07=open");
            for app in [app.clone(), world.instance_with(TimeDelta::zero(), open)] {
                let (kind, again) = run(&app, tick_at(&app, LABOR_DAY)).await;
                assert_eq!((kind, &again), ("finished", &first));
            }
            assert_eq!((world.asked("call"), world.asked("runQuery")), (0, 0));
            let totals = totals(&app).await;
            assert_eq!((totals.ticks_skipped, totals.statistics), (1, JobStatistics::default()));
            assert!(totals.attempts.is_empty() && totals.last_duration_ms.is_none());
        });
    }
}

#[test]
fn a_skipped_run_that_is_resumed_is_run() {
    play(usual, |world| async move {
        let app = world.instance(TimeDelta::zero());
        world.seed(&app, 3);
        let (_, skipped) = run(&app, tick_at(&app, LABOR_DAY)).await;
        let id = skipped["run_id"].as_str().expect("an id");
        let (kind, report, status) = reported(app.engine.resume(id, None).await.expect("it is known"));
        assert_eq!((kind, status), ("ended", 200), "{report:#}");
        assert_eq!(
            (&report["data"]["run_status"], &report["data"]["attempt"]),
            (&json!("succeeded"), &json!(2))
        );
        assert_eq!(
            (&report["data"]["skipped"], &report["data"]["tickers_processed"]),
            (&Json::Null, &json!(3))
        );
        let totals = totals(&app).await;
        assert_eq!((totals.ticks_skipped, totals.statistics.jobs_processed), (1, 1));
        assert_eq!(run(&app, tick_at(&app, LABOR_DAY)).await.0, "finished");
    });
}

#[test]
fn manual_runs_are_never_skipped_and_all_ticks_run_if_set_so() {
    play(usual, |world| async move {
        let app = closed_today(&world);
        world.seed(&app, 3);
        assert_eq!(run(&app, tick(&app)).await.1["run_status"], "skipped");
        assert_eq!(run(&app, by_hand(&app)).await.1["run_status"], "succeeded");
        let all = world.instance_with(TimeDelta::zero(), |name| (name == "closed_days").then_some("run"));
        assert_eq!(run(&all, tick_at(&all, LABOR_DAY)).await.1["run_status"], "succeeded");
    });
}

#[test]
fn an_operator_sees_skipped_runs_in_the_ledger_and_the_next_run_that_is_none() {
    play(usual, |world| async move {
        let app = closed_today(&world);
        world.seed(&app, 3);
        let (_, manual) = run(&app, by_hand(&app)).await;
        run(&app, tick(&app)).await;
        let filter = Filter { status: Some(Status::Skipped), limit: 20, ..Filter::default() };
        let listed = app.engine.ledger.list(&filter).await.expect("Firestore answers").runs;
        let [skipped] = listed.as_slice() else { panic!("{listed:?}") };
        assert_eq!(skipped.message, "skipped, market closed: special closing (calendar_overrides)");

        let status = StatusReport::of(&app.ops).await;
        let job = status.jobs.iter().find(|status| status.job == JOB).expect("a job");
        let recent: Vec<_> = job.recent_runs.iter().map(|run| json!(run.run_id)).collect();
        assert_eq!((recent, job.success_percent), (vec![manual["run_id"].clone()], Some(100.0)));
        // Today's is skipped, and the one before was on Friday.
        let time = |text: &str| Some(text.parse().expect("a time"));
        assert_eq!(job.next_run_time, time("2026-11-24T23:00:00Z"));
        assert_eq!(job.last_due_time, time("2026-11-20T23:00:00Z"));
        let facts = Facts::of(&app.ops).await.expect("Firestore answers");
        assert_eq!(facts.jobs.iter().map(|job| job.ticks_skipped).sum::<u64>(), 1);
    });
}
