//! What an answer must contain for the time it was requested for: which records should exist.

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc};

use crate::base::time;
use crate::calendar::new_york::to_new_york;
use crate::calendar::{Calendar, Session};
use crate::catalogue::dataset::Expects;
use crate::catalogue::{Dataset, WindowParameters};
use crate::firestore::{Fields, Value};
use crate::run::{Outcome, Window};

/// A quote may be this old while the exchange is open, or this much older than the close.
const QUOTE_AGE_MAX: TimeDelta = TimeDelta::minutes(20);

/// What is expected of each ticker's records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// One of this day or later, in this field.
    Day(&'static str, NaiveDate),
    /// One of this time or later, in this field.
    Time(&'static str, DateTime<Utc>),
    Record,
    Nothing,
    /// Those of a range of days with so many sessions; this field says of when a record is.
    Window {
        window: Window,
        dated: &'static str,
        sessions: usize,
    },
}

/// Where a record lies that was requested by a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nearness {
    Inside,
    /// Outside, but services differ in what they count as the days at its ends.
    Near,
    Far,
}

impl Expectation {
    /// What a dataset's answers must contain at `tick`: the run's scheduled time, or the time it was requested for.
    pub fn new(dataset: &Dataset, calendar: &Calendar, tick: DateTime<Utc>) -> Self {
        match dataset.expects {
            Expects::Session(field) => match expected_session(calendar, tick) {
                Some(session) => Self::Day(field, session),
                None => Self::Record,
            },
            Expects::Trading(field) => {
                // In the first minutes, a share that has not traded yet still has the price of the last session.
                let is_trading = |session: &Session| tick - QUOTE_AGE_MAX >= session.open;
                let last_traded = match calendar.session_open_at(tick).filter(is_trading) {
                    Some(_) => Some(tick),
                    None => calendar.latest_closed_by(tick, TimeDelta::zero()).map(|session| session.close),
                };
                last_traded.map_or(Self::Record, |time| Self::Time(field, time - QUOTE_AGE_MAX))
            }
            Expects::Record => Self::Record,
            Expects::Nothing => Self::Nothing,
        }
    }

    /// What an answer must contain to a request for some days, as far as they are over at `tick`.
    pub fn of_window(
        dataset: &Dataset,
        calendar: &Calendar,
        tick: DateTime<Utc>,
        (window, parameters): (Window, &'static WindowParameters),
    ) -> Self {
        let is_published = |session: &Session| expected_session(calendar, tick) >= Some(session.date);
        let sessions = calendar.sessions(window.from..=window.to).take_while(is_published);
        let sessions = if dataset.expects.follows_sessions() { sessions.count() } else { 0 };
        Self::Window { window, dated: parameters.dated, sessions }
    }

    /// The position of a record in time; only comparable with others of the same dataset.
    pub(super) fn place(&self, record: &Fields) -> Option<i64> {
        match self {
            Self::Day(field, _) => day_of(record, field).map(|day| day.num_days_from_ce().into()),
            Self::Time(field, _) => record.get(*field).and_then(Value::as_i64),
            Self::Record | Self::Nothing | Self::Window { .. } => None,
        }
    }

    /// What is lacking in an answer with this many records, whose newest has this place; none if it is complete.
    pub(super) fn lacking(&self, records: usize, newest: Option<i64>) -> Option<(Outcome, String)> {
        if records == 0 {
            let reason = || "the provider returned no records for it".to_owned();
            let expects_some = !matches!(self, Self::Nothing | Self::Window { sessions: 0, .. });
            return expects_some.then(|| (Outcome::Empty, reason()));
        }
        let newest = newest?;
        let reason = match *self {
            Self::Day(_, expected) => {
                let newest = i32::try_from(newest).ok().and_then(NaiveDate::from_num_days_from_ce_opt)?;
                (newest < expected).then(|| format!("newest record is dated {newest}; expected {expected}"))
            }
            Self::Time(_, expected) => {
                let newest = DateTime::from_timestamp(newest, 0)?;
                (newest < expected)
                    .then(|| format!("newest record is dated {newest:?}; expected {expected:?} or later"))
            }
            Self::Record | Self::Nothing | Self::Window { .. } => None,
        };
        reason.map(|reason| (Outcome::Stale, reason))
    }

    /// Where a record lies; none if no window was requested, or the record has no time.
    pub(super) fn nearness(&self, record: &Fields) -> Option<Nearness> {
        let Self::Window { window, dated, sessions } = self else { return None };
        let day = day_of_time(record.get(*dated)?)?;
        // The days of articles depend on the time zone.
        let slack = Days::new(u64::from(*sessions == 0));
        let first = window.from.checked_sub_days(slack).unwrap_or(window.from);
        let last = window.to.checked_add_days(slack).unwrap_or(window.to);
        Some(match () {
            () if (first..=last).contains(&day) => Nearness::Inside,
            () if window.is_far_from(day) => Nearness::Far,
            () => Nearness::Near,
        })
    }

    /// Whether the service ignored the requested days: it sent others, and not all of these.
    pub(super) fn ignored(&self, inside: usize, outside: usize) -> Option<(Outcome, String)> {
        let Self::Window { window, sessions, .. } = self else { return None };
        let is_ignored = outside > 0 && inside < (*sessions).max(1);
        is_ignored.then(|| {
            let reason = format!(
                "the service ignored the requested days, {window}: {outside} of its records are of other days"
            );
            (Outcome::Failed, reason)
        })
    }
}

impl Expectation {
    /// The day of a record at this place, if a later one is expected.
    pub(super) fn outdated(&self, place: i64) -> Option<NaiveDate> {
        let Self::Day(_, expected) = *self else { return None };
        let day = i32::try_from(place).ok().and_then(NaiveDate::from_num_days_from_ce_opt)?;
        (day < expected).then_some(day)
    }

