//! Which days a dataset is covered by, and which day a record or a run belongs to.

use std::ops::RangeInclusive;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use serde_json::Value as Json;

use super::verify::Records;
use crate::base::time;
use crate::calendar::Calendar;
use crate::calendar::new_york::{from_new_york, to_new_york};
use crate::catalogue::dataset::{Expects, Shape};
use crate::catalogue::{Dataset, Job, Ticks};
use crate::config::Collections;
use crate::firestore::{Fields, Value};

/// What a dataset's days are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// Sessions; this field of a record begins with its day, `YYYY-MM-DD`.
    Session(&'static str),
    /// Sessions; this field of a record is a time in Unix seconds.
    Trading(&'static str),
    /// None: a day in New York on which a run was answered.
    Nothing,
}

impl Follows {
    pub fn of(dataset: &Dataset) -> Self {
        match dataset.expects {
            Expects::Session(field) => Self::Session(field),
            Expects::Trading(field) => Self::Trading(field),
            Expects::Record | Expects::Nothing => Self::Nothing,
        }
    }

    pub fn has_sessions(self) -> bool {
        self != Self::Nothing
    }

    /// The day that a run is about whose scheduled time, or time, is `tick`.
    pub fn day_at(self, calendar: &Calendar, tick: DateTime<Utc>) -> Option<NaiveDate> {
        match self {
            Self::Session(_) => calendar.latest_published_by(tick).map(|session| session.date),
            Self::Trading(_) => {
                let open = calendar.session_open_at(tick);
                let last = || calendar.latest_closed_by(tick, TimeDelta::zero());
                open.or_else(last).map(|session| session.date)
            }
            Self::Nothing => Some(to_new_york(tick).date()),
        }
    }

    /// The days that a job's scheduled run at `tick` is responsible for: those that the job's runs are about since its
    /// tick before. Usually it is one. A run one hour after the usual close is about the session before, and after an
    /// early close it is about the same day: so it has both.
    pub fn days_of_tick(self, ticks: &Ticks, job: &Job, tick: DateTime<Utc>) -> Vec<NaiveDate> {
        let Some(day) = self.day_at(&ticks.calendar, tick) else { return Vec::new() };
        let before = ticks.last(job, tick - TimeDelta::seconds(1));
        let before = before.and_then(|before| self.day_at(&ticks.calendar, before));
        self.days_since(&ticks.calendar, before, day)
    }

    /// The days after `before` until `day`; only `day` without sessions.
    pub fn days_since(
        self,
        calendar: &Calendar,
        before: Option<NaiveDate>,
        day: NaiveDate,
    ) -> Vec<NaiveDate> {
        let before = before.filter(|before| self.has_sessions() && *before < day);
        match before.and_then(|before| before.succ_opt()) {
            Some(first) => calendar.sessions(first..=day).map(|session| session.date).collect(),
            None => vec![day],
        }
    }

    /// The day of a record; none if it says none.
    pub fn day_of(self, record: &Fields) -> Option<NaiveDate> {
        match self {
            Self::Session(field) => day_in(record.get(field).and_then(Value::as_str)?),
            Self::Trading(field) => day_at_second(record.get(field).and_then(Value::as_i64)?),
            Self::Nothing => None,
        }
    }

    /// The day of a record as it was sent.
    pub fn day_of_json(self, record: &Json) -> Option<NaiveDate> {
        match self {
            Self::Session(field) => day_in(record.get(field)?.as_str()?),
            Self::Trading(field) => day_at_second(sent_seconds(record.get(field)?)?),
            Self::Nothing => None,
        }
    }

    /// The days of a range on which there is something to cover. Without sessions these are all of them.
    pub fn days(self, calendar: &Calendar, range: RangeInclusive<NaiveDate>) -> Vec<NaiveDate> {
        if self.has_sessions() {
            return calendar.sessions(range).map(|session| session.date).collect();
        }
        let (first, last) = range.into_inner();
        first.iter_days().take_while(|day| *day <= last).collect()
    }

    /// The days of a range that a provider can have something for at `now`, with something to cover.
    pub fn days_by(
        self,
        calendar: &Calendar,
        (from, to): (NaiveDate, NaiveDate),
        now: DateTime<Utc>,
    ) -> Vec<NaiveDate> {
        let published = || calendar.latest_published_by(now).map(|session| session.date);
        let until = if self.has_sessions() { published() } else { Some(to_new_york(now).date()) };
        until.map_or_else(Vec::new, |until| self.days(calendar, from..=to.min(until)))
    }

    /// Where the records of a day are; none without sessions, whose records are not of the day of their run.
    pub fn records<'a>(
        self,
        dataset: &Dataset,
        day: NaiveDate,
        collections: &'a Collections,
    ) -> Option<Records<'a>> {
        let after = day.checked_add_days(Days::new(1))?;
        let collection = collections.of(dataset);
        match self {
            Self::Session(field) => {
                let (from, until) = (Value::string(day.to_string()), Value::string(after.to_string()));
                Some(Records { collection, field, from, until })
            }
            Self::Trading(field) => {
                let midnight =
                    |day: NaiveDate| from_new_york(day.and_hms_opt(0, 0, 0)?).map(|time| time.timestamp());
                let (from, until) = (Value::Integer(midnight(day)?), Value::Integer(midnight(after)?));
                Some(Records { collection, field, from, until })
            }
            Self::Nothing => None,
        }
    }
}

