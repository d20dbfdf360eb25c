//! From headers and body to a typed trigger.

mod body;
mod fields;
pub mod order;
mod past;
pub mod replay;

use chrono::{DateTime, Datelike, SecondsFormat, TimeDelta, Utc};
use http::HeaderMap;

use crate::api::problem::{FieldError, Problem};
use crate::base::id::new_uuid;
use crate::base::world::World;
use crate::calendar::FIRST_YEAR;
use crate::catalogue::{self, Job, Scope};
use crate::run::trigger::{digest, tick_id};
use crate::run::{Source, Trigger};
pub use body::Body;
pub(super) use body::time;
use past::past_days;

/// Maximum bytes of a request body.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// Longest idempotency key, in bytes.
const KEY_BYTES_MAX: usize = 255;
/// A schedule time this far ahead of our clock still counts as a current tick.
const TICK_AHEAD_MAX: TimeDelta = TimeDelta::seconds(30);

/// A run may be for a time this far ahead: clocks and time zones differ, but no provider has data of the future.
const RUN_TIME_AHEAD_MAX: TimeDelta = TimeDelta::days(1);

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
        match catalogue::find(name) {
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
            format!("is missing; known jobs: {}", catalogue::job::names()),
        )]));
    };
    let job = catalogue::find(name).ok_or_else(|| unknown_job(name))?;
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
        fields::excerpt(name),
        catalogue::job::names()
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
    if let Some(run_time) = body.run_time {
        check_run_time(run_time, now)?;
    }
    let backfill = past_days(job, &body.past, now)?;
    let given = digest(job, scope, tickers.as_deref(), body.run_time, backfill, body.force);
    let tick = schedule_time(headers, now);
    let key = idempotency_key(headers)?;
    let source = if backfill.is_some() { Source::Backfill } else { Source::Manual };
    let (run_id, source, digest) = match (tick, key) {
        (Some(tick), _) if backfill.is_some() => {
            let id = format!("{}_backfill", tick_id(job, scope, tickers.as_deref(), tick));
            (id, Source::Backfill, given)
        }
        (Some(tick), _) => {
            let id = tick_id(job, scope, tickers.as_deref(), tick);
            (id, Source::Scheduler, "tick".to_owned())
        }
        (None, Some(key)) => (format!("{}_key_{key}", job.name), source, given),
        (None, None) => (new_uuid(world), source, given),
    };
    let run_time = body.run_time.or(tick).unwrap_or(now);
    // A backfill is no tick: nothing waits for its data, and it covers no schedule time.
    let tick = tick.filter(|_| backfill.is_none());
    let (force, dry_run, reason) = (body.force, body.past.dry_run, body.past.reason);
    Ok(Trigger {
        job,
        scope,
        tickers,
        run_time,
        backfill,
        force,
        dry_run,
        reason,
        run_id,
        source,
        tick,
        digest,
    })
}

/// The providers have no data of a time that is far away, and the calendar of sessions no days before it begins.
fn check_run_time(run_time: DateTime<Utc>, now: DateTime<Utc>) -> Result<(), Problem> {
    let text = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
    let latest = now + RUN_TIME_AHEAD_MAX;
    let is_early = run_time.year() < FIRST_YEAR;
    if !is_early && run_time <= latest {
        return Ok(());
    }
    let message = if is_early {
        format!("must not be before {FIRST_YEAR}-01-01, where the calendar of sessions begins")
    } else {
        format!("must not be more than a day ahead: {} at the latest", text(latest))
    };
    Err(Problem::invalid(vec![FieldError::new("run_time", text(run_time), message)]))
}

/// The tick's time, the same on every retry. A manually forced run may carry the time of the
/// *next* tick: if it counted as that tick, the tick itself would be skipped.
fn schedule_time(headers: &HeaderMap, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let text = headers.get("x-cloudscheduler-scheduletime")?.to_str().ok()?;
    let time = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    (time <= now + TICK_AHEAD_MAX).then_some(time)
}

pub(super) fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().unwrap_or_default().trim();
    // No spaces: the key becomes part of the run ID, which appears in URLs and is searched for in logs.
    if key.is_empty() || key.len() > KEY_BYTES_MAX || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        let message =
            format!("must be 1 to {KEY_BYTES_MAX} visible ASCII characters, is {} bytes long", value.len());
        return Err(Problem::invalid(vec![FieldError::new("Idempotency-Key", "", message)]));
    }
    Ok(Some(key.to_owned()))
}

#[cfg(test)]
mod tests;
