//! The statistics of each job: counters that change in the commit that closes a run.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::firestore::client::Document;
use crate::firestore::value::fields;
use crate::firestore::{DocumentPath, Value, Write};
use crate::run::{RunState, Status};

/// What the statistics know of one job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct JobStatistics {
    /// Runs that have ended; each counts once, by how it stands.
    pub jobs_processed: i64,
    /// Of these, runs that succeeded, in whole or in part.
    pub jobs_successful: i64,
    /// Of the successful, those in which some tickers or records failed for good.
    pub jobs_partial: i64,
    pub jobs_failed: i64,
    /// When an attempt last ended.
    pub last_job_time: Option<DateTime<Utc>>,
}

impl JobStatistics {
    pub fn from_document(document: &Document) -> Self {
        let number = |name| document.fields.get(name).and_then(Value::as_i64).unwrap_or_default();
        Self {
            jobs_processed: number("jobs_processed"),
            jobs_successful: number("jobs_successful"),
            jobs_partial: number("jobs_partial"),
            jobs_failed: number("jobs_failed"),
            last_job_time: document.fields.get("last_job_time").and_then(Value::as_timestamp),
        }
    }
}

/// How one run changes the counters: by what it is now, less what it was counted as before.
pub(super) fn count(mut state: RunState, collection: &str) -> (RunState, Write) {
    let counters = |status: Status| match status {
        Status::Running => [0, 0, 0, 0],
        Status::Succeeded => [1, 1, 0, 0],
        Status::Partial => [1, 1, 1, 0],
        Status::Failed => [1, 0, 0, 1],
    };
    let (new, old) = (counters(state.status), counters(state.counted_as.unwrap_or(Status::Running)));
    let names = ["jobs_processed", "jobs_successful", "jobs_partial", "jobs_failed"];
    let increments = names
        .into_iter()
        .zip(new.into_iter().zip(old))
        .map(|(name, (new, old))| (name.to_owned(), Value::Integer(new - old)))
        .collect();
    state.counted_as = Some(state.status);
    let ended_at = state.ended_at.unwrap_or(state.started_at);
    let fields = fields([("job", Value::string(&state.job)), ("last_job_time", Value::Timestamp(ended_at))]);
    let write = Write { increments, ..Write::merge(DocumentPath::new(collection, &state.job), fields) };
    (state, write)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::tests::state;

    fn check(status: Status, counted_as: Option<Status>, expect: [i64; 4]) {
        let (state, write) = count(RunState { status, counted_as, ..state() }, "c");
        let increments: Vec<_> = write.increments.iter().filter_map(|(_, value)| value.as_i64()).collect();
        assert_eq!((increments, state.counted_as), (expect.to_vec(), Some(status)));
    }

    #[test]
    fn a_run_counts_once_by_how_it_stands() {
        check(Status::Succeeded, None, [1, 1, 0, 0]);
        check(Status::Partial, None, [1, 1, 1, 0]);
        check(Status::Failed, None, [1, 0, 0, 1]);
        check(Status::Failed, Some(Status::Failed), [0, 0, 0, 0]);
        check(Status::Succeeded, Some(Status::Failed), [0, 1, 0, -1]);
    }
}
