//! The statistics of each job: one document per job, incremented in the commit that closes a run, so
//! that they are correct across instances and restarts.
//!
//! A run counts once in `jobs_*`, by its current status. Everything else only ever grows, as metrics must: what
//! one attempt did is added when that attempt is closed. Counters that come in families are named
//! `family/member`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::catalogue;
use crate::firestore::document::Document;
use crate::firestore::value::fields;
use crate::firestore::{DocumentPath, Value, Write};
use crate::run::LastCalls;
use crate::run::counts::{ATTEMPT_BOUNDS_MS, Histogram};
use crate::run::{Counted, Counts, RunState, Status};

/// Statistics of one job, or of all jobs together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
pub struct JobStatistics {
    /// Ended runs; each counts once, by its current status.
    pub jobs_processed: i64,
    /// Runs that succeeded, fully or partially.
    pub jobs_successful: i64,
    /// Successful runs in which some tickers or records failed permanently.
    pub jobs_partial: i64,
    pub jobs_failed: i64,
    /// Runs that an operator has stopped: neither successful nor failed.
    pub jobs_cancelled: i64,
    /// When an attempt last ended.
    pub last_job_time: Option<DateTime<Utc>>,
    /// When a run last succeeded, fully or partially.
    pub last_success_time: Option<DateTime<Utc>>,
}

/// What one job has done since its first run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobTotals {
    pub statistics: JobStatistics,
    /// Ended attempts, by resulting status; [`WAITING`] if they only wait.
    pub attempts: BTreeMap<String, u64>,
    pub duration: Histogram,
    pub counts: Counts,
    pub tickers_failed: u64,
    /// Scheduled times at which there was nothing to do.
    pub ticks_skipped: u64,
    /// All of the job's tickers are stored for every scheduled time up to this: the creation time of the newest run
    /// that succeeded with all of them, or its scheduled time if that is later.
    pub covered_until: Option<DateTime<Utc>>,
    /// Duration of the latest attempt.
    pub last_duration_ms: Option<u64>,
    pub last_calls: LastCalls,
}

impl JobStatistics {
    /// Both together.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            jobs_processed: self.jobs_processed.saturating_add(other.jobs_processed),
            jobs_successful: self.jobs_successful.saturating_add(other.jobs_successful),
            jobs_partial: self.jobs_partial.saturating_add(other.jobs_partial),
            jobs_failed: self.jobs_failed.saturating_add(other.jobs_failed),
            jobs_cancelled: self.jobs_cancelled.saturating_add(other.jobs_cancelled),
            last_job_time: self.last_job_time.max(other.last_job_time),
            last_success_time: self.last_success_time.max(other.last_success_time),
        }
    }
}

/// Ended attempts of runs that wait for data that is not published yet.
pub const WAITING: &str = "waiting";

/// In milliseconds since 1970: Firestore compares numbers, not times.
const COVERED_UNTIL: &str = "covered_until_ms";
const TICKS_SKIPPED: &str = "ticks_skipped";
const LAST_DURATION: &str = "last_duration_ms";
const ATTEMPTS: &str = "attempts";
const DURATION: &str = "duration_ms";
const LATENCY: &str = "call_ms";
/// The member of a histogram's family that holds the sum.
const SUM: &str = "sum";

