//! Lists of runs, as operators see them.

use chrono::TimeDelta;
use orchestrator::firestore::value::fields;
use orchestrator::firestore::{DocumentPath, Value, Write};
use orchestrator::ledger::Filter;
use orchestrator::ops::status::{Overall, StatusReport};
use serde_json::{Value as Json, json};

use super::world::{Way, play, reported, tick, usual};

#[test]
fn an_entry_of_a_newer_version_is_listed_like_any_other() {
    play(usual, |world| async move {
        let app = world.instance(TimeDelta::zero());
        world.seed(&app, 3);
        let (_, report, _) = reported(app.engine.run(tick(&app)).await);
        let newer = fields([
            ("run_id", Value::string("newer")),
            ("job", Value::string("a-new-job")),
            ("status", Value::string("archived")),
            ("created_at", Value::Timestamp("2026-11-23T12:30:00Z".parse().expect("a time"))),
            ("state", Value::Map { fields: fields([("form", Value::Integer(9))]) }),
        ]);
        let path = DocumentPath::new(&app.config.collections.runs, "newer");
        world.store(&app, &Write::overwrite(path, newer));

        let page = app
            .engine
            .ledger
            .list(&Filter { limit: 20, ..Filter::default() })
            .await
            .expect("Firestore answers");
        let listed: Vec<_> =
            page.runs.iter().map(|run| (run.summary.run_id.as_str(), run.job.as_str())).collect();
        assert_eq!(listed.len(), 2, "{listed:?}");
        assert!(listed.contains(&("newer", "a-new-job")));
        let other = page.runs.iter().find(|run| run.summary.run_id != "newer").expect("the other one");
        assert_eq!(
            (json!(other.message), json!(other.summary.tickers_processed)),
            (report["message"].clone(), json!(3))
        );
        let error = app.engine.ledger.get("newer").await.expect_err("it cannot be read");
        assert!(error.to_string().contains("whose state cannot be read"), "{error}");
    });
}

/// Firestore's response to a query whose index is not ready yet.
fn building(_: Json) -> Json {
    let message = "The query requires an index. That index is currently building and cannot be used yet. See its status here: x";
    json!([{"error": {"code": 400, "message": message, "status": "FAILED_PRECONDITION"}}])
}

#[test]
fn an_index_that_is_still_being_built_is_not_an_outage() {
    let script = |method: &str, _| if method == "runQuery" { Way::Changed(building) } else { Way::Usual };
    play(script, |world| async move {
        let app = world.instance(TimeDelta::zero());
        let status = StatusReport::of(&app.ops).await;
        assert!(status.firestore.reachable && status.status == Overall::Degraded, "{:?}", status.status);
        let message = status.firestore.error.as_deref().expect("an error");
        assert_eq!(
            message,
            "firestore's index ingestion_runs (job, status, created_at descending) is still being built: \
             try again when it is ready"
        );
        assert!(status.alerts.iter().any(|alert| alert.message == message), "{:?}", status.alerts);
    });
}
