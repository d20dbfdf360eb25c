//! A run: one execution of a job, from its claim to its end, over as many requests as it needs.
//!
//! [`RunState`] is everything known about it. The ledger stores it, a later request continues from it, and the report
//! is made from it.

mod account;
pub mod counts;
mod last_calls;
mod message;
pub mod outcome;
pub mod report;
pub mod resources;
mod source;
pub mod stop;
pub mod trigger;
pub mod watchlist;
mod work;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::catalogue::Ticker;
use crate::resilience::class::Class;
pub use account::Account;
pub use counts::Counts;
pub use last_calls::LastCalls;
pub use outcome::{Done, Outcome};
pub use resources::Resources;
pub use source::Source;
pub use trigger::Trigger;
pub use watchlist::WatchlistProblems;
pub use work::{Work, merged};

/// Status of a run.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    #[default]
    Running,
    /// Every ticker is done.
    Succeeded,
    /// Done, but some tickers or records failed permanently, or watchlist documents could not be read.
    Partial,
    /// Something is left to do, or nothing succeeded.
    Failed,
    /// There was nothing to do, because the market was closed.
    Skipped,
}

impl Status {
    pub const ALL: [Self; 5] = [Self::Running, Self::Succeeded, Self::Partial, Self::Failed, Self::Skipped];

    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether the run succeeded, fully or partially.
    pub fn is_success(self) -> bool {
        matches!(self, Self::Succeeded | Self::Partial)
    }
}

/// A ticker that failed permanently at one endpoint.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Null if the endpoint takes no tickers.
    pub ticker: Option<Ticker>,
    pub endpoint: String,
    /// Kind of failure; null if a successful response reported it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    /// The provider's error message.
    pub reason: String,
}

/// Maximum remarks kept of a run: the latest.
pub const REMARKS_MAX: usize = 50;
/// Maximum characters of a remark; the run's entry must fit into a document.
const REMARK_CHARS_MAX: usize = 500;

/// All that is known about a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunState {
    pub run_id: String,
    pub job: String,
    pub scope: String,
    pub trigger: Source,
    /// The time the providers are asked for, RFC 3339.
    pub run_time: String,
    /// Distinguishes request bodies under the same key.
    pub request_digest: String,
    pub tickers_given: Option<Vec<Ticker>>,
    pub status: Status,
    /// The scheduled time it was made for; none for a manual run.
    #[serde(default)]
    pub scheduled_at: Option<DateTime<Utc>>,
    /// Requests that have worked on it, this one included.
    pub attempt: u32,
    pub created_at: DateTime<Utc>,
    /// Start of the latest attempt.
    pub started_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    /// Duration of the latest attempt.
    pub duration_ms: u64,
    /// Whether the tickers are resolved; until then `pending` says nothing.
    pub planned: bool,
    pub tickers_requested: usize,
    pub pending: Vec<Work>,
    pub failed: Vec<Failure>,
    /// Work that is done, except for what failed.
    #[serde(default)]
    pub done: Vec<Done>,
    /// A ticker that was answered, by endpoint: requesting it again shows whether the endpoint is up.
    #[serde(default)]
    pub controls: BTreeMap<String, Ticker>,
    /// None in entries of versions that did not store it, and before the tickers are resolved.
    #[serde(default)]
    pub account: Option<Account>,
    pub counts: Counts,
    pub remarks: Vec<String>,
    /// Documents of the watchlist that could not be read.
    #[serde(default)]
    pub watchlist_problems: WatchlistProblems,
    /// Why the latest attempt ended with work left.
    pub stopped: Option<String>,
    /// Why there was nothing to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// The trace of the latest attempt, 32 hex digits.
    #[serde(default)]
    pub trace_id: Option<String>,
    #[serde(default)]
    pub resources: Resources,
    /// How the latest calls to the provider ended, as the attempt's instance knows it.
    #[serde(default)]
    pub last_calls: LastCalls,
    /// What the statistics have counted for this run, if anything.
    #[serde(default)]
    pub counted: Option<Box<Counted>>,
}

