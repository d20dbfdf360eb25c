//! The bodies of orders.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde_json::{Map, Value as Json};

use super::body::time;
pub use super::fields::REASON_CHARS_MAX;
use super::fields::{excerpt, flag, members, reason, text};
use crate::api::problem::{FieldError, Problem};
use crate::catalogue::{self, Job};
use crate::run::Status;

/// How far ahead a pause may end, in days: one that is to last longer has no end, and an alert.
pub const PAUSE_DAYS_MAX: i64 = 90;
/// Runs that one order resumes, unless it asks for fewer or more.
pub const RESUMED_DEFAULT: usize = 20;
pub const RESUMED_MAX: usize = 100;
/// Statuses of runs that can be resumed together.
pub const RESUMABLE: [Status; 3] = [Status::Failed, Status::Partial, Status::Cancelled];

/// A pause.
#[derive(Debug, PartialEq, Eq)]
pub struct PauseOrder {
    pub reason: String,
    pub until: Option<DateTime<Utc>>,
}

/// Which runs are to be resumed.
#[derive(Debug, PartialEq, Eq)]
pub struct ResumeOrder {
    /// None only if nothing is to be done.
    pub reason: Option<String>,
    pub job: Option<&'static str>,
    pub status: Status,
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
    pub limit: usize,
    pub dry_run: bool,
}

/// The reason of an order that must have one.
pub fn parse_reason(body: &[u8]) -> Result<String, Problem> {
    let (members, mut errors) = (members(body)?, Vec::new());
    let reason = required_reason(&members, &mut errors);
    Problem::check(errors)?;
    Ok(reason)
}

/// The reason of an order that may go without, as it always could.
pub fn parse_optional_reason(body: &[u8]) -> Result<Option<String>, Problem> {
    let (members, mut errors) = (members(body)?, Vec::new());
    let reason = reason(&members, &mut errors);
    Problem::check(errors)?;
    Ok(reason)
}

/// Reads an order to pause a job.
pub fn parse_pause(body: &[u8], now: DateTime<Utc>) -> Result<PauseOrder, Problem> {
    let (members, mut errors) = (members(body)?, Vec::new());
    let reason = required_reason(&members, &mut errors);
    let until = moment(&members, "until", &mut errors);
    if let Some(until) = until {
        let value = || excerpt(members.get("until").and_then(Json::as_str).unwrap_or_default());
        if until <= now {
            let message = format!("is in the past: it is {} now", now.format("%Y-%m-%dT%H:%M:%SZ"));
            errors.push(FieldError::new("until", value(), message));
        } else if until - now > TimeDelta::days(PAUSE_DAYS_MAX) {
            let message =
                format!("is more than {PAUSE_DAYS_MAX} days ahead; leave it out for a pause without an end");
            errors.push(FieldError::new("until", value(), message));
        }
    }
    Problem::check(errors)?;
    Ok(PauseOrder { reason, until })
}

/// Reads an order to resume many runs.
pub fn parse_resume(body: &[u8]) -> Result<ResumeOrder, Problem> {
    let (members, mut errors) = (members(body)?, Vec::new());
    let dry_run = flag(&members, "dry_run", &mut errors);
    let reason =
        if dry_run { reason(&members, &mut errors) } else { Some(required_reason(&members, &mut errors)) };
    let job = text(&members, "job", &mut errors).and_then(|name| job(name, &mut errors)).map(|job| job.name);
    let status = text(&members, "status", &mut errors).map_or(Some(Status::Failed), |name| {
        let status = RESUMABLE.into_iter().find(|status| status.name() == name);
        if status.is_none() {
            let known = RESUMABLE.map(Status::name).join(", ");
            errors.push(FieldError::new("status", excerpt(name), format!("must be one of {known}")));
        }
        status
    });
    let (from, to) = (moment(&members, "from", &mut errors), moment(&members, "to", &mut errors));
    if let (Some(from), Some(to)) = (from, to)
        && to <= from
    {
        errors.push(FieldError::new("to", to.to_rfc3339(), "is not after `from`"));
    }
    let limit = limit(&members, &mut errors);
    Problem::check(errors)?;
    Ok(ResumeOrder { reason, job, status: status.unwrap_or(Status::Failed), from, to, limit, dry_run })
}

fn limit(members: &Map<String, Json>, errors: &mut Vec<FieldError>) -> usize {
    let Some(given) = members.get("limit").filter(|limit| !limit.is_null()) else { return RESUMED_DEFAULT };
    let limit = given.as_u64().and_then(|limit| usize::try_from(limit).ok());
    limit.filter(|limit| (1..=RESUMED_MAX).contains(limit)).unwrap_or_else(|| {
        let message = format!("must be a whole number from 1 to {RESUMED_MAX}");
        errors.push(FieldError::new("limit", excerpt(&given.to_string()), message));
        RESUMED_DEFAULT
    })
}

pub(super) fn job(name: &str, errors: &mut Vec<FieldError>) -> Option<&'static Job> {
    let job = catalogue::find(name);
    if job.is_none() {
        let message = format!("is not a known job; known jobs: {}", catalogue::job::names());
        errors.push(FieldError::new("job", excerpt(name), message));
    }
    job
}

