//! The calls of a run, according to the raw logs.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::firestore::document::Document;
use crate::firestore::query::{NameRange, Start};
use crate::firestore::{DocumentPath, Firestore, FirestoreError, Value};
use crate::intake::replayed::time;
use crate::run::Window;

/// The field that marks a call whose answer is not stored: it shows only whether the provider is up.
pub const CHECK: &str = "check";
/// Most calls of a run that are listed, and in one page.
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

/// A response that may be taken in once more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Logged {
    pub log_id: String,
    /// The attempt of its run, and its number in there.
    order: (u32, u64),
    /// Length of the response.
    pub bytes: usize,
}

impl Logged {
    /// Whether it was requested later than the call with this log ID.
    pub fn is_after(&self, log_id: &str, run_id: &str) -> bool {
        numbers(log_id, run_id).is_none_or(|order| self.order > order)
    }
}

/// The successful responses that a run has taken in, in the order in which they were requested.
pub async fn answers(
    firestore: &Firestore,
    collection: &str,
    run_id: &str,
) -> Result<Vec<Logged>, FirestoreError> {
    let root = format!("{}/documents", firestore.database());
    let name =
        |suffix: &str| format!("{root}/{}", DocumentPath::new(collection, &format!("{run_id}{suffix}")));
    let mut from = Start::At(name("_a"));
    let mut answers = Vec::new();
    loop {
        let range = NameRange {
            collection,
            from: Some(from),
            until: Some(name("_b")),
            limit: CALLS_MAX,
            select: &[
                "response.status_code",
                "response.data_bytes",
                "metadata.log_id",
                "metadata.run_id",
                "metadata.check",
            ],
        };
        let page = firestore.names(&range).await?;
        answers.extend(page.documents.iter().filter_map(|document| logged(document, run_id)));
        match page.next() {
            Some(last) => from = Start::After(format!("{root}/{collection}/{}", last.id)),
            None => break,
        }
    }
    answers.sort_unstable_by_key(|answer| answer.order);
    Ok(answers)
}

/// None if the call failed, was for a check only, or belongs to another run.
fn logged(document: &Document, run_id: &str) -> Option<Logged> {
    let part = |name: &str| document.fields.get(name).and_then(Value::as_map);
    let (response, metadata) = (part("response")?, part("metadata")?);
    let status = response.get("status_code").and_then(Value::as_i64)?;
    if !(200..300).contains(&status) || metadata.get(CHECK) == Some(&Value::Boolean(true)) {
        return None;
    }
    metadata.get("run_id").and_then(Value::as_str).filter(|of| *of == run_id)?;
    let log_id = metadata.get("log_id").and_then(Value::as_str)?.to_owned();
    let bytes = response.get("data_bytes").and_then(Value::as_i64)?;
    Some(Logged { order: numbers(&log_id, run_id)?, bytes: usize::try_from(bytes).ok()?, log_id })
}

/// The attempt and the number of a call, from its log ID.
fn numbers(log_id: &str, run_id: &str) -> Option<(u32, u64)> {
    let (run_attempt, call) = log_id.strip_prefix(run_id)?.strip_prefix("_a")?.split_once("_c")?;
    Some((run_attempt.parse().ok()?, call.parse().ok()?))
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
    let (run_attempt, _) = numbers(&log_id, run_id)?;
    Some(CallSummary {
        // Older logs have the endpoint in `api_name`, and a timestamp instead of a string.
        endpoint: text("endpoint").or_else(|| text("api_name"))?,
        requested_at: request.and_then(|request| request.get("timestamp")).and_then(time),
        latency_ms: number(response, "latency_ms"),
        status_code: response.get("status_code").and_then(Value::as_i64),
        attempt: number(metadata, "attempt"),
        run_attempt: run_attempt.into(),
        tickers_requested: length("tickers_requested"),
        tickers_successful: length("tickers_successful"),
        tickers_failed: length("tickers_failed"),
        error: response.get("error").and_then(Value::as_str).map(ToOwned::to_owned),
        window: metadata.get("window").and_then(Value::as_map).and_then(window),
        log_id,
    })
}

pub(super) fn window(fields: &crate::firestore::Fields) -> Option<Window> {
    let day = |name: &str| fields.get(name).and_then(Value::as_str)?.parse().ok();
    Some(Window { from: day("from")?, to: day("to")? })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::intake) fn logged(call: u64, bytes: usize) -> Logged {
        Logged { log_id: log_id("r", 1, call), order: (1, call), bytes }
    }

    #[test]
    fn a_log_id_tells_the_order_of_calls() {
        assert_eq!(numbers("r_a2_c10", "r"), Some((2, 10)));
        assert!(numbers("r_a2_c10", "r") > numbers("r_a2_c9", "r"));
        assert!(logged(10, 1).is_after("r_a1_c9", "r") && !logged(9, 1).is_after("r_a1_c9", "r"));
        for other in ["r_a2", "r_x_a2_c1", "r_a2_cx"] {
            assert_eq!(numbers(other, "r"), None, "{other}");
        }
    }
}
