//! Queries as used by the ledger.

use chrono::DateTime;
use orchestrator::firestore::query::Query;
use orchestrator::firestore::value::fields;
use orchestrator::firestore::{Firestore, Value, Write};

use super::path;

fn time(second: i64) -> Value {
    Value::Timestamp(DateTime::from_timestamp(1_795_456_800 + second, 0).expect("a time"))
}

async fn seed(db: &Firestore, things: &[(&str, i64, &str, &str)]) {
    for (id, second, job, status) in things {
        let of_thing =
            [("at", time(*second)), ("job", Value::string(*job)), ("status", Value::string(*status))];
        db.commit(&[Write::overwrite(path(id), fields(of_thing))]).await.expect("written");
    }
}

async fn found(db: &Firestore, query: Query<'_>) -> Vec<String> {
    let query = Query { collection: "things", newest_by: "at", ..query };
    let page = db.query(&query).await.expect("answered");
    page.documents.into_iter().map(|document| document.id).collect()
}

pub(super) async fn the_newest_come_first(db: Firestore) {
    seed(&db, &[("a", 1, "x", "s"), ("b", 3, "x", "s"), ("c", 2, "x", "s")]).await;
    // A document without the field is in no index.
    db.commit(&[Write::overwrite(path("d"), fields([("job", Value::string("x"))]))]).await.expect("written");
    assert_eq!(found(&db, Query { limit: 10, ..Query::default() }).await, ["b", "c", "a"]);
    assert_eq!(found(&db, Query { limit: 2, ..Query::default() }).await, ["b", "c"]);
    let nothing = Query { collection: "nothing", newest_by: "at", limit: 2, ..Query::default() };
    let page = db.query(&nothing).await.expect("answered");
    assert!(page.documents.is_empty() && page.is_last);
}

pub(super) async fn equal_times_are_ordered_by_name(db: Firestore) {
    seed(&db, &[("a", 1, "x", "s"), ("c", 1, "x", "s"), ("b", 1, "x", "s")]).await;
    assert_eq!(found(&db, Query { limit: 10, ..Query::default() }).await, ["c", "b", "a"]);
}

pub(super) async fn filters_must_all_hold(db: Firestore) {
    seed(&db, &[("a", 1, "x", "s"), ("b", 2, "x", "t"), ("c", 3, "y", "s"), ("d", 4, "x", "s")]).await;
    let job = ("job", Value::string("x"));
    let status = ("status", Value::string("s"));
    let of_job = Query { equals: vec![job.clone()], limit: 10, ..Query::default() };
    assert_eq!(found(&db, of_job).await, ["d", "b", "a"]);
    let of_both = Query { equals: vec![job, status], limit: 10, ..Query::default() };
    assert_eq!(found(&db, of_both).await, ["d", "a"]);
    let any_of = Some(("status", ["s", "u"].map(Value::string).to_vec()));
    let one_of_them =
        Query { equals: vec![("job", Value::string("x"))], any_of, limit: 10, ..Query::default() };
    assert_eq!(found(&db, one_of_them).await, ["d", "a"]);
}

pub(super) async fn a_page_starts_after_the_last_document_of_the_previous_one(db: Firestore) {
    seed(&db, &[("a", 1, "x", "s"), ("b", 2, "x", "s"), ("c", 2, "x", "s"), ("d", 3, "x", "s")]).await;
    let mut pages = Vec::new();
    let mut after = None;
    for _ in 0..3 {
        let query = Query { limit: 2, after: after.take(), ..Query::default() };
        let ids = found(&db, query).await;
        if let Some(last) = ids.last() {
            let stored = db.get(&path(last)).await.expect("read").expect("there");
            let name = format!("{}/documents/{}", db.database(), path(last));
            after = Some((stored.fields["at"].clone(), name));
        }
        pages.push(ids.join(","));
    }
    assert_eq!(pages, ["d,c", "b,a", ""]);
}
