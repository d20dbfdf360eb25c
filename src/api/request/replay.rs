//! The bodies of requests to take in stored answers once more.

use chrono::{DateTime, Days, NaiveTime, Utc};
use serde_json::{Map, Value as Json};

use super::body::time;
use super::fields::{excerpt, flag, members, reason, text};
use super::order;
use crate::api::problem::{FieldError, Problem};
use crate::catalogue::Job;

/// How to replay one run.
#[derive(Debug, PartialEq, Eq)]
pub struct ReplayOrder {
    pub dry_run: bool,
    pub reason: Option<String>,
}

/// Which runs to replay.
#[derive(Debug, PartialEq)]
pub struct ReplaysOrder {
    pub job: &'static Job,
    /// Created at this time or later, and before the other.
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub how: ReplayOrder,
}

/// Reads a request to replay one run.
pub fn parse_replay(body: &[u8]) -> Result<ReplayOrder, Problem> {
    let (members, mut errors) = (members(body)?, Vec::new());
    let how = how(&members, &mut errors);
    Problem::check(errors)?;
    Ok(how)
}

/// Reads a request to replay all runs of a job in some time.
pub fn parse_replays(body: &[u8]) -> Result<ReplaysOrder, Problem> {
    let (members, mut errors) = (members(body)?, Vec::new());
    let job = text(&members, "job", &mut errors);
    if job.is_none() && errors.is_empty() {
        errors.push(FieldError::new("job", "", "is missing: name the job whose runs are meant"));
    }
    let job = job.and_then(|name| order::job(name, &mut errors));
    let from = bound(&members, "from", false, &mut errors);
    let until = bound(&members, "to", true, &mut errors);
    if let (Some(from), Some(until)) = (from, until)
        && until <= from
    {
        errors.push(FieldError::new("to", until.to_rfc3339(), "is not after `from`"));
    }
    let how = how(&members, &mut errors);
    Problem::check(errors)?;
    match (job, from, until) {
        (Some(job), Some(from), Some(until)) => Ok(ReplaysOrder { job, from, until, how }),
        // Each of them has its error.
        _ => Err(Problem::invalid(Vec::new())),
    }
}

fn how(members: &Map<String, Json>, errors: &mut Vec<FieldError>) -> ReplayOrder {
    ReplayOrder { dry_run: flag(members, "dry_run", errors), reason: reason(members, errors) }
}

/// A time, or a day in UTC: from its begin, or to its end.
fn bound(
    members: &Map<String, Json>,
    name: &'static str,
    is_end: bool,
    errors: &mut Vec<FieldError>,
) -> Option<DateTime<Utc>> {
    let before = errors.len();
    let Some(given) = text(members, name, errors) else {
        if errors.len() == before {
            let message = "is missing: a day such as 2026-01-31, or a time such as 2026-01-31T18:00:00Z";
            errors.push(FieldError::new(name, "", message));
        }
        return None;
    };
    if given.len() != "2026-01-31".len() {
        return time(name, given, errors);
    }
    match crate::api::day::parse(given) {
        Ok(day) => {
            let day = if is_end { day.checked_add_days(Days::new(1)).unwrap_or(day) } else { day };
            Some(day.and_time(NaiveTime::MIN).and_utc())
        }
        Err(message) => {
            errors.push(FieldError::new(name, excerpt(given), message));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_of_days_or_of_times() {
        let read = |body: &str| parse_replays(body.as_bytes()).map_err(|problem| problem.detail);
        let days =
            read(r#"{"job": "tiingo-daily-prices", "from": "2026-11-01", "to": "2026-11-02"}"#).unwrap();
        assert_eq!(days.from.to_rfc3339(), "2026-11-01T00:00:00+00:00");
        assert_eq!(days.until.to_rfc3339(), "2026-11-03T00:00:00+00:00");
        assert_eq!((days.job.name, days.how.dry_run), ("tiingo-daily-prices", false));
        let times = read(
            r#"{"job": "tiingo-daily-prices", "from": "2026-11-01T10:00:00Z", "to": "2026-11-01T11:00:00Z",
                "dry_run": true, "reason": "the schema is mended"}"#,
        );
        let times = times.unwrap();
        assert_eq!((times.until - times.from).num_minutes(), 60);
        assert_eq!(times.how, ReplayOrder { dry_run: true, reason: Some("the schema is mended".to_owned()) });
    }

    #[test]
    fn what_is_wrong_with_a_range_is_named() {
        for (body, expect) in [
            ("{}", "job: is missing"),
            (r#"{"job": "x", "from": "2026-11-01", "to": "2026-11-02"}"#, "job `x`: is not a known job"),
            (r#"{"job": "tiingo-daily-prices", "to": "2026-11-02"}"#, "from: is missing"),
            (
                r#"{"job": "tiingo-daily-prices", "from": "2026-11-31", "to": "2026-12-02"}"#,
                "from `2026-11-31`: must be a day",
            ),
            (
                r#"{"job": "tiingo-daily-prices", "from": "2026-11-03", "to": "2026-11-02"}"#,
                "to `2026-11-03T00:00:00+00:00`: is not after `from`",
            ),
            (r#"{"job": "tiingo-daily-prices", "from": "soon", "to": "2026-11-02"}"#, "from `soon`: must be"),
        ] {
            let words = parse_replays(body.as_bytes()).unwrap_err().detail;
            assert!(words.starts_with(expect), "{words}");
        }
        assert_eq!(parse_replay(b"").unwrap(), ReplayOrder { dry_run: false, reason: None });
        assert!(parse_replay(br#"{"dry_run": "yes"}"#).is_err());
    }
}
