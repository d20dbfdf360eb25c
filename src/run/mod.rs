//! A run: one execution of a job, from its claim to its end, over as many requests as it needs.
//!
//! [`RunState`] is everything known about it. The ledger stores it, a later request continues from it, and the report
//! is made from it.

mod account;
pub mod backfill;
mod cancelled;
pub mod cell;
pub mod counts;
mod last_calls;
mod message;
pub mod outcome;
pub mod publication;
pub mod replay;
pub mod report;
pub mod resources;
mod source;
pub mod stop;
pub mod trigger;
pub mod watchlist;
pub mod window;
mod work;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::catalogue::Ticker;
pub use account::Account;
pub use backfill::Backfill;
pub use cancelled::Cancelled;
pub use counts::Counts;
pub use last_calls::LastCalls;
pub use outcome::{Done, Outcome, Shortfall, Unit};
pub use publication::StaleRecords;
pub use replay::Replay;
pub use resources::Resources;
pub use source::Source;
pub use trigger::Trigger;
pub use watchlist::WatchlistProblems;
pub use window::Window;
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
    /// There was nothing to do, because the market was closed, or the job was paused.
    Skipped,
    /// An operator has stopped it; what is left to do can be resumed.
    Cancelled,
}

impl Status {
    pub const ALL: [Self; 6] =
        [Self::Running, Self::Succeeded, Self::Partial, Self::Failed, Self::Skipped, Self::Cancelled];

    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
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

/// Maximum remarks kept of a run: the latest.
pub const REMARKS_MAX: usize = 50;
/// Maximum characters of a remark; the run's entry must fit into a document.
const REMARK_CHARS_MAX: usize = 500;

/// Which run it is. Reports show it as it is stored.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub run_id: String,
    pub trigger: Source,
    pub scope: String,
    /// The time the providers are asked for, RFC 3339.
    pub run_time: String,
    pub created_at: DateTime<Utc>,
}

/// The latest attempt: one request's work on the run. Reports show it as it is stored.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Number of requests that have worked on the run, this one included.
    #[serde(rename = "attempt")]
    pub number: u32,
    pub started_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<DateTime<Utc>>,
    pub duration_ms: u64,
    /// Its trace, 32 hex digits.
    #[serde(default)]
    pub trace_id: Option<String>,
    #[serde(default)]
    pub resources: Resources,
}

/// All that is known about a run: its identity, its latest attempt, and its progress.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunState {
    #[serde(flatten)]
    pub identity: Identity,
    #[serde(flatten)]
    pub attempt: Attempt,
    pub job: String,
    /// Distinguishes request bodies under the same key.
    pub request_digest: String,
    pub tickers_given: Option<Vec<Ticker>>,
    /// The scheduled time it was made for; none for a manual run.
    #[serde(default)]
    pub scheduled_at: Option<DateTime<Utc>>,
    /// The days that it is for; none for current data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backfill: Option<Backfill>,
    /// Whether records are written even if they say what is stored already.
    #[serde(default, skip_serializing_if = "work::is_false")]
    pub force: bool,
    /// The stored answers that it takes in once more; none if it calls its provider. It is planned once it is through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replay: Option<Box<Replay>>,
    pub status: Status,
    /// Whether the tickers are resolved; until then `pending` says nothing.
    pub planned: bool,
    pub tickers_requested: usize,
    pub pending: Vec<Work>,
    /// Work that is over without the data that was expected.
    #[serde(rename = "failed")]
    pub shortfalls: Vec<Shortfall>,
    /// Work that is done.
    #[serde(default)]
    pub done: Vec<Done>,
    /// A ticker that was answered, by endpoint: requesting it again shows whether the endpoint is up.
    #[serde(default)]
    pub controls: BTreeMap<String, Ticker>,
    /// None in entries of versions that did not store it, and before the tickers are resolved.
    #[serde(default)]
    pub account: Option<Account>,
    pub counts: Counts,
    /// Records of stale tickers among those counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stale_records: Vec<StaleRecords>,
    /// How long after its last change the run is not due, because its data is probably not published yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publish_wait_ms: Option<u64>,
    /// Tickers whose earlier records have changed, by the day of the record that says so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub adjusted: BTreeMap<NaiveDate, Vec<Ticker>>,
    pub remarks: Vec<String>,
    /// Documents of the watchlist that could not be read.
    #[serde(default)]
    pub watchlist_problems: WatchlistProblems,
    /// Why the latest attempt ended with work left.
    pub stopped: Option<String>,
    /// Why there was nothing to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// The order to stop it: asked for while it is running, carried out when it is cancelled. The entry has a field of
    /// its own for it, which others write while the owner writes the state.
    #[serde(skip)]
    pub cancelled: Option<Cancelled>,
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
    /// Running if nothing is known yet, because it waits for its data.
    pub status: Status,
    pub counts: Counts,
    pub tickers_failed: usize,
}

