//! The calendar of sessions, for people and tools.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Days, NaiveDate, Utc};
use http::{StatusCode, Uri};
use serde::Serialize;
use url::form_urlencoded;

use super::answer::json;
use crate::api::problem::{FieldError, Problem};
use crate::app::App;
use crate::calendar::new_york::{in_new_york, to_new_york};
use crate::calendar::{Calendar, Session};

/// Most days in one response: a year, about 20 KB.
pub(super) const DAYS_MAX: u64 = 366;
/// Days in a response, unless the caller says until when.
pub(super) const DAYS_DEFAULT: u64 = 30;

/// The sessions of some days.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Sessions {
    sessions: Vec<SessionView>,
}

/// A trading day of US equities.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Debug, PartialEq, Eq, Serialize)]
struct SessionView {
    /// `YYYY-MM-DD`
    date: String,
    /// New York's time and offset, RFC 3339.
    open: String,
    /// Usually 16:00 in New York, on some days earlier.
    close: String,
}

pub(super) async fn list(State(app): State<Arc<App>>, uri: Uri) -> Response {
    match sessions(&app.config.ticks.calendar, uri.query().unwrap_or_default(), app.engine.world.clock.now())
    {
        Ok(sessions) => json(StatusCode::OK, &sessions),
        Err(problem) => problem.into_response(),
    }
}

fn sessions(calendar: &Calendar, query: &str, now: DateTime<Utc>) -> Result<Sessions, Problem> {
    let (from, to) = range(query, to_new_york(now).date())?;
    Ok(Sessions { sessions: calendar.sessions(from..=to).filter_map(|session| view(&session)).collect() })
}

fn view(session: &Session) -> Option<SessionView> {
    Some(SessionView {
        date: session.date.to_string(),
        open: in_new_york(session.open)?.to_rfc3339(),
        close: in_new_york(session.close)?.to_rfc3339(),
    })
}

/// The days that a query asks for; unknown parameters are ignored.
fn range(query: &str, today: NaiveDate) -> Result<(NaiveDate, NaiveDate), Problem> {
    let (mut from, mut to) = (None, None);
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let place = match &*name {
            "from" => &mut from,
            "to" => &mut to,
            _ => continue,
        };
        if place.replace(day(&name, &value)?).is_some() {
            return Err(invalid(&name, "", "is given more than once".to_owned()));
        }
    }
    let from = from.unwrap_or(today);
    let after = |days| from.checked_add_days(Days::new(days)).unwrap_or(from);
    let to = to.unwrap_or_else(|| after(DAYS_DEFAULT));
    if to < from {
        return Err(invalid("to", &to.to_string(), format!("is before the first day, {from}")));
    }
    if to >= after(DAYS_MAX) {
        let message = format!("is more than {DAYS_MAX} days from the first day, {from}, on: ask in parts");
        return Err(invalid("to", &to.to_string(), message));
    }
    Ok((from, to))
}

/// The day that a parameter of a query names.
pub(super) fn day(name: &str, text: &str) -> Result<NaiveDate, Problem> {
    super::day::parse(text).map_err(|message| invalid(name, text, message))
}

fn invalid(name: &str, value: &str, message: String) -> Problem {
    Problem::invalid(vec![FieldError::new(name.to_owned(), value, message)])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is answered at nine in the morning of Thanksgiving Day 2026, as JSON.
    fn answer(query: &str) -> Result<serde_json::Value, String> {
        let now = "2026-11-26T14:00:00Z".parse().unwrap();
        let sessions = sessions(&Calendar::default(), query, now).map_err(|problem| problem.detail)?;
        Ok(serde_json::to_value(sessions).unwrap())
    }

    fn dates(query: &str) -> Vec<String> {
        let answer = answer(query).unwrap();
        let sessions = answer["sessions"].as_array().unwrap();
        sessions.iter().map(|session| session["date"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn sessions_have_new_yorks_times() {
        let expect = serde_json::json!({"sessions": [
            {"date": "2026-11-25", "open": "2026-11-25T09:30:00-05:00", "close": "2026-11-25T16:00:00-05:00"},
            {"date": "2026-11-27", "open": "2026-11-27T09:30:00-05:00", "close": "2026-11-27T13:00:00-05:00"},
        ]});
        assert_eq!(answer("from=2026-11-25&to=2026-11-29"), Ok(expect));
        let summer = answer("from=2026-07-02&to=2026-07-02").unwrap();
        assert_eq!(summer["sessions"][0]["open"], "2026-07-02T09:30:00-04:00");
    }

    #[test]
    fn without_a_range_it_is_the_next_thirty_days() {
        let days = dates("");
        assert_eq!(
            (days.first().unwrap().as_str(), days.last().unwrap().as_str()),
            ("2026-11-27", "2026-12-24")
        );
        assert_eq!(dates("to=2026-11-27"), ["2026-11-27"]);
        assert_eq!(dates("from=2027-01-01").len(), 19);
    }

    #[test]
    fn a_wrong_range_is_told() {
        let error = |query| answer(query).unwrap_err();
        let day = "must be a day, YYYY-MM-DD, from 2010 to 2099";
        assert_eq!(error("from=yesterday"), format!("from `yesterday`: {day}"));
        assert_eq!(error("to=2009-12-31"), format!("to `2009-12-31`: {day}"));
        assert_eq!(error("from=2027-01-01&to=2100-01-01"), format!("to `2100-01-01`: {day}"));
        assert_eq!(error("to=2026-11-25"), "to `2026-11-25`: is before the first day, 2026-11-26");
        assert_eq!(error("from=2026-01-01&from=2026-01-01"), "from: is given more than once");
        assert_eq!(dates("from=2028-01-01&to=2028-12-31").len(), 251);
        assert_eq!(
            error("from=2028-01-01&to=2029-01-01"),
            "to `2029-01-01`: is more than 366 days from the first day, 2028-01-01, on: ask in parts"
        );
    }
}
