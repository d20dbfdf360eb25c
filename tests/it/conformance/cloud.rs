//! What Google's cloud enforces beyond the emulator. Only the in-memory store can show it.

use orchestrator::firestore::query::Query;
use orchestrator::firestore::value::fields;
use orchestrator::firestore::{Code, Firestore, FirestoreError, Value, Write};
use sim::firestore::memory::Strictness;

use super::{code, path, reach, write};

fn in_cloud<F: Future<Output = ()> + Send + 'static>(case: fn(Firestore) -> F) {
    reach::in_store(Strictness::Cloud, case);
}

#[test]
fn a_request_has_at_most_500_writes() {
    in_cloud(|db: Firestore| async move {
        let writes: Vec<_> = (0..501).map(|n| write(&n.to_string(), n).encode(db.database())).collect();
        assert_eq!(code(db.batch_write(&writes).await), Some(Code::InvalidArgument));
        assert!(db.batch_write(&writes[..500]).await.is_ok());
    });
}

#[test]
fn a_request_has_at_most_10_mib() {
    in_cloud(|db: Firestore| async move {
        let text = || Value::String("x".repeat(900_000));
        let write = |n: usize| Write::overwrite(path(&n.to_string()), fields([("a", text())]));
        let writes: Vec<_> = (0..12).map(|n| write(n).encode(db.database())).collect();
        let error = db.batch_write(&writes).await.expect_err("refused").to_string();
        assert!(error.contains("Request payload size exceeds the limit: 10485760 bytes."), "{error}");
    });
}

#[test]
fn a_document_has_at_most_40_000_index_entries() {
    in_cloud(|db: Firestore| async move {
        let map = |collection: &str, field: &str, members: i64| {
            let member = |number: i64| (format!("m{number}"), Value::Integer(number));
            let map = Value::Map { fields: (0..members).map(member).collect() };
            [Write::overwrite(
                orchestrator::firestore::DocumentPath::new(collection, "a"),
                fields([(field, map)]),
            )]
        };
        db.commit(&map("things", "map", 19_000)).await.expect("written");
        assert_eq!(code(db.commit(&map("things", "map", 20_000)).await), Some(Code::InvalidArgument));
        // An exempt field has none.
        db.commit(&map("ingestion_coverage", "cells", 20_000)).await.expect("written");
    });
}

#[test]
fn a_query_needs_its_index() {
    in_cloud(|db: Firestore| async move {
        let query = |collection, field| Query {
            collection,
            equals: vec![(field, Value::string("x"))],
            newest_by: "created_at",
            limit: 1,
            ..Query::default()
        };
        db.query(&query("ingestion_runs", "job")).await.expect("deployed");
        for missing in [query("ingestion_runs", "owner"), query("things", "job")] {
            let error = db.query(&missing).await.expect_err("refused");
            assert!(matches!(error, FirestoreError::Index { is_building: false, .. }), "{error}");
        }
    });
}

#[test]
fn an_index_holds_the_first_1_500_bytes_of_a_text() {
    in_cloud(|db: Firestore| async move {
        let text = |end: &str| Value::String("x".repeat(1_500) + end);
        let at = ("created_at", Value::Integer(1));
        let run = fields([("job", text("a")), ("created_at", at.1)]);
        let path = orchestrator::firestore::DocumentPath::new("ingestion_runs", "a");
        db.commit(&[Write::overwrite(path, run)]).await.expect("written");
        let query = Query {
            collection: "ingestion_runs",
            equals: vec![("job", text("b"))],
            newest_by: "created_at",
            limit: 1,
            ..Query::default()
        };
        assert_eq!(db.query(&query).await.expect("answered").documents.len(), 1);
    });
}
