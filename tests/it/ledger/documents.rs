//! The documents that a request and a run have read and written, as Firestore charges for them.

use std::sync::Arc;

use chrono::TimeDelta;
use http::HeaderMap;
use orchestrator::app::App;
use orchestrator::base::context::{RequestContext, within};
use orchestrator::base::trace::TraceContext;
use orchestrator::firestore::query::Query;
use orchestrator::firestore::value::fields;
use orchestrator::firestore::{DocumentPath, Precondition, Value, Write};
use orchestrator::ops::alerts::Rules;
use orchestrator::ops::facts::Facts;
use orchestrator::ops::metrics;

use super::world::{JOB, play, reported, tick, usual};
use crate::world::dice::Dice;

fn request() -> Arc<RequestContext> {
    let trace = TraceContext::of_request(&HeaderMap::new(), &Dice::new(1));
    Arc::new(RequestContext::new("request".to_owned(), trace))
}

#[test]
fn each_document_that_is_asked_for_or_written_counts_once() {
    play(usual, |world| async move {
        let app = world.instance(TimeDelta::zero());
        let firestore = &app.engine.firestore;
        let request = request();
        let name = |id: &str| DocumentPath::new("things", id);
        let write = |id| Write::overwrite(name(id), fields([("number", Value::Integer(1))]));
        within(request.clone(), async {
            firestore.commit(&[write("a"), write("b")]).await.expect("it is written");
            assert_eq!(request.traffic.take_documents(), (0, 2));

            let refused = write("a").only_if(Precondition::Missing);
            let both = [refused, write("c")].map(|write| write.encode(firestore.database()));
            let statuses = firestore.batch_write(&both).await.expect("an answer");
            assert_eq!(statuses.iter().filter(|status| status.is_some()).count(), 1);
            assert_eq!(request.traffic.take_documents(), (0, 1), "a refused write");

            let found = firestore.get_all(&[name("a"), name("none")]).await.expect("an answer");
            assert_eq!((found.len(), request.traffic.take_documents()), (1, (2, 0)));

            let query = |collection| Query { collection, newest_by: "number", limit: 2, ..Query::default() };
            firestore.query(&query("things")).await.expect("an answer");
            assert_eq!(request.traffic.take_documents(), (2, 0));
            firestore.query(&query("nothing")).await.expect("an answer");
            assert_eq!(request.traffic.take_documents(), (1, 0), "a query that finds nothing");
        })
        .await;
        firestore.commit(&[write("d")]).await.expect("it is written");
        assert_eq!(request.traffic.take_documents(), (0, 0), "outside of the request");
    });
}

#[test]
fn a_run_tells_how_many_documents_it_has_read_and_written() {
    play(usual, |world| async move {
        let app = world.instance(TimeDelta::zero());
        world.seed(&app, 300);
        let (_, report, _) = reported(within(request(), app.engine.run(tick(&app))).await);
        let count = |name: &str| report["data"][name].as_u64().expect("a number");
        let (read, written) = (count("documents_read"), count("documents_written"));
        let stored = count("records_stored");
        // Its watchlist and the comparison of its records; its records.
        assert!(read >= 300 + stored && written > stored, "{read} read, {written} written");
        assert!(read < 2 * (300 + stored) && written < 2 * stored, "{read} read, {written} written");

        let text = exported(&app).await;
        for (kind, count) in [("read", read), ("written", written)] {
            let labels = format!(r#"{{job_name="{JOB}",provider="tiingo",kind="{kind}"}}"#);
            let line = format!("orchestrator_firestore_documents_total{labels} {count}\n");
            assert!(text.contains(&line), "{line} in {text}");
        }
    });
}

async fn exported(app: &App) -> String {
    let facts = Facts::of(&app.ops).await.expect("Firestore answers");
    let rules = Rules { config: &app.config.alerts, ticks: &app.config.ticks };
    metrics::render(&facts, &app.config.collections, &rules, app.engine.world.clock.now())
}
