//! The fields of a request for past days.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Map, Value as Json};

use super::fields::{excerpt, flag, reason, text};
use crate::api::problem::{FieldError, Problem};
use crate::calendar::new_york::to_new_york;
use crate::catalogue::{self, Job};
use crate::run::backfill::Only;
use crate::run::{Backfill, Window};

/// What was given of it.
#[derive(Debug, Default)]
pub struct Past {
    pub from: Option<NaiveDate>,
    pub to: Option<NaiveDate>,
    pub only: Option<Only>,
    pub dry_run: bool,
    /// Why it is requested.
    pub reason: Option<String>,
}

impl Past {
    pub(super) fn parse(members: &Map<String, Json>, errors: &mut Vec<FieldError>) -> Self {
        let mut day = |name| text(members, name, errors).and_then(|text| day(name, text, errors));
        let (from, to) = (day("from"), day("to"));
        let only = text(members, "only", errors).and_then(|name| {
            let only = Only::parse(name);
            if only.is_none() {
                let known = Only::ALL.map(Only::name).join(", ");
                errors.push(FieldError::new("only", excerpt(name), format!("must be one of {known}")));
            }
            only
        });
        let dry_run = flag(members, "dry_run", errors);
        let reason = reason(members, errors);
        Self { from, to, only, dry_run, reason }
    }
}

fn day(name: &'static str, text: &str, errors: &mut Vec<FieldError>) -> Option<NaiveDate> {
    let wrong = |message| errors.push(FieldError::new(name, excerpt(text), message));
    crate::api::day::parse(text).map_err(wrong).ok()
}

/// The days that are requested; none if current data is.
pub(super) fn past_days(job: &Job, past: &Past, now: DateTime<Utc>) -> Result<Option<Backfill>, Problem> {
    let wrong = |field: &str, value: String, message: String| {
        Err(Problem::invalid(vec![FieldError::new(field.to_owned(), value, message)]))
    };
    let today = to_new_york(now).date();
    let Some(from) = past.from else {
        let others = [("to", past.to.is_some()), ("only", past.only.is_some()), ("dry_run", past.dry_run)];
        return match others.into_iter().find(|(_, is_given)| *is_given) {
            Some((other, _)) => {
                wrong("from", String::new(), format!("is missing: with {other}, a backfill is requested"))
            }
            None => Ok(None),
        };
    };
    if job.endpoints.iter().all(|endpoint| endpoint.window.is_none()) {
        let able = catalogue::jobs().filter(|job| job.endpoints.iter().any(|known| known.window.is_some()));
        let able: Vec<_> = able.map(|job| job.name).collect();
        let message = format!(
            "{} cannot be run for past days, because its provider takes no dates; jobs that can: {}",
            job.name,
            able.join(", ")
        );
        return wrong("from", from.to_string(), message);
    }
    let to = past.to.unwrap_or(today);
    for (field, day) in [("from", from), ("to", to)] {
        if day > today {
            return wrong(field, day.to_string(), format!("must not be after today, {today} in New York"));
        }
    }
    if from > to {
        return wrong("from", from.to_string(), format!("must not be after to, {to}"));
    }
    Ok(Some(Backfill { window: Window { from, to }, only: past.only.unwrap_or_default(), insists: false }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(job: &str, body: &str) -> Result<Option<Backfill>, Vec<(String, String)>> {
        let told = |problem: Problem| {
            let errors = problem.errors.into_iter();
            errors.map(|error| (error.field.into_owned(), error.message)).collect::<Vec<_>>()
        };
        let now = "2026-11-26T20:00:00Z".parse().unwrap();
        let body = super::super::Body::parse(body.as_bytes()).map_err(told)?;
        past_days(catalogue::find(job).unwrap(), &body.past, now).map_err(told)
    }

    fn wrong(job: &str, body: &str) -> (String, String) {
        let errors = check(job, body).unwrap_err();
        errors.into_iter().next().unwrap()
    }

    const PRICES: &str = "tiingo-daily-prices";

    #[test]
    fn days_are_read_and_the_last_is_today_unless_given() {
        let given = check(PRICES, r#"{"from": "2026-11-02", "to": "2026-11-20", "only": "all"}"#);
        let window = crate::run::window::tests::window("2026-11-02", "2026-11-20");
        assert_eq!(given, Ok(Some(Backfill { window, only: Only::All, insists: false })));
        let open = check(PRICES, r#"{"from": "2026-11-02", "dry_run": true}"#).unwrap().unwrap();
        assert_eq!((open.window.to.to_string().as_str(), open.only), ("2026-11-26", Only::Missing));
        assert_eq!(check(PRICES, r#"{"dry_run": false, "only": null}"#), Ok(None));
    }

    #[test]
    fn what_cannot_be_requested_is_named() {
        for (job, body, field, message) in [
            (PRICES, r#"{"from": "2026-1-2"}"#, "from", "must be a day, YYYY-MM-DD, from 2010 to 2099"),
            (PRICES, r#"{"from": "2026-02-30"}"#, "from", "must be a day, YYYY-MM-DD, from 2010 to 2099"),
            (PRICES, r#"{"from": 20260102}"#, "from", "must be a string"),
            (PRICES, r#"{"from": "2009-12-31"}"#, "from", "must be a day, YYYY-MM-DD, from 2010 to 2099"),
            (PRICES, r#"{"from": "2026-11-27"}"#, "from", "must not be after today, 2026-11-26 in New York"),
            (
                PRICES,
                r#"{"from": "2026-11-02", "to": "2026-11-27"}"#,
                "to",
                "must not be after today, 2026-11-26 in New York",
            ),
            (
                PRICES,
                r#"{"from": "2026-11-03", "to": "2026-11-02"}"#,
                "from",
                "must not be after to, 2026-11-02",
            ),
            (
                PRICES,
                r#"{"from": "2026-11-03", "only": "holes"}"#,
                "only",
                "must be one of missing, failed, empty, all",
            ),
            (PRICES, r#"{"from": "2026-11-03", "dry_run": "yes"}"#, "dry_run", "must be true or false"),
            (PRICES, r#"{"to": "2026-11-03"}"#, "from", "is missing: with to, a backfill is requested"),
            (PRICES, r#"{"dry_run": true}"#, "from", "is missing: with dry_run, a backfill is requested"),
        ] {
            assert_eq!(wrong(job, body), (field.to_owned(), message.to_owned()), "{body}");
        }
        let (field, message) = wrong("finnhub-quote-portfolio", r#"{"from": "2026-11-03"}"#);
        assert_eq!(field, "from");
        assert!(
            message.starts_with(
                "finnhub-quote-portfolio cannot be run for past days, because its provider takes no dates; \
                 jobs that can: tiingo-daily-prices,"
            ),
            "{message}"
        );
    }
}
