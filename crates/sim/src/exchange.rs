//! When the exchange is open, from a source that knows nothing of the orchestrator's own calendar.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Datelike, NaiveDate, Utc, Weekday};
use exchange_hours::{Exchange, ExchangeCalendar, SessionKind};

/// The sessions that have closed by `at`, the latest first, each with its close.
///
/// The table ends in 2028; every weekday after it counts as a whole session.
pub(crate) fn closed_by(at: DateTime<Utc>) -> impl Iterator<Item = (NaiveDate, DateTime<Utc>)> {
    let days = std::iter::successors(Some(at.date_naive()), NaiveDate::pred_opt);
    days.filter_map(session).map(|(date, _, close)| (date, close)).filter(move |(_, close)| *close <= at)
}

/// When the market last traded: at `at` itself if it is open, else at the last close.
pub(crate) fn last_traded(at: DateTime<Utc>) -> DateTime<Utc> {
    let is_open = session(at.date_naive()).is_some_and(|(_, open, close)| open <= at && at < close);
    let last_close = || closed_by(at).next().map_or(at, |(_, close)| close);
    if is_open { at } else { last_close() }
}

/// Open and close of a day's session.
type Session = (NaiveDate, DateTime<Utc>, DateTime<Utc>);

/// The session of a day. Each is looked up once: a year of prices needs all of them.
fn session(date: NaiveDate) -> Option<Session> {
    static KNOWN: Mutex<BTreeMap<NaiveDate, Option<Session>>> = Mutex::new(BTreeMap::new());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    *known.entry(date).or_insert_with(|| look_up(date))
}

fn look_up(date: NaiveDate) -> Option<Session> {
    let at = |hour, minute| Some(date.and_hms_opt(hour, minute, 0)?.and_utc());
    let nyse = ExchangeCalendar::new(Exchange::Nyse).with_last_known_week();
    match nyse.session_bounds_with(at(8, 0)?, SessionKind::Regular) {
        Ok(bounds) => {
            let (open, close) = bounds?;
            (open.date_naive() == date).then_some((date, open, close))
        }
        Err(_) if matches!(date.weekday(), Weekday::Sat | Weekday::Sun) => None,
        Err(_) => Some((date, at(14, 30)?, at(21, 0)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    #[test]
    fn holidays_and_weekends_have_no_session() {
        let days: Vec<_> =
            closed_by(at("2026-11-29T12:00:00Z")).take(3).map(|(date, _)| date.to_string()).collect();
        assert_eq!(days, ["2026-11-27", "2026-11-25", "2026-11-24"]);
        assert_eq!(last_traded(at("2026-11-26T17:00:00Z")), at("2026-11-25T21:00:00Z"));
        assert_eq!(last_traded(at("2026-11-27T18:30:00Z")), at("2026-11-27T18:00:00Z"), "an early close");
        assert_eq!(last_traded(at("2026-11-25T17:00:00Z")), at("2026-11-25T17:00:00Z"));
    }

    #[test]
    fn beyond_the_table_every_weekday_is_a_session() {
        assert!(session("2045-03-06".parse().expect("a day")).is_some());
        assert!(session("2045-03-05".parse().expect("a day")).is_none());
    }
}