impl JobTotals {
    pub fn from_document(document: &Document) -> Self {
        let number = |name: &str| document.fields.get(name).and_then(Value::as_i64).unwrap_or_default();
        let count = |name: &str| u64::try_from(number(name)).unwrap_or_default();
        let time = |name: &str| document.fields.get(name).and_then(Value::as_timestamp);
        let family = |family: &str| -> BTreeMap<String, u64> {
            let member = |name: &str| Some(name.strip_prefix(family)?.strip_prefix('/')?.to_owned());
            let mut members = BTreeMap::new();
            members.extend(document.fields.keys().filter_map(|name| Some((member(name)?, count(name)))));
            members
        };
        let histogram = |name: &str| {
            let mut buckets = family(name);
            Histogram { sum_ms: buckets.remove(SUM).unwrap_or_default(), buckets }
        };
        let mut counts = Counts { latency: histogram(LATENCY), ..Counts::default() };
        for counter in Counts::COUNTERS {
            *(counter.get_mut)(&mut counts) = count(counter.stored);
        }
        for known in Counts::FAMILIES {
            *(known.get_mut)(&mut counts) = family(known.stored);
        }
        Self {
            statistics: JobStatistics {
                jobs_processed: number("jobs_processed"),
                jobs_successful: number("jobs_successful"),
                jobs_partial: number("jobs_partial"),
                jobs_failed: number("jobs_failed"),
                jobs_cancelled: number("jobs_cancelled"),
                last_job_time: time("last_job_time"),
                last_success_time: time("last_success_time"),
            },
            attempts: family(ATTEMPTS),
            duration: histogram(DURATION),
            counts,
            tickers_failed: count("tickers_failed"),
            ticks_skipped: count(TICKS_SKIPPED),
            covered_until: document
                .fields
                .get(COVERED_UNTIL)
                .and_then(Value::as_i64)
                .and_then(DateTime::from_timestamp_millis),
            last_calls: LastCalls::from_document(document),
            last_duration_ms: document.fields.contains_key(LAST_DURATION).then(|| count(LAST_DURATION)),
        }
    }
}

/// How a skipped tick changes its job's statistics: it is neither a success nor a failure, and no attempt.
pub(super) fn count_skipped(job: &str, collection: &str) -> Write {
    let fields = fields([("job", Value::string(job))]);
    let increments = vec![(TICKS_SKIPPED.to_owned(), Value::Integer(1))];
    Write { increments, ..Write::merge(DocumentPath::new(collection, job), fields) }
}

/// How a run's new status changes its job's statistics: it counts by that one, and no longer by the one before.
fn moved(before: Option<&Counted>, status: Status) -> Vec<(String, Value)> {
    let counters = |status: Status| match status {
        Status::Running | Status::Skipped => [0, 0, 0, 0, 0],
        Status::Succeeded => [1, 1, 0, 0, 0],
        Status::Partial => [1, 1, 1, 0, 0],
        Status::Failed => [1, 0, 0, 1, 0],
        Status::Cancelled => [1, 0, 0, 0, 1],
    };
    let old = counters(before.map_or(Status::Running, |counted| counted.status));
    let names = ["jobs_processed", "jobs_successful", "jobs_partial", "jobs_failed", "jobs_cancelled"];
    let changes = counters(status).into_iter().zip(old).map(|(new, old)| new - old);
    names.into_iter().zip(changes).map(|(name, by)| (name.to_owned(), Value::Integer(by))).collect()
}

/// Whether how a run ends says something about how its job does: backfills and replays say nothing.
fn is_current(state: &RunState) -> bool {
    state.backfill.is_none() && state.replay.is_none()
}

/// How a change of a run's status alone changes its job's statistics: nobody has worked on it.
pub(super) fn recount(mut state: RunState, collection: &str) -> (RunState, Write) {
    let before = state.counted.take();
    let increments = if is_current(&state) { moved(before.as_deref(), state.status) } else { Vec::new() };
    let known = before.unwrap_or_else(|| Box::new(Counted::nothing(state.status)));
    state.counted = Some(Box::new(Counted { status: state.status, ..*known }));
    let fields = fields([("job", Value::string(&state.job))]);
    let write = Write::merge(DocumentPath::new(collection, &state.job), fields);
    (state, Write { increments, ..write })
}

/// How a run that turns out to be skipped changes its job's statistics; each counts once.
fn skipped(state: RunState, collection: &str) -> (RunState, Write) {
    let is_new = state.counted.as_ref().is_none_or(|counted| counted.status != Status::Skipped);
    let (state, mut write) = recount(state, collection);
    write.increments.extend(is_new.then(|| (TICKS_SKIPPED.to_owned(), Value::Integer(1))));
    (state, write)
}