/// A time as it was sent, in seconds or smaller units; none if it is none of the years 2000 to 9999.
fn sent_seconds(sent: &Json) -> Option<i64> {
    const PLAUSIBLE: RangeInclusive<i64> = 946_684_800..=253_402_300_799;
    #[expect(clippy::cast_possible_truncation, reason = "saturates, and is then not plausible")]
    let mut seconds = sent.as_i64().or_else(|| sent.as_f64().map(|number| number as i64))?;
    while seconds > 100_000_000_000 {
        seconds /= 1_000;
    }
    Some(seconds).filter(|seconds| PLAUSIBLE.contains(seconds))
}

/// Whether the records of an answer follow each other, so that a session between two of them without a record is one
/// that the provider has nothing for.
pub fn has_windows(dataset: &Dataset) -> bool {
    dataset.shape == Shape::List && Follows::of(dataset).has_sessions()
}

fn day_in(text: &str) -> Option<NaiveDate> {
    time::day(text.get(..10)?)
}

fn day_at_second(seconds: i64) -> Option<NaiveDate> {
    Some(to_new_york(DateTime::from_timestamp(seconds, 0)?).date())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{find, find_dataset};
    use crate::firestore::value::fields;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn about(dataset: &str, tick: &str) -> String {
        let follows = Follows::of(find_dataset(dataset).unwrap());
        follows.day_at(&Calendar::default(), tick.parse().unwrap()).unwrap().to_string()
    }

    #[test]
    fn the_day_that_a_run_is_about() {
        for (dataset, tick, expect) in [
            // Monday at 18:00 in New York; Thanksgiving 2026 is on 26 November.
            ("daily_prices", "2026-11-23T23:00:00Z", "2026-11-23"),
            ("daily_prices", "2026-11-23T22:00:00Z", "2026-11-20"),
            ("daily_prices", "2026-11-26T23:00:00Z", "2026-11-25"),
            ("technical_indicators", "2026-11-27T22:00:00Z", "2026-11-27"),
            ("quotes", "2026-11-24T15:00:00Z", "2026-11-24"),
            ("quotes", "2026-11-24T14:00:00Z", "2026-11-23"),
            ("quotes", "2026-11-24T21:05:00Z", "2026-11-24"),
            ("finnhub_news", "2026-11-26T03:00:00Z", "2026-11-25"),
            ("market_news", "2026-11-26T13:00:00Z", "2026-11-26"),
        ] {
            assert_eq!(about(dataset, tick), expect, "{dataset} at {tick}");
        }
    }

    #[test]
    fn a_run_is_responsible_for_every_session_since_the_tick_before() {
        let days = |dataset: &str, job: &str, tick: &str| {
            let ticks = Ticks { calendar: Calendar::default(), skip: true };
            let follows = Follows::of(find_dataset(dataset).unwrap());
            let days = follows.days_of_tick(&ticks, find(job).unwrap(), tick.parse().unwrap());
            days.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let indicators = |tick| days("technical_indicators", "alpha-vantage-technical-indicators", tick);
        // 17:00 in New York; Thanksgiving 2026 is on 26 November, and the day after it closes at 13:00.
        assert_eq!(indicators("2026-11-24T22:00:00Z"), ["2026-11-23"]);
        assert_eq!(indicators("2026-11-25T22:00:00Z"), ["2026-11-24"]);
        assert_eq!(indicators("2026-11-27T22:00:00Z"), ["2026-11-25", "2026-11-27"]);
        // The next day's run is about the session after the early close only once that is over.
        assert_eq!(indicators("2026-11-30T22:00:00Z"), ["2026-11-27"]);
        assert_eq!(indicators("2026-12-01T22:00:00Z"), ["2026-11-30"]);
        let prices = |tick| days("daily_prices", "tiingo-daily-prices", tick);
        assert_eq!(prices("2026-11-25T23:00:00Z"), ["2026-11-25"]);
        assert_eq!(prices("2026-11-27T23:00:00Z"), ["2026-11-27"]);
        assert_eq!(days("quotes", "finnhub-quote-portfolio", "2026-11-30T14:00:00Z"), ["2026-11-27"]);
        assert_eq!(days("quotes", "finnhub-quote-portfolio", "2026-11-30T14:30:00Z"), ["2026-11-30"]);
        assert_eq!(days("polygon_news", "polygon-news-portfolio", "2026-11-30T13:00:00Z"), ["2026-11-30"]);
    }

    #[test]
    fn the_day_of_a_record_is_one_in_new_york() {
        let price = fields([("date", Value::string("2026-11-23"))]);
        assert_eq!(Follows::Session("date").day_of(&price), Some(day("2026-11-23")));
        let indicator = fields([("date", Value::string("2026-11-23 12:08:22"))]);
        assert_eq!(Follows::Session("date").day_of(&indicator), Some(day("2026-11-23")));
        let evening = "2026-11-24T02:00:00Z".parse::<DateTime<Utc>>().unwrap();
        let quote = fields([("timestamp", Value::Integer(evening.timestamp()))]);
        assert_eq!(Follows::Trading("timestamp").day_of(&quote), Some(day("2026-11-23")));
        assert_eq!(Follows::Nothing.day_of(&price), None);
        for broken in
            [fields([]), fields([("date", Value::string("soon"))]), fields([("date", Value::Integer(1))])]
        {
            assert_eq!(Follows::Session("date").day_of(&broken), None);
        }
    }

    #[test]
    fn days_without_sessions_are_left_out_where_there_are_sessions() {
        let week = day("2026-11-25")..=day("2026-11-29");
        let days = |follows: Follows| follows.days(&Calendar::default(), week.clone());
        assert_eq!(days(Follows::Session("date")), [day("2026-11-25"), day("2026-11-27")]);
        assert_eq!(days(Follows::Nothing).len(), 5);
    }
}