/// A time, as precise as Firestore stores it.
fn moment(
    members: &Map<String, Json>,
    name: &'static str,
    errors: &mut Vec<FieldError>,
) -> Option<DateTime<Utc>> {
    let moment = text(members, name, errors).and_then(|text| time(name, text, errors));
    moment.map(|moment| moment.trunc_subsecs(6))
}

fn required_reason(members: &Map<String, Json>, errors: &mut Vec<FieldError>) -> String {
    let before = errors.len();
    let given = reason(members, errors);
    if given.is_none() && errors.len() == before {
        let message = format!(
            "is missing: say why, for those who look at it later (at most {REASON_CHARS_MAX} characters)"
        );
        errors.push(FieldError::new("reason", "", message));
    }
    given.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-26T14:00:00Z".parse().unwrap()
    }

    fn pause(body: &str) -> Result<PauseOrder, String> {
        parse_pause(body.as_bytes(), now()).map_err(|problem| problem.detail)
    }

    #[test]
    fn a_pause_has_a_reason_and_perhaps_an_end() {
        let open = pause(r#"{"reason": " key expired "}"#).unwrap();
        assert_eq!(open, PauseOrder { reason: "key expired".into(), until: None });
        let limited = pause(r#"{"reason": "r", "until": "2026-11-27T09:00:00-05:00"}"#).unwrap();
        assert_eq!(limited.until, Some("2026-11-27T14:00:00Z".parse().unwrap()));
        let latest = (now() + TimeDelta::days(PAUSE_DAYS_MAX)).to_rfc3339();
        assert!(pause(&format!(r#"{{"reason": "r", "until": "{latest}"}}"#)).is_ok());
    }

    #[test]
    fn what_is_wrong_with_a_pause_is_named_with_the_limit() {
        let long = format!(r#"{{"reason": "{}"}}"#, "x".repeat(501));
        for (body, expect) in [
            ("", "reason: is missing: say why"),
            (r#"{"reason": "  "}"#, "reason: is missing"),
            (r#"{"reason": 7}"#, "reason `7`: must be a string"),
            (&*long, "reason `xxx"),
            (
                r#"{"reason": "r", "until": "2026-11-26T14:00:00Z"}"#,
                "until `2026-11-26T14:00:00Z`: is in the past: it is 2026-11-26T14:00:00Z now",
            ),
            (
                r#"{"reason": "r", "until": "2027-02-24T14:00:01Z"}"#,
                "until `2027-02-24T14:00:01Z`: is more than 90 days",
            ),
            (r#"{"reason": "r", "until": "soon"}"#, "until `soon`: must be an RFC 3339 time"),
            ("[]", "body `[]`: must be a JSON object"),
        ] {
            let words = pause(body).unwrap_err();
            assert!(words.starts_with(expect), "{words}");
        }
        assert!(pause(&long).unwrap_err().ends_with("is 501 characters long, limit 500"));
    }

    #[test]
    fn a_reason_may_be_left_out_where_it_always_could() {
        let reason = |body: &str| parse_optional_reason(body.as_bytes()).map_err(|problem| problem.detail);
        assert_eq!(reason(""), Ok(None));
        assert_eq!(reason("{}"), Ok(None));
        assert_eq!(reason(r#"{"reason": "again"}"#), Ok(Some("again".into())));
        assert!(reason("again").unwrap_err().starts_with("body: is not valid JSON"));
    }

    #[test]
    fn runs_are_resumed_by_a_filter() {
        let read = |body: &str| parse_resume(body.as_bytes()).map_err(|problem| problem.detail);
        let all = read(r#"{"dry_run": true}"#).unwrap();
        assert_eq!((all.status, all.limit, all.reason, all.dry_run), (Status::Failed, 20, None, true));
        let some = read(
            r#"{"reason": "r", "job": "tiingo-daily-prices", "status": "cancelled",
                "from": "2026-11-01T00:00:00Z", "to": "2026-11-02T00:00:00Z", "limit": 100}"#,
        );
        let some = some.unwrap();
        assert_eq!(
            (some.job, some.status, some.limit),
            (Some("tiingo-daily-prices"), Status::Cancelled, 100)
        );
        for (body, expect) in [
            ("{}", "reason: is missing"),
            (r#"{"dry_run": 1}"#, "dry_run `1`: must be true or false"),
            (r#"{"dry_run": true, "job": "x"}"#, "job `x`: is not a known job"),
            (
                r#"{"dry_run": true, "status": "skipped"}"#,
                "status `skipped`: must be one of failed, partial, cancelled",
            ),
            (r#"{"dry_run": true, "limit": 101}"#, "limit `101`: must be a whole number from 1 to 100"),
            (
                r#"{"dry_run": true, "from": "2026-11-02T00:00:00Z", "to": "2026-11-02T00:00:00Z"}"#,
                "to `2026-11-02T00:00:00+00:00`: is not after `from`",
            ),
        ] {
            let words = read(body).unwrap_err();
            assert!(words.starts_with(expect), "{words}");
        }
    }
}
