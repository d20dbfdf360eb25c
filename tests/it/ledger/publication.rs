//! A run whose data is not published yet waits for it.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use orchestrator::app::App;
use orchestrator::engine::Answer;
use orchestrator::ledger::Filter;
use orchestrator::ledger::statistics::{JobTotals, WAITING};
use serde_json::{Value as Json, json};

use super::world::{JOB, World, play, reported, tick, usual};

/// The world begins six hours after the tick.
fn patient(name: &str) -> Option<&'static str> {
    (name == "publish_patience_minutes").then_some("1440")
}

/// Runs the tick while the provider only has the prices of the day before the expected one.
async fn waiting(world: &World) -> (std::sync::Arc<App>, Json) {
    let app = world.instance_with(TimeDelta::zero(), patient);
    world.seed(&app, 4);
    world.publish("2026-11-19");
    let answer = app.engine.run(tick(&app)).await;
    assert_eq!(retry_after(&answer), Some(Duration::from_secs(900)));
    let (_, report, status) = reported(answer);
    assert_eq!((status, &report["data"]["tickers_pending"]), (503, &json!(4)), "{report:#}");
    (app, report)
}

fn retry_after(answer: &Answer) -> Option<Duration> {
    match answer {
        Answer::Ended { retry_after, .. } => *retry_after,
        other => panic!("{other:?}"),
    }
}

async fn totals(app: &App) -> JobTotals {
    let path = app.engine.ledger.statistics(JOB);
    JobTotals::from_document(&app.engine.firestore.get(&path).await.expect("read").expect("there"))
}

#[test]
fn a_tick_whose_data_is_not_published_yet_is_requested_again_later() {
    play(usual, |world| async move {
        let (app, report) = waiting(&world).await;
        let data = &report["data"];
        let stopped = data["stopped"].as_str().expect("a reason");
        assert!(stopped.starts_with("not published yet: 4 of 4 tickers that /fetch answered"), "{stopped}");
        assert!(data["waits_until"].as_str().is_some_and(|time| time.starts_with("2026-11-23T18:15:0")));
        assert_eq!((&data["tickers_stale"], &data["records_stored"]), (&json!([]), &json!(0)));
        let page = app.engine.ledger.list(&Filter { limit: 5, ..Filter::default() }).await.expect("a list");
        assert!(page.runs[0].summary.waits_until.is_some() && !page.runs[0].summary.has_ended());

        let calls = world.asked("call");
        world.handle.sleep(Duration::from_secs(300)).await;
        let early = app.engine.run(tick(&app)).await;
        assert!(retry_after(&early).is_some_and(|rest| rest <= Duration::from_secs(600)));
        assert_eq!((reported(early).2, world.asked("call")), (503, calls), "no provider is called before");

        world.publish("2026-11-20");
        world.handle.sleep(Duration::from_secs(600)).await;
        let (_, report, status) = reported(app.engine.run(tick(&app)).await);
        assert_eq!((status, &report["data"]["records_stored"]), (200, &json!(4)), "{report:#}");
        assert_eq!(report["data"]["waits_until"], Json::Null);
        let totals = totals(&app).await;
        let attempts = BTreeMap::from([(WAITING.to_owned(), 1), ("succeeded".to_owned(), 1)]);
        assert_eq!(totals.attempts, attempts, "the wait is no failure");
        assert_eq!((totals.statistics.jobs_processed, totals.statistics.jobs_failed), (1, 0));
    });
}

#[test]
fn an_operator_who_resumes_a_waiting_run_gets_its_result_at_once() {
    play(usual, |world| async move {
        let (app, report) = waiting(&world).await;
        let run_id = report["data"]["run_id"].as_str().expect("an id");
        let (_, report, status) = reported(app.engine.resume(run_id, None).await.expect("known"));
        assert_eq!((status, &report["data"]["tickers_pending"]), (502, &json!(0)), "{report:#}");
        assert_eq!(report["data"]["tickers_stale"].as_array().map(Vec::len), Some(4));
        let totals = totals(&app).await;
        assert_eq!((totals.attempts[WAITING], totals.attempts["failed"]), (1, 1));
        assert_eq!(totals.statistics.jobs_failed, 1);
    });
}