impl Counted {
    /// A run that counts by its status alone.
    pub fn nothing(status: Status) -> Self {
        Self { status, counts: Counts::default(), tickers_failed: 0 }
    }
}

impl RunState {
    /// Sets the planned work.
    pub fn plan(&mut self, work: Vec<Work>, tickers: usize) {
        self.account = Some(Account::of_plan(&work));
        self.pending = work;
        self.tickers_requested = tickers;
        self.planned = true;
    }

    /// The time that its data must be of: the scheduled time, or the time the providers are asked for.
    pub fn tick(&self) -> Option<DateTime<Utc>> {
        self.scheduled_at.or_else(|| self.identity.run_time.parse().ok())
    }

    /// Whether it leaves the provider to other runs.
    pub fn is_background(&self) -> bool {
        self.identity.trigger == Source::Backfill
    }

    /// Whether shortfalls can be requested again.
    pub fn can_try_again(&self) -> bool {
        self.status == Status::Partial && !self.shortfalls.is_empty()
    }

    /// Ends a run that has nothing to do.
    #[must_use]
    pub fn skip(self, reason: String) -> Self {
        let attempt = Attempt { ended_at: Some(self.attempt.started_at), ..self.attempt };
        let counted = Some(Box::new(Counted::nothing(Status::Skipped)));
        Self { status: Status::Skipped, skipped: Some(reason), attempt, counted, ..self }
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
        let short = self.shortfalls.iter().filter_map(|short| short.ticker.as_ref());
        let pending = self.pending.iter().flat_map(|work| &work.tickers);
        let open: BTreeSet<_> = pending.chain(short).collect();
        if self.account.is_none_or(|account| account.done_unnamed > 0) {
            // An earlier version worked on it and kept no outcomes.
            return self.tickers_requested.saturating_sub(open.len());
        }
        let done = self.done.iter().flat_map(|done| &done.tickers);
        distinct(&mut done.filter(|ticker| !open.contains(ticker)))
    }

    /// Distinct tickers that failed permanently.
    pub fn tickers_failed(&self) -> usize {
        self.tickers_short(Outcome::Failed)
    }

    /// Distinct tickers with this outcome at some endpoint; one of [`Outcome::SHORTFALLS`].
    pub fn tickers_short(&self, outcome: Outcome) -> usize {
        let short = self.shortfalls.iter().filter(|short| short.outcome == outcome);
        distinct(&mut short.filter_map(|short| short.ticker.as_ref()))
    }

    /// Distinct tickers that are still to be done.
    pub fn tickers_pending(&self) -> usize {
        distinct(&mut self.pending.iter().flat_map(|work| &work.tickers))
    }

    /// Whether data was expected and none came: nothing is stored that counts, and not only for want of quota.
    fn nothing_came(&self) -> bool {
        let nothing_stored = self.tickers_processed() == 0 && self.counts.records_stored() == 0;
        // That a provider has nothing for past days is an answer.
        let is_lacking = self
            .shortfalls
            .iter()
            .any(|short| short.outcome.is_lacking() && self.backfill.is_none() || short.has_ignored_window());
        let has_failed = self.shortfalls.iter().any(|short| short.outcome == Outcome::Failed);
        let unnamed = self.account.is_some_and(|account| account.done_unnamed > 0);
        // The old records of stale tickers are stored, but they are not what the run was for.
        has_failed && nothing_stored || is_lacking && self.done.is_empty() && !unnamed
    }

    /// The status in which an attempt ends.
    pub fn judge(&self) -> Status {
        if self.skipped.is_some() {
            Status::Skipped
        } else if self.has_pending() || self.stopped.is_some() || self.nothing_came() {
            Status::Failed
        } else if !self.shortfalls.is_empty()
            || self.counts.records_rejected() > 0
            || self.replay.as_ref().is_some_and(|replay| replay.answers_unreadable > 0)
            || !self.watchlist_problems.is_empty()
        {
            Status::Partial
        } else {
            Status::Succeeded
        }
    }

    /// Prepares an ended run to continue: shortfalls are requested again only if nothing else is left.
    pub fn resume(&mut self, now: DateTime<Utc>) {
        if self.planned && self.pending.is_empty() {
            self.reopen(|_| true, |_| None);
        }
        self.publish_wait_ms = None;
        self.status = Status::Running;
        self.attempt = Attempt {
            number: self.attempt.number.saturating_add(1),
            started_at: now,
            // Until the attempt ends, these are those of the one before.
            duration_ms: self.attempt.duration_ms,
            trace_id: self.attempt.trace_id.take(),
            ..Attempt::default()
        };
        self.stopped = None;
        self.skipped = None;
        self.cancelled = None;
    }
}

fn distinct(tickers: &mut dyn Iterator<Item = &Ticker>) -> usize {
    let mut distinct = BTreeSet::new();
    distinct.extend(tickers);
    distinct.len()
}

#[cfg(test)]
pub(crate) mod tests;
