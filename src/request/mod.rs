//! From headers and body to a typed trigger.

mod body;
pub mod problem;

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use http::HeaderMap;

use crate::connections::LastCalls;
use crate::firestore::path::fnv1a_128;
use crate::job::{self, Job, Scope, Ticker};
use crate::ledger::new_uuid;
use crate::ports::World;
use crate::run::{self, Counts, Resources, RunState, Status, WatchlistProblems};
use crate::telemetry::context;
pub use body::Body;
use problem::{FieldError, Problem};

/// Maximum bytes of a request body.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// Longest idempotency key, in bytes.
const KEY_BYTES_MAX: usize = 255;
/// Hexadecimal digits that distinguish two jobs in one minute: 64 bits, so no two collide by chance.
const TICK_DIGEST_CHARS: usize = 16;
/// A schedule time this far ahead of our clock still counts as a current tick.
const TICK_AHEAD_MAX: TimeDelta = TimeDelta::seconds(30);

/// A valid request for a run.
#[derive(Clone, Debug)]
pub struct Trigger {
    pub job: &'static Job,
    pub scope: Scope,
    pub tickers: Option<Vec<Ticker>>,
    pub run_time: DateTime<Utc>,
    pub run_id: String,
    pub source: run::Trigger,
    /// The scheduled time, if it is a tick.
    tick: Option<DateTime<Utc>>,
    digest: String,
}

/// Reads a request to a job's own route.
pub fn parse_job(
    job: &'static Job,
    headers: &HeaderMap,
    body: &[u8],
    world: &World,
) -> Result<Trigger, Problem> {
    let body = Body::parse(body)?;
    let mut errors = Vec::new();
    if let Some(name) = &body.job
        && name != job.name
    {
        match job::find(name) {
            Some(_) => errors.push(FieldError::new("job", name, format!("this route runs {}", job.name))),
            None => return Err(unknown_job(name)),
        }
    }
    if let Some(scope) = body.scope
        && scope != job.scope
    {
        errors.push(FieldError::new("scope", scope.name(), format!("{} covers {}", job.name, job.scope)));
    }
    Problem::check(errors)?;
    trigger(job, job.scope, body, headers, world)
}

/// Reads a request to run any job by name; the scope may differ from the job's.
pub fn parse_manual(headers: &HeaderMap, body: &[u8], world: &World) -> Result<Trigger, Problem> {
    let body = Body::parse(body)?;
    let Some(name) = &body.job else {
        return Err(Problem::invalid(vec![FieldError::new(
            "job",
            "",
            format!("is missing; known jobs: {}", job::catalogue::names()),
        )]));
    };
    let job = job::find(name).ok_or_else(|| unknown_job(name))?;
    let scope = body.scope.unwrap_or(job.scope);
    if (scope == Scope::None) != (job.scope == Scope::None) {
        let message = format!("{} cannot run with this scope; its own is {}", job.name, job.scope);
        return Err(Problem::invalid(vec![FieldError::new("scope", scope.name(), message)]));
    }
    trigger(job, scope, body, headers, world)
}

fn unknown_job(name: &str) -> Problem {
    Problem::unknown_job(&format!(
        "unknown job `{}`; known jobs: {}",
        body::excerpt(name),
        job::catalogue::names()
    ))
}

fn trigger(
    job: &'static Job,
    scope: Scope,
    body: Body,
    headers: &HeaderMap,
    world: &World,
) -> Result<Trigger, Problem> {
    let tickers = body.tickers.filter(|tickers| !tickers.is_empty());
    if scope == Scope::None
        && let Some(tickers) = &tickers
    {
        let message = format!("{} takes no tickers, but {} were given", job.name, tickers.len());
        return Err(Problem::invalid(vec![FieldError::new("tickers", "", message)]));
    }
    let now = world.clock.now();
    let given = digest(job, scope, tickers.as_deref(), body.run_time);
    let tick = schedule_time(headers, now);
    let key = idempotency_key(headers)?;
    let (run_id, source, digest) = match (tick, key) {
        (Some(tick), _) => {
            let id = tick_id(job, scope, tickers.as_deref(), tick);
            (id, run::Trigger::Scheduler, "tick".to_owned())
        }
        (None, Some(key)) => (format!("{}_key_{key}", job.name), run::Trigger::Manual, given),
        (None, None) => (new_uuid(world), run::Trigger::Manual, given),
    };
    let run_time = body.run_time.or(tick).unwrap_or(now);
    Ok(Trigger { job, scope, tickers, run_time, run_id, source, tick, digest })
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
    let hash = digest(job, scope, Some(&tickers), None);
    let short = hash.get(..TICK_DIGEST_CHARS).unwrap_or(&hash);
    format!("{plain}_{short}")
}

/// The tick's time, the same on every retry. A manually forced run may carry the time of the
/// *next* tick: if it counted as that tick, the tick itself would be skipped.
fn schedule_time(headers: &HeaderMap, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let text = headers.get("x-cloudscheduler-scheduletime")?.to_str().ok()?;
    let time = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    (time <= now + TICK_AHEAD_MAX).then_some(time)
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().unwrap_or_default().trim();
    // No blanks: the key becomes a part of the run's id, which stands in addresses and is searched for in logs.
    if key.is_empty() || key.len() > KEY_BYTES_MAX || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        let message =
            format!("must be 1 to {KEY_BYTES_MAX} visible ASCII characters, is {} bytes long", value.len());
        return Err(Problem::invalid(vec![FieldError::new("Idempotency-Key", "", message)]));
    }
    Ok(Some(key.to_owned()))
}

fn digest(job: &Job, scope: Scope, tickers: Option<&[Ticker]>, run_time: Option<DateTime<Utc>>) -> String {
    // A ticker may have any character that can be seen, but no line break.
    let tickers = tickers.map(|tickers| tickers.iter().map(Ticker::as_str).collect::<Vec<_>>().join("\n"));
    format!("{:032x}", fnv1a_128(format!("{}\n{scope}\n{tickers:?}\n{run_time:?}", job.name).as_bytes()))
}

impl Trigger {
    /// The run as it starts.
    pub fn into_state(self, now: DateTime<Utc>) -> RunState {
        // Firestore keeps microseconds; what is compared with its times must not be finer.
        let now = now.trunc_subsecs(6);
        RunState {
            run_id: self.run_id,
            job: self.job.name.to_owned(),
            scope: self.scope.name().to_owned(),
            trigger: self.source,
            run_time: self.run_time.to_rfc3339_opts(SecondsFormat::AutoSi, true),
            request_digest: self.digest,
            tickers_given: self.tickers,
            status: Status::Running,
            scheduled_at: self.tick,
            attempt: 1,
            created_at: now,
            started_at: now,
            ended_at: None,
            duration_ms: 0,
            planned: false,
            tickers_requested: 0,
            pending: Vec::new(),
            failed: Vec::new(),
            controls: BTreeMap::new(),
            account: None,
            counts: Counts::default(),
            remarks: Vec::new(),
            watchlist_problems: WatchlistProblems::default(),
            stopped: None,
            trace_id: context::current().map(|request| request.trace.trace_id()),
            resources: Resources::default(),
            last_calls: LastCalls::default(),
            counted: None,
        }
    }
}

#[cfg(test)]
mod tests;