    /// What is lacking if these parts have no current record.
    pub(super) fn partly_lacking(&self, outdated: &[String]) -> Option<(Outcome, String)> {
        let Self::Day(_, expected) = *self else { return None };
        let reason = || format!("no record of {expected} for {}", outdated.join(", "));
        (!outdated.is_empty()).then(|| (Outcome::Stale, reason()))
    }
}

/// The session whose records are expected at an instant.
pub fn expected_session(calendar: &Calendar, tick: DateTime<Utc>) -> Option<NaiveDate> {
    calendar.latest_published_by(tick).map(|session| session.date)
}

/// The day in a field that begins with one: `YYYY-MM-DD`.
pub(super) fn day_of(record: &Fields, field: &str) -> Option<NaiveDate> {
    time::day(record.get(field).and_then(Value::as_str)?.get(..10)?)
}

/// The day in New York of a day, an RFC 3339 time or a Unix time.
pub fn day_of_time(value: &Value) -> Option<NaiveDate> {
    if let Some(seconds) = value.as_i64() {
        return Some(to_new_york(DateTime::from_timestamp(seconds, 0)?).date());
    }
    let text = value.as_str()?;
    let day = time::utc(text).ok().map(|time| to_new_york(time).date());
    day.or_else(|| time::day(text.get(..10)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::find_dataset;
    use crate::run::window::tests::window;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn of(dataset: &str, tick: &str) -> Expectation {
        Expectation::new(find_dataset(dataset).unwrap(), &Calendar::default(), at(tick))
    }

    #[test]
    fn prices_are_expected_ninety_minutes_after_the_close() {
        for (tick, expected) in [
            // Thanksgiving 2026 is on 26 November; the Friday after it closes at 13:00.
            ("2026-11-25T22:29:59Z", "2026-11-24"),
            ("2026-11-25T22:30:00Z", "2026-11-25"),
            ("2026-11-26T23:00:00Z", "2026-11-25"),
            ("2026-11-27T19:29:59Z", "2026-11-25"),
            ("2026-11-27T19:30:00Z", "2026-11-27"),
            ("2026-11-29T12:00:00Z", "2026-11-27"),
            // In summer the close is at 20:00 UTC.
            ("2026-07-06T21:30:00Z", "2026-07-06"),
            ("2026-07-06T21:29:00Z", "2026-07-02"),
        ] {
            assert_eq!(
                of("daily_prices", tick),
                Expectation::Day("date", expected.parse().unwrap()),
                "{tick}"
            );
        }
    }

    #[test]
    fn quotes_are_of_the_last_minutes_of_trading() {
        for (tick, expected) in [
            ("2026-11-24T15:00:00Z", "2026-11-24T14:40:00Z"),
            ("2026-11-24T14:50:00Z", "2026-11-24T14:30:00Z"),
            // Before the open and in the first minutes after it: the end of the last session.
            ("2026-11-24T14:49:59Z", "2026-11-23T20:40:00Z"),
            ("2026-11-24T14:25:00Z", "2026-11-23T20:40:00Z"),
            ("2026-11-24T21:05:00Z", "2026-11-24T20:40:00Z"),
            ("2026-11-28T12:00:00Z", "2026-11-27T17:40:00Z"),
        ] {
            assert_eq!(of("quotes", tick), Expectation::Time("timestamp", at(expected)), "{tick}");
        }
    }

    #[test]
    fn an_answer_is_judged_by_its_newest_record() {
        let day = |text: &str| Some(i64::from(text.parse::<NaiveDate>().unwrap().num_days_from_ce()));
        let prices = of("daily_prices", "2026-11-25T23:00:00Z");
        assert_eq!(prices.lacking(3, day("2026-11-25")), None);
        let (outcome, reason) = prices.lacking(3, day("2026-11-24")).unwrap();
        assert_eq!(outcome, Outcome::Stale);
        assert_eq!(reason, "newest record is dated 2026-11-24; expected 2026-11-25");
        assert_eq!(prices.lacking(0, None).unwrap().0, Outcome::Empty);

        let quotes = of("quotes", "2026-11-24T15:00:00Z");
        assert_eq!(quotes.lacking(1, Some(at("2026-11-24T14:40:00Z").timestamp())), None);
        let (outcome, reason) = quotes.lacking(1, Some(at("2026-11-24T14:39:59Z").timestamp())).unwrap();
        assert_eq!(outcome, Outcome::Stale);
        assert_eq!(
            reason,
            "newest record is dated 2026-11-24T14:39:59Z; expected 2026-11-24T14:40:00Z or later"
        );

        assert_eq!(of("fundamentals", "2026-11-24T15:00:00Z").lacking(0, None).unwrap().0, Outcome::Empty);
        for dataset in ["finnhub_news", "polygon_news", "market_news", "earnings"] {
            assert_eq!(of(dataset, "2026-11-24T15:00:00Z").lacking(0, None), None, "{dataset}");
        }
    }

    fn of_days(dataset: &str, from: &str, to: &str) -> Expectation {
        let job = crate::catalogue::jobs().find(|job| job.endpoints[0].dataset.name == dataset).unwrap();
        let endpoint = &job.endpoints[0];
        let window = (window(from, to), endpoint.window.unwrap());
        Expectation::of_window(endpoint.dataset, &Calendar::default(), at("2026-11-27T12:00:00Z"), window)
    }

    #[test]
    fn of_past_days_only_those_that_are_over_are_expected() {
        let sessions = |dataset, from, to| match of_days(dataset, from, to) {
            Expectation::Window { sessions, .. } => sessions,
            other => panic!("{other:?}"),
        };
        assert_eq!(sessions("daily_prices", "2026-11-23", "2026-11-27"), 3);
        assert_eq!(sessions("daily_prices", "2026-11-26", "2026-11-27"), 0);
        assert_eq!(sessions("finnhub_news", "2026-11-23", "2026-11-27"), 0);
        assert_eq!(
            of_days("daily_prices", "2026-11-23", "2026-11-24").lacking(0, None).unwrap().0,
            Outcome::Empty
        );
        assert_eq!(of_days("daily_prices", "2026-11-26", "2026-11-26").lacking(0, None), None);
        assert_eq!(of_days("finnhub_news", "2026-11-23", "2026-11-24").lacking(0, None), None);
    }

    #[test]
    fn a_service_that_sends_other_days_and_not_all_of_these_has_ignored_the_window() {
        let prices = of_days("daily_prices", "2026-10-05", "2026-10-09");
        assert_eq!(prices.ignored(5, 0), None);
        assert_eq!(prices.ignored(4, 0), None, "one session has nothing");
        assert_eq!(prices.ignored(5, 20), None, "all are there");
        let (outcome, reason) = prices.ignored(4, 20).unwrap();
        assert_eq!(outcome, Outcome::Failed);
        assert_eq!(
            reason,
            "the service ignored the requested days, 2026-10-05 to 2026-10-09: 20 of its records are of other days"
        );
        let news = of_days("finnhub_news", "2026-10-05", "2026-10-05");
        assert_eq!((news.ignored(0, 0), news.ignored(1, 3)), (None, None));
        assert!(news.ignored(0, 3).is_some());
    }

    #[test]
    fn a_record_is_placed_by_its_day_its_time_or_its_second() {
        let place = |expectation: &Expectation, field: &str, value: Value| {
            expectation.nearness(&crate::firestore::value::fields([(field, value)]))
        };
        let prices = of_days("daily_prices", "2026-10-05", "2026-10-09");
        for (day, expect) in [
            ("2026-10-05", Nearness::Inside),
            ("2026-10-10", Nearness::Near),
            ("2026-10-16", Nearness::Near),
            ("2026-10-17", Nearness::Far),
        ] {
            assert_eq!(place(&prices, "date", Value::string(day)), Some(expect), "{day}");
        }
        let news = of_days("polygon_news", "2026-10-05", "2026-10-05");
        let published = |time| place(&news, "published_utc", Value::string(time));
        assert_eq!(published("2026-10-06T02:00:00Z"), Some(Nearness::Inside));
        assert_eq!(published("2026-10-06T23:00:00Z"), Some(Nearness::Inside), "time zones differ by a day");
        assert_eq!(published("2026-10-08T23:00:00Z"), Some(Nearness::Near));
        assert_eq!(published("soon"), None);
        let news = of_days("finnhub_news", "2026-10-05", "2026-10-05");
        let second = at("2026-11-05T12:00:00Z").timestamp();
        assert_eq!(place(&news, "datetime", Value::Integer(second)), Some(Nearness::Far));
        assert_eq!(of("daily_prices", "2026-11-25T23:00:00Z").nearness(&Fields::new()), None);
    }
}
