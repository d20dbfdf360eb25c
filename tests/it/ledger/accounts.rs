//! What is planned is done, failed or pending, also of a run that another version has left.

use chrono::TimeDelta;
use orchestrator::ledger::Claim;
use orchestrator::run::Work;
use serde_json::json;

use super::world::{LEASE, play, tick, told, usual};

#[test]
fn work_of_an_endpoint_that_is_none_any_more_ends_as_failed() {
    play(usual, |world| async move {
        let app = world.instance(TimeDelta::zero());
        world.seed(&app, 10);
        let state = tick(&app).into_state(app.world.clock.now());
        let Ok(Claim::Owned(owned)) = app.ledger.claim(state).await else { panic!("not owned") };
        // As an older version has left it: all ten tickers at an endpoint of another name.
        let mut state = owned.state;
        let tickers: Vec<_> = (0..10).map(|n| serde_json::from_value(json!(format!("T{n:05}"))).expect("a ticker")).collect();
        state.plan(vec![Work { endpoint: "/prices".into(), tickers, reason: None, tries: 0 }], 10);
        app.ledger.checkpoint(owned.fence, state).await.expect("still the owner");
        world.handle.sleep(LEASE).await;

        let (_, report, status) = told(app.run(tick(&app)).await);
        assert_eq!((status, &report["status"], &report["data"]["calls"]), (502, &json!("error"), &json!(0)));
        let failed = report["data"]["tickers_failed"].as_array().expect("a list");
        assert_eq!(failed.len(), 10);
        let words = failed[0]["reason"].as_str().expect("a reason");
        assert!(words.contains("no endpoint /prices in version "), "{words}");
    });
}

#[test]
fn an_operator_has_what_failed_tried_again_and_a_tick_does_not() {
    play(usual, |world| async move {
        let app = world.instance(TimeDelta::zero());
        world.seed(&app, 3);
        let (_, report, _) = told(app.run(tick(&app)).await);
        let run_id = report["data"]["run_id"].as_str().expect("an id").to_owned();
        // Nothing has failed: nothing to do.
        let (kind, ..) = told(app.resume(&run_id).await.expect("known"));
        assert_eq!(kind, "finished");
    });
}