/// What the statistics have counted for a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    pub status: Status,
    pub counts: Counts,
    pub tickers_failed: usize,
}

impl RunState {
    /// Sets the planned work.
    pub fn plan(&mut self, work: Vec<Work>, tickers: usize) {
        self.account = Some(Account::of_plan(&work));
        self.pending = work;
        self.tickers_requested = tickers;
        self.planned = true;
    }

    /// Whether what failed can be retried.
    pub fn can_try_again(&self) -> bool {
        self.status == Status::Partial && !self.failed.is_empty()
    }

    /// Ends a run that has nothing to do.
    #[must_use]
    pub fn skip(self, reason: String) -> Self {
        let ended_at = Some(self.started_at);
        Self { status: Status::Skipped, skipped: Some(reason), ended_at, ..self }
    }

    pub fn remark(&mut self, mut remark: String) {
        if let Some((end, _)) = remark.char_indices().nth(REMARK_CHARS_MAX) {
            remark.truncate(end);
        }
        if self.remarks.contains(&remark) {
            return;
        }
        // The latest remarks are the ones people look for.
        if self.remarks.len() >= REMARKS_MAX {
            self.remarks.remove(0);
        }
        self.remarks.push(remark);
    }

    pub fn has_pending(&self) -> bool {
        !self.planned || !self.pending.is_empty()
    }

    /// Tickers that every endpoint has answered for.
    pub fn tickers_processed(&self) -> usize {
        if !self.planned {
            return 0;
        }
        let failed = self.failed.iter().filter_map(|failure| failure.ticker.as_ref());
        let pending = self.pending.iter().flat_map(|work| &work.tickers);
        let open: BTreeSet<_> = pending.chain(failed).collect();
        if self.account.is_none_or(|account| account.done_unnamed > 0) {
            // An earlier version worked on it and kept no outcomes.
            return self.tickers_requested.saturating_sub(open.len());
        }
        let done = self.done.iter().flat_map(|done| &done.tickers);
        distinct(&mut done.filter(|ticker| !open.contains(ticker)))
    }

    /// Distinct tickers that failed permanently.
    pub fn tickers_failed(&self) -> usize {
        distinct(&mut self.failed.iter().filter_map(|failure| failure.ticker.as_ref()))
    }

    /// Distinct tickers that are still to be done.
    pub fn tickers_pending(&self) -> usize {
        distinct(&mut self.pending.iter().flat_map(|work| &work.tickers))
    }

    /// Whether there was something to do and none of it succeeded.
    fn all_failed(&self) -> bool {
        let nothing_done = self.tickers_processed() == 0 && self.counts.records_stored() == 0;
        !self.failed.is_empty() && nothing_done
    }

    /// The status in which an attempt ends.
    pub fn judge(&self) -> Status {
        if self.has_pending() || self.stopped.is_some() || self.all_failed() {
            Status::Failed
        } else if !self.failed.is_empty()
            || self.counts.records_rejected() > 0
            || !self.watchlist_problems.is_empty()
        {
            Status::Partial
        } else {
            Status::Succeeded
        }
    }

    /// Prepares an ended run to continue: permanent failures are retried only if nothing else is left.
    pub fn resume(&mut self, now: DateTime<Utc>) {
        if self.planned && self.pending.is_empty() {
            for failure in std::mem::take(&mut self.failed) {
                let work = Work {
                    endpoint: failure.endpoint,
                    tickers: Vec::from_iter(failure.ticker),
                    parts: Vec::new(),
                    reason: None,
                    deferrals: 0,
                };
                self.pending.push(work);
            }
            self.pending = merged(std::mem::take(&mut self.pending));
        }
        self.status = Status::Running;
        self.attempt = self.attempt.saturating_add(1);
        self.started_at = now;
        self.ended_at = None;
        self.stopped = None;
        self.skipped = None;
        self.resources = Resources::default();
    }
}

fn distinct(tickers: &mut dyn Iterator<Item = &Ticker>) -> usize {
    let mut distinct = BTreeSet::new();
    distinct.extend(tickers);
    distinct.len()
}

#[cfg(test)]
pub(crate) mod tests;
