//! A run in one line.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::entry::{CREATED_AT, JOB, STATUS};
use crate::firestore::Value;
use crate::firestore::document::Document;
use crate::run::Status;

/// Summary of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
pub struct RunSummary {
    pub run_id: String,
    pub run_status: Status,
    /// `scheduler`, `manual` or `backfill`.
    pub trigger: String,
    pub attempt: u64,
    pub created_at: Option<DateTime<Utc>>,
    /// Start of the latest attempt.
    pub started_at: Option<DateTime<Utc>>,
    /// Null while it is running.
    pub ended_at: Option<DateTime<Utc>>,
    /// Duration of the latest attempt.
    pub duration_ms: u64,
    pub tickers_requested: u64,
    pub tickers_processed: u64,
    pub tickers_failed: u64,
    pub tickers_empty: u64,
    pub tickers_stale: u64,
    pub tickers_deferred: u64,
    pub tickers_pending: u64,
    pub records_stored: u64,
    /// Records that were stored before and say the same.
    pub records_unchanged: u64,
    /// Records among the stored ones that said something else before.
    pub records_revised: u64,
    /// The doubtful ones among those stored and unchanged.
    pub records_flagged: u64,
    /// Why the latest attempt ended with work left.
    pub stopped: Option<String>,
    /// Until when it waits for data that is probably not published yet; null if it does not wait.
    pub waits_until: Option<DateTime<Utc>>,
}

/// A run among those of all jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRun {
    pub job: String,
    /// Its status, in one sentence.
    pub message: String,
    pub summary: RunSummary,
}

/// The fields of a ledger entry that a list needs: not the state, which may be from another version and large.
pub(super) const FIELDS: &[&str] = &[
    "run_id",
    JOB,
    STATUS,
    "trigger",
    "attempt",
    CREATED_AT,
    "started_at",
    "ended_at",
    "duration_ms",
    "tickers_requested",
    "tickers_processed",
    "tickers_failed",
    "tickers_empty",
    "tickers_stale",
    "tickers_deferred",
    "tickers_pending",
    "records_stored",
    "records_unchanged",
    "records_revised",
    "records_flagged",
    "stopped",
    "waits_until",
    "message",
];

impl ListedRun {
    pub(super) fn from_document(document: &Document) -> Self {
        let text = |name| document.text(name).unwrap_or_default().to_owned();
        Self { job: text(JOB), message: text("message"), summary: RunSummary::from_document(document) }
    }
}

impl RunSummary {
    /// Whether it has succeeded or failed: not while its data is probably not published yet, nor if somebody stopped it.
    pub fn has_ended(&self) -> bool {
        let is_open = matches!(self.run_status, Status::Running | Status::Cancelled);
        !is_open && self.waits_until.is_none()
    }

    pub(super) fn from_document(document: &Document) -> Self {
        let text = |name| document.text(name).map(ToOwned::to_owned);
        let time = |name| document.fields.get(name).and_then(Value::as_timestamp);
        let count = |name| {
            let number = document.fields.get(name).and_then(Value::as_i64);
            number.and_then(|number| u64::try_from(number).ok()).unwrap_or_default()
        };
        Self {
            run_id: text("run_id").unwrap_or_default(),
            // Only a later version of this service could have written a different value.
            run_status: document.text(STATUS).and_then(Status::parse).unwrap_or(Status::Running),
            trigger: text("trigger").unwrap_or_default(),
            attempt: count("attempt"),
            created_at: time(CREATED_AT),
            started_at: time("started_at"),
            ended_at: time("ended_at"),
            duration_ms: count("duration_ms"),
            tickers_requested: count("tickers_requested"),
            tickers_processed: count("tickers_processed"),
            tickers_failed: count("tickers_failed"),
            tickers_empty: count("tickers_empty"),
            tickers_stale: count("tickers_stale"),
            tickers_deferred: count("tickers_deferred"),
            tickers_pending: count("tickers_pending"),
            records_stored: count("records_stored"),
            records_unchanged: count("records_unchanged"),
            records_revised: count("records_revised"),
            records_flagged: count("records_flagged"),
            stopped: text("stopped"),
            waits_until: time("waits_until"),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn summary() -> RunSummary {
        let document = Document {
            id: "r".to_owned(),
            fields: crate::firestore::Fields::new(),
            create_time: DateTime::UNIX_EPOCH,
            update_time: DateTime::UNIX_EPOCH,
            read_time: DateTime::UNIX_EPOCH,
        };
        RunSummary::from_document(&document)
    }
}
