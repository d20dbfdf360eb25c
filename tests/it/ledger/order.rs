//! Writes of one document keep their order, and a run its place among the callers, though a request fails or hangs.

use std::time::Duration;

use chrono::TimeDelta;
use orchestrator::catalogue;
use orchestrator::firestore::bulk::{BulkWriter, Outgoing};
use orchestrator::firestore::value::fields;
use orchestrator::firestore::{DocumentPath, Value, Write};
use serde_json::{Value as Json, json};

use super::world::{JOB, LEASE, Way, play};

/// The response to a batch of one write that may be repeated later.
fn unavailable(_: Json) -> Json {
    json!({"writeResults": [{}], "status": [{"code": 14, "message": "simulated"}]})
}

#[test]
fn a_later_write_of_a_document_waits_for_an_earlier_one_that_is_retried() {
    let once = |method: &str, number| match (method, number) {
        ("batchWrite", 0) => Way::Changed(unavailable),
        _ => Way::Usual,
    };
    play(once, |world| async move {
        let app = world.instance(TimeDelta::zero());
        let path = DocumentPath::new("prices_daily", "AAPL_2026-11-20_tiingo");
        let write = |close| {
            let write = Write::overwrite(path.clone(), fields([("close", Value::Integer(close))]));
            Outgoing { tag: close, write: write.encode(app.engine.firestore.database()), comparison: None }
        };
        let (ports, backoff) = (app.engine.world.clone(), app.engine.settings.call.backoff);
        let mut writer = BulkWriter::new(app.engine.firestore.clone(), ports, backoff, None);
        writer.push(1, vec![write(1)]);
        writer.push(2, vec![write(2)]);
        for delivery in [1, 2] {
            let delivered = writer.delivered().await;
            assert_eq!((delivered.delivery, delivered.failed.len()), (delivery, 0));
        }
        let stored = app.engine.firestore.get(&path).await.expect("answered").expect("it is there");
        assert_eq!(stored.fields.get("close"), Some(&Value::Integer(2)));
    });
}

#[test]
fn a_renewal_that_hangs_is_repeated_before_the_place_is_lost() {
    let once = |method: &str, number| match (method, number) {
        ("commit", 1) => Way::Never,
        _ => Way::Usual,
    };
    play(once, |world| async move {
        let app = world.instance(TimeDelta::zero());
        let provider = catalogue::find(JOB).expect("a job").provider;
        let breakers = app.engine.breakers.clone();
        breakers.register(provider, "me", 1, true).await.expect("registered");
        let registered = world.handle.now();
        world.until(registered.saturating_add(LEASE / 3)).await;
        while breakers.register(provider, "me", 1, false).await.is_err() {}
        let passed = world.handle.now().saturating_sub(registered);
        assert!(passed < LEASE.saturating_sub(Duration::from_secs(5)), "{passed:?}");
    });
}
