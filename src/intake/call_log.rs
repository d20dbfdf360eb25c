//! The calls of a run, according to the raw logs.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::firestore::document::Document;
use crate::firestore::query::{NameRange, Start};
use crate::firestore::{DocumentPath, Firestore, FirestoreError, Value};
use crate::run::Window;

/// Most calls of a run that are listed.
const CALLS_MAX: usize = 500;

/// One provider call of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
pub struct CallSummary {
    /// ID of the document in the raw logs collection.
    pub log_id: String,
    pub endpoint: String,
    pub requested_at: Option<DateTime<Utc>>,
    pub latency_ms: u64,
    /// Null if there was no response.
    pub status_code: Option<i64>,
    /// Attempt number of the batch, from 1.
    pub attempt: u64,
    /// Attempt number of the run, from 1.
    pub run_attempt: u64,
    pub tickers_requested: usize,
    pub tickers_successful: usize,
    pub tickers_failed: usize,
    pub error: Option<String>,
    /// The days that were requested; absent for what the endpoint sends by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
}

/// The response of `GET /runs/{run_id}/calls`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
pub struct CallList {
    /// In the order in which they were made.
    pub calls: Vec<CallSummary>,
    /// Whether the run made more calls than are listed; calls are kept in order of their log IDs.
    pub truncated: bool,
}

/// The ID of a call's raw log.
pub fn log_id(run_id: &str, run_attempt: u32, call: u64) -> String {
    format!("{run_id}_a{run_attempt}_c{call}")
}

/// Reads the calls of a run.
pub async fn calls(
    firestore: &Firestore,
    collection: &str,
    run_id: &str,
) -> Result<CallList, FirestoreError> {
    let name = |suffix: &str| {
        let path = DocumentPath::new(collection, &format!("{run_id}{suffix}"));
        format!("{}/documents/{path}", firestore.database())
    };
    let range = NameRange {
        collection,
        from: Some(Start::At(name("_a"))),
        until: Some(name("_b")),
        limit: CALLS_MAX + 1,
        select: &[
            "request.timestamp",
            "response.status_code",
            "response.latency_ms",
            "response.error",
            "metadata",
        ],
    };
    let documents = firestore.names(&range).await?.documents;
    let truncated = documents.len() > CALLS_MAX;
    let mut calls: Vec<_> =
        documents.iter().take(CALLS_MAX).filter_map(|document| summary(document, run_id)).collect();
    calls.sort_unstable_by_key(|call| call.requested_at);
    Ok(CallList { calls, truncated })
}

/// None for a log of another run whose ID starts like this one's.
fn summary(document: &Document, run_id: &str) -> Option<CallSummary> {
    let part = |name: &str| document.fields.get(name).and_then(Value::as_map);
    let (request, response, metadata) = (part("request"), part("response")?, part("metadata")?);
    let text = |name: &str| metadata.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    let number = |fields: &crate::firestore::Fields, name: &str| {
        fields
            .get(name)
            .and_then(Value::as_i64)
            .and_then(|number| u64::try_from(number).ok())
            .unwrap_or_default()
    };
    let length = |name: &str| metadata.get(name).and_then(Value::as_array).map_or(0, <[Value]>::len);
    let log_id = text("log_id").filter(|_| text("run_id").as_deref() == Some(run_id))?;
    let run_attempt = log_id.strip_prefix(run_id)?.strip_prefix("_a")?.split_once("_c")?.0.parse().ok()?;
    Some(CallSummary {
        // Older logs have the endpoint in `api_name`, and a timestamp instead of a string.
        endpoint: text("endpoint").or_else(|| text("api_name"))?,
        requested_at: request.and_then(|request| request.get("timestamp")).and_then(time),
        latency_ms: number(response, "latency_ms"),
        status_code: response.get("status_code").and_then(Value::as_i64),
        attempt: number(metadata, "attempt"),
        run_attempt,
        tickers_requested: length("tickers_requested"),
        tickers_successful: length("tickers_successful"),
        tickers_failed: length("tickers_failed"),
        error: response.get("error").and_then(Value::as_str).map(ToOwned::to_owned),
        window: metadata.get("window").and_then(Value::as_map).and_then(window),
        log_id,
    })
}

fn window(fields: &crate::firestore::Fields) -> Option<Window> {
    let day = |name: &str| fields.get(name).and_then(Value::as_str)?.parse().ok();
    Some(Window { from: day("from")?, to: day("to")? })
}

fn time(value: &Value) -> Option<DateTime<Utc>> {
    value.as_timestamp().or_else(|| value.as_str()?.parse().ok())
}
