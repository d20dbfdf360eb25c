//! A request for a run.

use chrono::{DateTime, SecondsFormat, SubsecRound, Utc};

use super::{Attempt, Backfill, Identity, RunState, Source};
use crate::base::context;
use crate::base::id::fnv1a_128;
use crate::catalogue::{Job, Scope, Ticker};

/// Hexadecimal digits that distinguish two jobs in one minute: 64 bits, so no two collide by chance.
const TICK_DIGEST_CHARS: usize = 16;

/// A valid request for a run.
#[derive(Clone, Debug)]
pub struct Trigger {
    pub job: &'static Job,
    pub scope: Scope,
    pub tickers: Option<Vec<Ticker>>,
    pub run_time: DateTime<Utc>,
    /// The days that are requested; none for current data.
    pub backfill: Option<Backfill>,
    /// Whether records are written even if they say what is stored already.
    pub force: bool,
    /// Whether only the plan of the backfill is wanted.
    pub dry_run: bool,
    /// Why somebody wants it.
    pub reason: Option<String>,
    pub run_id: String,
    pub source: Source,
    /// The scheduled time, if it is a tick.
    pub tick: Option<DateTime<Utc>>,
    /// Distinguishes requests under the same key.
    pub digest: String,
}

impl Trigger {
    /// The run in its initial state.
    pub fn into_state(self, now: DateTime<Utc>) -> RunState {
        // Firestore keeps microseconds; times compared with its own must not be more precise.
        let now = now.trunc_subsecs(6);
        RunState {
            identity: Identity {
                run_id: self.run_id,
                trigger: self.source,
                scope: self.scope.name().to_owned(),
                run_time: self.run_time.to_rfc3339_opts(SecondsFormat::AutoSi, true),
                created_at: now,
            },
            attempt: Attempt {
                number: 1,
                started_at: now,
                trace_id: context::current().map(|request| request.trace.trace_id()),
                ..Attempt::default()
            },
            job: self.job.name.to_owned(),
            request_digest: self.digest,
            tickers_given: self.tickers,
            scheduled_at: self.tick,
            backfill: self.backfill,
            force: self.force,
            ..RunState::default()
        }
    }
}

/// The run ID of a tick: the same whatever else an operator changes in the job's body between two attempts. Cloud
/// Scheduler jobs that share a route and a time, but not scope and tickers, get different IDs.
pub fn tick_id(job: &Job, scope: Scope, tickers: Option<&[Ticker]>, tick: DateTime<Utc>) -> String {
    let time = tick.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let plain = format!("{}_{time}", job.name);
    if scope == job.scope && tickers.is_none() {
        return plain;
    }
    let mut tickers = tickers.unwrap_or_default().to_vec();
    tickers.sort_unstable();
    let hash = digest(job, scope, Some(&tickers), None, None, false);
    let short = hash.get(..TICK_DIGEST_CHARS).unwrap_or(&hash);
    format!("{plain}_{short}")
}

/// A digest of what was requested.
pub fn digest(
    job: &Job,
    scope: Scope,
    tickers: Option<&[Ticker]>,
    run_time: Option<DateTime<Utc>>,
    backfill: Option<Backfill>,
    force: bool,
) -> String {
    // A ticker may contain any visible character, but no line break.
    let tickers = tickers.map(|tickers| tickers.iter().map(Ticker::as_str).collect::<Vec<_>>().join("\n"));
    let mut text = format!("{}\n{scope}\n{tickers:?}\n{run_time:?}", job.name);
    if let Some(Backfill { window, only, .. }) = backfill {
        text = format!("{text}\n{window}\n{}", only.name());
    }
    if force {
        text.push_str("\nforce");
    }
    format!("{:032x}", fnv1a_128(text.as_bytes()))
}