/// How an attempt changes its job's statistics: what the run is now, minus what it was counted as before.
pub(super) fn count(mut state: RunState, collection: &str) -> (RunState, Write) {
    if state.status == Status::Skipped {
        return skipped(state, collection);
    }
    // A run that waits for its data has neither succeeded nor failed yet.
    let status = if state.is_waiting() { Status::Running } else { state.status };
    let before = state.counted.take();
    let known = before.as_deref();
    let is_current = is_current(&state);
    let mut increments = if is_current { moved(known, status) } else { Vec::new() };
    let done = known.map_or_else(|| state.counts.clone(), |counted| state.counts.since(&counted.counts));
    // A run whose failed tickers are retried has none for a while; those that fail again are not new.
    let failed_before = known.map_or(0, |counted| counted.tickers_failed);
    let tickers_failed = state.tickers_failed().max(failed_before);
    let newly_failed = tickers_failed - failed_before;
    increments.extend(growth(&state, &done, newly_failed));
    let ended_at = state.attempt.ended_at.unwrap_or(state.attempt.started_at);
    let mut fields = fields([("job", Value::string(&state.job))]);
    if is_current {
        let duration = Value::Integer(state.attempt.duration_ms.cast_signed());
        fields.insert("last_job_time".to_owned(), Value::Timestamp(ended_at));
        fields.insert(LAST_DURATION.to_owned(), duration);
    }
    if is_current && state.status.is_success() {
        fields.insert("last_success_time".to_owned(), Value::Timestamp(ended_at));
    }
    // What is requested again is not counted for a while; what comes again is not new.
    let counts = known.map_or_else(|| state.counts.clone(), |counted| state.counts.max(&counted.counts));
    state.counted = Some(Box::new(Counted { status, counts, tickers_failed }));
    // A manual run of some tickers says nothing about the others; an old run that finished late says nothing about
    // today.
    let covers =
        state.status.is_success() && state.tickers_given.is_none() && is_current && has_own_scope(&state);
    // A tick's run covers its scheduled time, whatever the clock said when it was created.
    let covered = state
        .scheduled_at
        .map_or(state.identity.created_at, |scheduled| state.identity.created_at.max(scheduled));
    let covered = covers.then(|| (COVERED_UNTIL.to_owned(), Value::Integer(covered.timestamp_millis())));
    let (words, times) = state.last_calls.to_fields();
    fields.extend(words);
    let maximums = covered.into_iter().chain(times).collect();
    let write =
        Write { increments, maximums, ..Write::merge(DocumentPath::new(collection, &state.job), fields) };
    (state, write)
}

fn has_own_scope(state: &RunState) -> bool {
    catalogue::find(&state.job).is_some_and(|job| job.scope.name() == state.identity.scope)
}

/// The counters that only ever grow; those that have not grown are omitted.
fn growth(state: &RunState, done: &Counts, tickers_failed: usize) -> Vec<(String, Value)> {
    let mut duration = Histogram::default();
    duration.observe(ATTEMPT_BOUNDS_MS, state.attempt.duration_ms);
    let mut attempts = BTreeMap::new();
    let status = if state.is_waiting() { WAITING } else { state.status.name() };
    attempts.insert(status.to_owned(), 1);
    let of_attempt = [(ATTEMPTS, &attempts), (DURATION, &duration.buckets), (LATENCY, &done.latency.buckets)];
    let families = Counts::FAMILIES.iter().map(|family| (family.stored, (family.get)(done)));
    let members = of_attempt.into_iter().chain(families).flat_map(|(family, members)| {
        members.iter().map(move |(name, by)| (format!("{family}/{name}"), *by))
    });
    let sums = [
        (format!("{DURATION}/{SUM}"), duration.sum_ms),
        (format!("{LATENCY}/{SUM}"), done.latency.sum_ms),
        ("tickers_failed".to_owned(), u64::try_from(tickers_failed).unwrap_or_default()),
    ];
    let counters = Counts::COUNTERS.iter().map(|counter| (counter.stored.to_owned(), (counter.get)(done)));
    let grown = members.chain(sums).chain(counters).filter(|(_, by)| *by > 0);
    grown.map(|(name, by)| (name, Value::Integer(by.cast_signed()))).collect()
}

#[cfg(test)]
mod tests;
