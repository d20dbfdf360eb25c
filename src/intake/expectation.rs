//! What an answer must contain for the time it was requested for: which records should exist.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};

use crate::calendar::{Calendar, Session};
use crate::catalogue::Dataset;
use crate::catalogue::dataset::Expects;
use crate::firestore::{Fields, Value};
use crate::run::Outcome;

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

    /// The position of a record in time; only comparable with others of the same dataset.
    pub(super) fn place(&self, record: &Fields) -> Option<i64> {
        match self {
            Self::Day(field, _) => day_of(record, field).map(|day| day.num_days_from_ce().into()),
            Self::Time(field, _) => record.get(*field).and_then(Value::as_i64),
            Self::Record | Self::Nothing => None,
        }
    }

    /// What is lacking in an answer with this many records, whose newest has this place; none if it is complete.
    pub(super) fn lacking(&self, records: usize, newest: Option<i64>) -> Option<(Outcome, String)> {
        if records == 0 {
            let reason = || "the provider returned no records for it".to_owned();
            return (*self != Self::Nothing).then(|| (Outcome::Empty, reason()));
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
            Self::Record | Self::Nothing => None,
        };
        reason.map(|reason| (Outcome::Stale, reason))
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
    record.get(field).and_then(Value::as_str)?.get(..10)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::find_dataset;

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
}
