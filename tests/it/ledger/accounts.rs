//! All planned work is done, failed or pending, even in a run left by another version.

use chrono::TimeDelta;
use orchestrator::app::App;
use orchestrator::ledger::Claim;
use orchestrator::ledger::statistics::JobTotals;
use orchestrator::run::Work;
use serde_json::json;

use super::world::{JOB, LEASE, alone, play, reported, tick, usual};

#[test]
fn work_at_an_endpoint_that_no_longer_exists_fails() {
    play(usual, |world| async move {
        let app = world.instance(TimeDelta::zero());
        world.seed(&app, 10);
        let state = tick(&app).into_state(app.engine.world.clock.now());
        let Ok(Claim::Owned(owned)) = app.engine.ledger.claim(state, &alone).await else {
            panic!("not owned")
        };
        // As left by an older version: all ten tickers at an endpoint with another name.
        let mut state = owned.state;
        let tickers: Vec<_> =
            (0..10).map(|n| serde_json::from_value(json!(format!("T{n:05}"))).expect("a ticker")).collect();
        state.plan(vec![Work::new("/prices", tickers)], 10);
        app.engine.ledger.checkpoint(owned.fence, state).await.expect("still the owner");
        world.handle.sleep(LEASE).await;

        let (_, report, status) = reported(app.engine.run(tick(&app)).await);
        assert_eq!((status, &report["status"], &report["data"]["calls"]), (502, &json!("error"), &json!(0)));
        let failed = report["data"]["tickers_failed"].as_array().expect("a list");
        assert_eq!(failed.len(), 10);
        let reason = failed[0]["reason"].as_str().expect("a reason");
        assert!(reason.contains("no endpoint /prices in version "), "{reason}");
    });
}

#[test]
fn an_operator_can_retry_what_failed_but_a_tick_does_not() {
    play(usual, |world| async move {
        let app = world.instance(TimeDelta::zero());
        world.seed(&app, 5);
        world.unknown(&["T00001", "T00003"]);
        let (kind, report, status) = reported(app.engine.run(tick(&app)).await);
        assert_eq!((kind, status, &report["status"]), ("ended", 200, &json!("partial")), "{report:#}");
        let run_id = report["data"]["run_id"].as_str().expect("an id").to_owned();
        let (kind, ..) = reported(app.engine.run(tick(&app)).await);
        assert_eq!(kind, "finished", "the scheduler's next attempt gets the stored report");

        // The provider now knows one of the two.
        world.unknown(&["T00003"]);
        let (kind, report, status) = reported(app.engine.resume(&run_id, None).await.expect("known"));
        assert_eq!((kind, status, &report["status"]), ("ended", 200, &json!("partial")), "{report:#}");
        assert_eq!((&report["data"]["attempt"], &report["data"]["records_stored"]), (&json!(2), &json!(4)));
        assert_eq!(statistics(&app).await, [1, 1, 1, 0], "the run counts once, as partial");

        world.unknown(&[]);
        let (_, report, _) = reported(app.engine.resume(&run_id, None).await.expect("known"));
        assert_eq!((&report["status"], &report["data"]["tickers_processed"]), (&json!("ok"), &json!(5)));
        assert_eq!(statistics(&app).await, [1, 1, 0, 0], "and then as succeeded");
        let (kind, ..) = reported(app.engine.resume(&run_id, None).await.expect("known"));
        assert_eq!(kind, "finished", "nothing is left to retry");
    });
}

#[test]
fn a_run_in_which_nothing_succeeded_is_retried_by_both() {
    play(usual, |world| async move {
        let app = world.instance(TimeDelta::zero());
        world.seed(&app, 2);
        world.unknown(&["T00000", "T00001"]);
        let (_, report, status) = reported(app.engine.run(tick(&app)).await);
        assert_eq!(status, 502, "{report:#}");
        let run_id = report["data"]["run_id"].as_str().expect("an id").to_owned();
        let (_, report, status) = reported(app.engine.resume(&run_id, None).await.expect("known"));
        assert_eq!((status, &report["data"]["attempt"]), (502, &json!(2)));
        world.unknown(&[]);
        let (_, report, status) = reported(app.engine.run(tick(&app)).await);
        assert_eq!((status, &report["data"]["attempt"]), (200, &json!(3)));
        assert_eq!(statistics(&app).await, [1, 1, 0, 0]);
    });
}

/// Runs, successes, partial successes and failures of the job.
async fn statistics(app: &App) -> [i64; 4] {
    let stored =
        app.engine.firestore.get(&app.engine.ledger.statistics(JOB)).await.expect("read").expect("there");
    let totals = JobTotals::from_document(&stored).statistics;
    [totals.jobs_processed, totals.jobs_successful, totals.jobs_partial, totals.jobs_failed]
}
