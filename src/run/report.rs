//! What the caller learns about a run. The HTTP response, the log line and the stored entry agree because
//! all are made from the same [`RunState`].

mod bounds;

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::catalogue;
use crate::run::counts::Reported;
use crate::run::replay::ReplayView;
use crate::run::watchlist::WatchlistProblem;
use crate::run::{Attempt, Backfill, Cancelled, Identity, RunState, Status, Work};
use bounds::Shortfalls;

/// The response's `status`.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportStatus {
    Ok,
    Partial,
    Error,
    Cancelled,
}

impl From<Status> for ReportStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Succeeded | Status::Skipped => Self::Ok,
            Status::Partial => Self::Partial,
            Status::Running | Status::Failed => Self::Error,
            Status::Cancelled => Self::Cancelled,
        }
    }
}

/// The response of a job route.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    pub status: ReportStatus,
    pub job: String,
    pub message: String,
    /// True if the run had already finished and this is its stored report.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
    pub data: RunData,
    /// When the run ended, or when its latest attempt started if it is running; RFC 3339.
    pub timestamp: String,
}

/// Details of a run.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Debug, Serialize)]
pub struct RunData {
    #[serde(flatten)]
    pub identity: Identity,
    #[serde(flatten)]
    pub attempt: Attempt,
    pub run_status: Status,
    /// The days that it is for; absent for current data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backfill: Option<Backfill>,
    /// The stored answers that it takes in once more; absent for a run that calls its provider.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replay: Option<ReplayView>,
    /// Why there was nothing to do; only if the run was skipped: the market was closed, or the job paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// The order to stop it; only if it was cancelled, or is about to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<Cancelled>,
    /// Why the latest attempt ended with work left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// Until when it waits for data that is probably not published yet; absent if it does not wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_until: Option<DateTime<Utc>>,
    pub provider: &'static str,
    pub tickers_requested: usize,
    pub tickers_processed: usize,
    /// Those of them whose data was stored before and says the same.
    pub tickers_unchanged: usize,
    #[serde(flatten)]
    pub shortfalls: Shortfalls,
    pub tickers_pending: usize,
    /// As many as fit into a response.
    pub pending: Vec<Work>,
    /// Number of further tickers that are pending at some endpoint.
    #[serde(skip_serializing_if = "is_zero")]
    pub pending_left_out: usize,
    pub records_stored: u64,
    pub records_rejected: u64,
    pub collections: BTreeMap<String, u64>,
    #[serde(flatten)]
    pub counts: Reported,
    /// Notes from providers and the planner that concern no single ticker.
    pub remarks: Vec<String>,
    /// The first of the watchlist documents that were skipped because they cannot be read.
    pub watchlist_problems: Vec<WatchlistProblem>,
    /// Total number of such documents.
    pub watchlist_problems_count: usize,
}

impl RunReport {
    pub fn new(state: &RunState) -> Self {
        let counts = &state.counts;
        let (pending, pending_left_out) = bounds::works(&state.pending);
        Self {
            status: state.status.into(),
            job: state.job.clone(),
            message: state.message(),
            duplicate: false,
            timestamp: rfc3339(state.attempt.ended_at.unwrap_or(state.attempt.started_at)),
            data: RunData {
                identity: state.identity.clone(),
                attempt: state.attempt.clone(),
                run_status: state.status,
                backfill: state.backfill,
                replay: state.replay.as_ref().map(|replay| replay.view()),
                skipped: state.skipped.clone(),
                cancelled: state.cancelled.clone(),
                stopped: state.stopped.clone(),
                waits_until: state.waits_until(),
                provider: catalogue::find(&state.job).map_or("unknown", |job| job.provider.name()),
                tickers_requested: state.tickers_requested,
                tickers_processed: state.tickers_processed(),
                tickers_unchanged: state.tickers_unchanged(),
                shortfalls: Shortfalls::new(&state.shortfalls),
                tickers_pending: state.tickers_pending(),
                pending,
                pending_left_out,
                records_stored: counts.records_stored(),
                records_rejected: counts.records_rejected(),
                collections: counts.collections.clone(),
                counts: counts.reported(),
                remarks: state.remarks.clone(),
                watchlist_problems: state.watchlist_problems.listed.clone(),
                watchlist_problems_count: state.watchlist_problems.count,
            },
        }
    }

    /// The stored report of a run that had already finished.
    #[must_use]
    pub fn duplicate(self) -> Self {
        Self { duplicate: true, ..self }
    }

