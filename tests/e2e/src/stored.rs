//! Compares the contents of Firestore with what they must be.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use sim::endpoint::Endpoint;
use sim::firestore::{Db, Doc};
use sim::providers::{Call, Outcome, words};
use sim::scheduler::Job;
use sim::stack::Stack;

/// Collection of the raw logs.
pub const RAW_LOGS: &str = "api_usage_logs";
/// Collection of the rejected records.
pub const REJECTED: &str = "rejected_records";
/// Collection of the run ledger.
pub const RUNS: &str = "ingestion_runs";
/// Collection of the breakers, the registered runs and the probes.
pub const BREAKERS: &str = "ingestion_breakers";
/// Collection of the coverage.
pub const COVERAGE: &str = "ingestion_coverage";
/// Collection of the alerts that were told.
pub const ALERTS: &str = "ingestion_alerts";
/// Collection of the statistics.
pub const STATISTICS: &str = "ingestion_statistics";

/// The documents of a collection.
pub async fn list(db: &Db, collection: &str) -> Vec<Doc> {
    db.list(collection).await.unwrap_or_else(|error| panic!("{collection}: {error:#}"))
}

/// The number of documents in a collection.
pub async fn count(db: &Db, collection: &str) -> usize {
    db.count(collection).await.unwrap_or_else(|error| panic!("{collection}: {error:#}"))
}

/// The collections that the orchestrator has written records to.
pub async fn datasets(db: &Db) -> BTreeSet<String> {
    let known: BTreeSet<_> = Endpoint::ALL.map(Endpoint::collection).into();
    let found = db.collections().await.expect("the collections");
    found.into_iter().filter(|name| known.contains(name.as_str())).collect()
}

/// Exactly the documents of a run must be stored, as the provider sent them.
pub async fn assert_exactly(stack: &Stack, job: &Job, run_time: DateTime<Utc>, run_id: &str) {
    assert_found(stack, &expected(stack, job, run_time, run_id)).await;
}

/// The documents of a run without faults, by collection and id.
pub fn expected(
    stack: &Stack,
    job: &Job,
    run_time: DateTime<Utc>,
    run_id: &str,
) -> BTreeMap<(&'static str, String), Value> {
    let documents = stack.expected(job, run_time).into_iter();
    documents.map(|(place, record)| (place, as_stored(record, run_id))).collect()
}

