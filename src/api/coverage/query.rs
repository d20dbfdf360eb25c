//! Which dataset and which days a request is about.

use std::ops::RangeInclusive;

use chrono::{DateTime, Days, NaiveDate, Utc};
use url::form_urlencoded;

use super::{known_datasets, no_dataset};
use crate::api::calendar::day as parse_day;
use crate::api::problem::{FieldError, Problem};
use crate::app::App;
use crate::calendar::Calendar;
use crate::calendar::new_york::to_new_york;
use crate::catalogue::{self, Dataset};
use crate::ledger::coverage::days::Follows;
use crate::ops::coverage::latest_day;

/// Most sessions, or days, in one request.
pub(in crate::api) const SESSIONS_MAX: usize = 400;
/// Sessions, or days, unless the caller says since when.
pub(in crate::api) const SESSIONS_DEFAULT: usize = 30;

/// A dataset and some days.
#[derive(Debug)]
pub(super) struct DaysQuery {
    pub dataset: &'static Dataset,
    pub days: RangeInclusive<NaiveDate>,
}

impl DaysQuery {
    /// Reads a query; unknown parameters are ignored.
    pub(super) fn parse(text: &str, app: &App) -> Result<Self, Problem> {
        read(text, &app.config.ticks.calendar, app.engine.world.clock.now())
    }
}

fn read(text: &str, calendar: &Calendar, now: DateTime<Utc>) -> Result<DaysQuery, Problem> {
    let (mut dataset, mut from, mut to) = (None, None, None);
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        let is_again = match &*name {
            "dataset" => dataset.replace(known(&value)?).is_some(),
            "from" => from.replace(parse_day("from", &value)?).is_some(),
            "to" => to.replace(parse_day("to", &value)?).is_some(),
            _ => false,
        };
        if is_again {
            return Err(invalid(name.into_owned(), "", "is given more than once"));
        }
    }
    let Some(dataset) = dataset else {
        return Err(invalid("dataset", "", format!("is missing; known datasets: {}", known_datasets())));
    };
    let follows = Follows::of(dataset);
    let latest = latest_day(dataset, calendar, now).unwrap_or_else(|| to_new_york(now).date());
    let to = to.unwrap_or_else(|| from.map_or(latest, |from| latest.max(from)));
    let from = from.unwrap_or_else(|| back(follows, calendar, to, SESSIONS_DEFAULT));
    if to < from {
        return Err(invalid("to", to.to_string(), format!("is before the first day, {from}")));
    }
    let count = follows.days(calendar, from..=to).len();
    if count > SESSIONS_MAX {
        let what = if follows.has_sessions() { "sessions" } else { "days" };
        let message = format!("makes {count} {what} from {from} on, limit {SESSIONS_MAX}: ask in parts");
        return Err(invalid("to", to.to_string(), message));
    }
    Ok(DaysQuery { dataset, days: from..=to })
}

/// The first of this many sessions, or days, up to this one.
pub(super) fn back(follows: Follows, calendar: &Calendar, to: NaiveDate, count: usize) -> NaiveDate {
    let mut first = to;
    for _ in 1..count {
        let before = if follows.has_sessions() {
            calendar.previous_session(first).map(|session| session.date)
        } else {
            first.checked_sub_days(Days::new(1))
        };
        first = before.unwrap_or(first);
    }
    first
}

fn known(name: &str) -> Result<&'static Dataset, Problem> {
    let message = || format!("is not a known dataset; known datasets: {}", known_datasets());
    catalogue::find_dataset(name).ok_or_else(|| invalid("dataset", excerpt(name), message()))
}

/// The day that a path names.
pub(super) fn day(
    dataset: &str,
    date: &str,
    calendar: &Calendar,
) -> Result<(&'static Dataset, NaiveDate), Problem> {
    let known = catalogue::find_dataset(dataset).ok_or_else(|| no_dataset(&excerpt(dataset)))?;
    let date = parse_day("date", date)?;
    match calendar.closed_reason(date) {
        Some(reason) if Follows::of(known).has_sessions() => Err(Problem::not_found(format!(
            "no session on {date}: {reason}; GET /calendar lists the sessions"
        ))),
        _ => Ok((known, date)),
    }
}

/// There is nothing to count for such a dataset.
pub(super) fn no_sessions(dataset: &Dataset) -> Problem {
    let message =
        "has no sessions: its records are not of the day of their run, so there is nothing to count";
    invalid("dataset", dataset.name, message)
}

fn invalid(
    field: impl Into<std::borrow::Cow<'static, str>>,
    value: impl Into<String>,
    message: impl Into<String>,
) -> Problem {
    Problem::invalid(vec![FieldError::new(field, value, message)])
}

fn excerpt(text: &str) -> String {
    crate::base::text::excerpt(text, 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str) -> Result<String, String> {
        let now = "2026-11-24T15:00:00Z".parse().unwrap();
        let query = read(text, &Calendar::default(), now).map_err(|problem| problem.detail)?;
        Ok(format!("{} {} {}", query.dataset.name, query.days.start(), query.days.end()))
    }

    #[test]
    fn a_grid_is_of_the_last_thirty_sessions_or_days() {
        assert_eq!(asked("dataset=daily_prices").unwrap(), "daily_prices 2026-10-13 2026-11-23");
        assert_eq!(asked("dataset=market_news").unwrap(), "market_news 2026-10-26 2026-11-24");
        assert_eq!(
            asked("dataset=quotes&from=2026-01-02&to=2026-01-30&x=1").unwrap(),
            "quotes 2026-01-02 2026-01-30"
        );
        assert_eq!(asked("dataset=quotes&from=2026-12-01").unwrap(), "quotes 2026-12-01 2026-12-01");
    }

    #[test]
    fn what_is_wrong_with_a_question_is_named_with_the_limit() {
        for (text, expect) in [
            ("", "dataset: is missing; known datasets: daily_prices, quotes"),
            ("dataset=x", "dataset `x`: is not a known dataset; known datasets: daily_prices"),
            ("dataset=quotes&dataset=quotes", "dataset: is given more than once"),
            ("dataset=quotes&from=soon", "from `soon`: must be a day, YYYY-MM-DD"),
            (
                "dataset=quotes&from=2026-11-03&to=2026-11-02",
                "to `2026-11-02`: is before the first day, 2026-11-03",
            ),
            (
                "dataset=market_news&from=2025-01-01&to=2026-02-10",
                "to `2026-02-10`: makes 406 days from 2025-01-01 on, limit 400: ask in parts",
            ),
        ] {
            let words = asked(text).unwrap_err();
            assert!(words.starts_with(expect), "{words}");
        }
    }

    #[test]
    fn a_path_names_a_session_of_a_known_dataset() {
        let told = |dataset, date| day(dataset, date, &Calendar::default()).map(|(_, date)| date.to_string());
        assert_eq!(told("daily_prices", "2026-11-25").unwrap(), "2026-11-25");
        assert_eq!(told("market_news", "2026-11-26").unwrap(), "2026-11-26");
        let closed = told("daily_prices", "2026-11-26").unwrap_err();
        assert_eq!((closed.status.as_u16(), &closed.detail[..29]), (404, "no session on 2026-11-26: Tha"));
        assert_eq!(told("prices", "2026-11-25").unwrap_err().status.as_u16(), 404);
        assert_eq!(told("daily_prices", "today").unwrap_err().status.as_u16(), 422);
    }
}