    /// The status that makes the scheduler do the right thing: 503 to retry for the rest, 502 if nothing succeeded, 200
    /// if nothing is left to do.
    pub fn http_status(&self) -> StatusCode {
        match self.status {
            ReportStatus::Ok | ReportStatus::Partial | ReportStatus::Cancelled => StatusCode::OK,
            ReportStatus::Error
                if self.data.tickers_pending == 0
                    && self.data.pending.is_empty()
                    && self.nothing_worked() =>
            {
                StatusCode::BAD_GATEWAY
            }
            ReportStatus::Error => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn nothing_worked(&self) -> bool {
        let Shortfalls { tickers_failed, tickers_empty, tickers_stale, .. } = &self.data.shortfalls;
        let came_short = [tickers_failed, tickers_empty, tickers_stale].iter().any(|list| !list.is_empty());
        came_short && self.data.tickers_processed == 0
    }
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// `Retry-After` in whole seconds, at least one.
pub fn retry_after_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0 || wait.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::WatchlistProblems;
    use crate::run::tests::{failure, state, work};

    fn check(run: RunState, outcome: ReportStatus, status: u16, message: &str) {
        let run = RunState { status: run.judge(), ..run };
        let report = RunReport::new(&run);
        assert_eq!(
            (report.status, report.http_status().as_u16(), report.message.as_str()),
            (outcome, status, message)
        );
    }

    #[test]
    fn every_outcome_has_its_answer() {
        let counts = || crate::run::Counts { calls: 1, ..Default::default() };
        check(
            RunState { counts: counts(), ..state() },
            ReportStatus::Ok,
            200,
            "3 of 3 tickers processed, 0 records stored",
        );
        check(
            RunState { shortfalls: vec![failure("/a", "A")], counts: counts(), ..state() },
            ReportStatus::Partial,
            200,
            "2 of 3 tickers processed, 0 records stored; 1 ticker failed, 0 records rejected",
        );
        check(
            RunState { shortfalls: ["A", "B", "C"].map(|t| failure("/a", t)).to_vec(), ..state() },
            ReportStatus::Error,
            502,
            "0 of 3 tickers processed, 0 records stored; nothing succeeded",
        );
        check(
            RunState {
                pending: vec![work("/a", &["A"])],
                stopped: Some("the deadline is near".into()),
                ..state()
            },
            ReportStatus::Error,
            503,
            "2 of 3 tickers processed, 0 records stored; 1 ticker is left for the next attempt: the deadline is near",
        );
        check(
            RunState {
                planned: false,
                tickers_requested: 0,
                stopped: Some("firestore is down".into()),
                ..state()
            },
            ReportStatus::Error,
            503,
            "not started: firestore is down",
        );
        check(
            RunState { tickers_requested: 0, ..state() },
            ReportStatus::Ok,
            200,
            "the scope entire_watchlist has no tickers: nothing to do",
        );
    }

    #[test]
    fn a_skipped_run_is_fine_and_says_why() {
        let new = RunState { planned: false, tickers_requested: 0, ..state() };
        let skipped = new.skip("market closed: Thanksgiving Day".to_owned());
        let report = RunReport::new(&skipped);
        assert_eq!((report.status, report.http_status()), (ReportStatus::Ok, StatusCode::OK));
        assert_eq!(report.message, "skipped, market closed: Thanksgiving Day");
        assert_eq!(report.data.skipped.as_deref(), Some("market closed: Thanksgiving Day"));
        assert_eq!((report.data.run_status, report.data.attempt.ended_at.is_some()), (Status::Skipped, true));
    }

    #[test]
    fn a_run_whose_watchlist_cannot_be_read_whole_is_partial_at_best() {
        let with = |count| RunState {
            watchlist_problems: WatchlistProblems { count, ..WatchlistProblems::default() },
            ..state()
        };
        let done = "3 of 3 tickers processed, 0 records stored; 0 tickers failed, 0 records rejected";
        let message = |words: &str| format!("{done}; {words} cannot be read");
        check(with(1), ReportStatus::Partial, 200, &message("1 watchlist document"));
        check(with(2), ReportStatus::Partial, 200, &message("2 watchlist documents"));
        check(
            RunState { tickers_requested: 0, ..with(2) },
            ReportStatus::Partial,
            200,
            "the scope entire_watchlist has no tickers: nothing to do; 2 watchlist documents cannot be read",
        );
    }

    #[test]
    fn waits_are_told_in_whole_seconds() {
        for (ms, seconds) in [(0, 1), (1, 1), (1000, 1), (1001, 2)] {
            assert_eq!(retry_after_seconds(Duration::from_millis(ms)), seconds);
        }
    }
}