/// The datasets must contain exactly these documents.
pub async fn assert_found(stack: &Stack, expected: &BTreeMap<(&'static str, String), Value>) {
    let mut expected = expected.clone();
    for collection in datasets(&stack.db).await {
        for doc in list(&stack.db, &collection).await {
            let place = Endpoint::ALL.map(Endpoint::collection).into_iter().find(|name| *name == collection);
            let key = (place.expect("a dataset"), doc.id.clone());
            let record = expected.remove(&key).unwrap_or_else(|| panic!("no provider sent {key:?}"));
            assert_eq!(without_hash(&collection, doc.fields), record, "{key:?}");
        }
    }
    let missing: Vec<_> = expected.keys().take(5).collect();
    assert!(missing.is_empty(), "{} documents are missing, among them {missing:?}", expected.len());
}

/// A record without the digest that it is compared by. Quotes have none: none of them comes twice.
pub fn without_hash(collection: &str, mut fields: Value) -> Value {
    let hash = fields.as_object_mut().and_then(|fields| fields.remove("content_hash"));
    let is_compared = collection != Endpoint::FINNHUB_QUOTES.collection();
    let is_digest = |hash: &Value| hash.as_str().is_some_and(|digits| digits.len() == 64);
    assert_eq!(hash.as_ref().is_some_and(is_digest), is_compared, "{collection}: {hash:?}");
    fields
}

/// A provider's record as the orchestrator must store it.
pub fn as_stored(mut record: Value, run_id: &str) -> Value {
    let fields = record.as_object_mut().expect("a record");
    // An indicator's date and value are one level down; all records are flat in Firestore.
    if let Some(Value::Object(inner)) = fields.remove("data") {
        fields.extend(inner);
    }
    // Credentials are redacted in everything that is stored.
    if let Some(key) = fields.get_mut("parameters").and_then(|parameters| parameters.get_mut("apikey")) {
        *key = json!("[redacted]");
    }
    if let Some(series) = fields.get_mut("raw_data") {
        *series = json!(series.to_string());
    }
    fields.insert("schema_version".to_owned(), json!(1));
    fields.insert("run_id".to_owned(), json!(run_id));
    record
}

/// Every call in the providers' journals must have its raw log, and every raw log its call.
///
/// A call without a response must be logged without a status. If the journal has the body, the log must have the same
/// one, or what arrived of it if the response broke off. One kind of raw log may have no call: connections are reused,
/// and a request on one that the provider is just closing reaches no one.
pub async fn assert_raw_logs(stack: &Stack) {
    let mut calls: Vec<_> = stack.providers.all().iter().flat_map(|p| p.journal().calls()).collect();
    let mut logs = list(&stack.db, RAW_LOGS).await;
    // Logs with a status first, and of these the complete responses: they match fewer calls.
    logs.sort_by_key(|log| {
        let response = &log.fields["response"];
        (response["status_code"].is_null(), response["error_flag"] == true)
    });
    for log in logs {
        let kept = payload(&stack.db, RAW_LOGS, &log, "response").await;
        let place = calls.iter().position(|call| is_log_of(&log, call) && is_body_of(&kept, &log, call));
        match place {
            Some(place) => drop(calls.swap_remove(place)),
            None if was_closed(&log) => {}
            None => panic!("no call has the raw log {}: {:#}", log.id, log.fields),
        }
    }
    assert!(calls.is_empty(), "{} calls have no raw log, the first of them is {:?}", calls.len(), calls[0]);
}

fn was_closed(log: &Doc) -> bool {
    let response = &log.fields["response"];
    let error = response["error"].as_str().unwrap_or_default();
    response["status_code"].is_null() && error.contains("the connection was closed")
}

fn is_body_of(kept: &[u8], log: &Doc, call: &Call) -> bool {
    let response = &log.fields["response"];
    match &call.response {
        None => true,
        Some(_) if response["status_code"].is_null() => kept.is_empty(),
        Some(body) if response["error_flag"] == true => without_keys(body).starts_with(kept),
        Some(body) => without_keys(body) == kept,
    }
}

/// A body with the API keys redacted, as it may be stored.
fn without_keys(body: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(body) {
        Ok(text) => words::without_keys(text).into_bytes(),
        Err(_) => body.to_vec(),
    }
}

fn is_log_of(log: &Doc, call: &Call) -> bool {
    let (request, response, metadata) =
        (&log.fields["request"], &log.fields["response"], &log.fields["metadata"]);
    let status = match call.outcome {
        Outcome::Answered(status) => json!(status),
        Outcome::Pending | Outcome::Reset | Outcome::Abandoned => Value::Null,
    };
    let url = request["url"].as_str().unwrap_or_default();
    url.starts_with("http://127.0.0.1:")
        && url.ends_with(&call.path)
        && request["params"] == call.body
        && metadata["source"] == call.service.name()
        && metadata["tickers_requested"] == json!(call.tickers)
        && response["latency_ms"].is_u64()
        // A response that comes too late for the caller is logged as none.
        && (response["status_code"] == status || response["status_code"].is_null())
}

/// The statistics of each job must match its runs in the ledger.
pub async fn assert_statistics(db: &Db) {
    let mut expected = BTreeMap::<String, [u64; 5]>::new();
    for run in list(db, RUNS).await {
        let counts = expected.entry(run.fields["job"].as_str().expect("a job").to_owned()).or_default();
        let one = match run.fields["status"].as_str() {
            Some("succeeded") => [1, 1, 0, 0, 0],
            Some("partial") => [1, 1, 1, 0, 0],
            Some("skipped") => [0, 0, 0, 0, 0],
            Some("cancelled") => [1, 0, 0, 0, 1],
            // It waits for its data: whether it fails is not known yet.
            Some("failed") if run.fields["waits_until"].is_string() => [0, 0, 0, 0, 0],
            Some("failed") => [1, 0, 0, 1, 0],
            other => panic!("the run {} is {other:?}", run.id),
        };
        *counts = std::array::from_fn(|place| counts[place] + one[place]);
    }
    let names = ["jobs_processed", "jobs_successful", "jobs_partial", "jobs_failed", "jobs_cancelled"];
    let stored = list(db, STATISTICS).await.into_iter();
    let stored = stored.map(|doc| (doc.id, names.map(|name| doc.fields[name].as_u64().unwrap_or(u64::MAX))));
    assert_eq!(stored.collect::<BTreeMap<_, _>>(), expected, "by job: {names:?}");
}

/// The bytes of the payload in `field` of a document, joined from its parts if it has any.
pub async fn payload(db: &Db, collection: &str, doc: &Doc, field: &str) -> Vec<u8> {
    let described = &doc.fields[field];
    if described["encoding"] == "text" {
        return described["data"].as_str().expect("a string").as_bytes().to_vec();
    }
    assert_eq!(described["encoding"], "gzip_parts", "{:#}", doc.fields);
    let parts = list(db, &format!("{collection}/{}/parts", doc.id)).await;
    assert_eq!(json!(parts.len()), described["parts"], "{}", doc.id);
    let mut packed = Vec::new();
    for (number, part) in parts.iter().enumerate() {
        assert_eq!(part.id, format!("{number:04}"));
        packed.extend(STANDARD.decode(part.fields["data"].as_str().expect("bytes")).expect("base64"));
    }
    let mut whole = Vec::new();
    GzDecoder::new(packed.as_slice()).read_to_end(&mut whole).expect("a whole gzip stream");
    assert_eq!(json!(whole.len()), described["data_bytes"], "{}", doc.id);
    whole
}
