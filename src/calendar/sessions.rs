//! The sessions of US equities: when the New York Stock Exchange (XNYS) is open.

use std::ops::RangeInclusive;
use std::sync::Arc;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};

use super::new_york::{from_new_york, to_new_york};
use super::overrides::{self, Day, Override};
use super::rules::{self, CLOSE, EARLY_CLOSE, OPEN};

/// A session's records are expected this long after its close.
const PUBLISHED_AFTER: TimeDelta = TimeDelta::minutes(90);

/// Days searched for a session: no calendar has a longer gap, not even with the days that an operator closed.
const DAYS_MAX: u64 = 400;

/// Why a day is closed that an operator closed.
const CLOSED_BY_OPERATOR: &str = "special closing (calendar_overrides)";

/// The calendar: rules, and days that depart from them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    /// Sorted by date.
    overrides: Arc<[Override]>,
}

/// A trading day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// The day in New York.
    pub date: NaiveDate,
    pub open: DateTime<Utc>,
    pub close: DateTime<Utc>,
    /// Whether it closes before 16:00.
    pub early: bool,
}

impl Calendar {
    /// The calendar with the days of the setting `calendar_overrides`; an error names the entry and what is allowed.
    pub fn with_overrides(text: &str) -> Result<Self, String> {
        Ok(Self { overrides: overrides::parse(text)?.into() })
    }

    /// The session of a day; none if the exchange is closed.
    pub fn session(&self, date: NaiveDate) -> Option<Session> {
        let close = match self.departure(date) {
            Some(Day::Closed) => return None,
            Some(Day::Until(close)) => close,
            None if rules::closed(date).is_some() => return None,
            None if rules::is_early(date) => EARLY_CLOSE,
            None => CLOSE,
        };
        Some(Session {
            date,
            // Neither is ever skipped: clocks change at 2:00 on a Sunday.
            open: from_new_york(date.and_time(OPEN))?,
            close: from_new_york(date.and_time(close))?,
            early: close < CLOSE,
        })
    }

    /// Why the exchange is closed on a day, for people; none if it opens.
    pub fn closed_reason(&self, date: NaiveDate) -> Option<&'static str> {
        match self.departure(date) {
            Some(Day::Closed) => rules::closed(date).or(Some(CLOSED_BY_OPERATOR)),
            Some(Day::Until(_)) => None,
            None => rules::closed(date),
        }
    }

    /// The first session after a day.
    pub fn next_session(&self, date: NaiveDate) -> Option<Session> {
        (1..=DAYS_MAX).find_map(|days| self.session(date.checked_add_days(Days::new(days))?))
    }

    /// The last session before a day.
    pub fn previous_session(&self, date: NaiveDate) -> Option<Session> {
        (1..=DAYS_MAX).find_map(|days| self.session(date.checked_sub_days(Days::new(days))?))
    }

    /// The first of `count` sessions of which the last is on the day `last`; none of none. A `last` without a session
    /// counts as one.
    pub fn sessions_back(&self, last: NaiveDate, count: usize) -> Option<NaiveDate> {
        let before = |date: &NaiveDate| self.previous_session(*date).map(|session| session.date);
        std::iter::successors(Some(last), before).take(count).last()
    }

    /// The sessions of a range of days, in order.
    pub fn sessions(&self, days: RangeInclusive<NaiveDate>) -> impl Iterator<Item = Session> {
        let (first, last) = days.into_inner();
        first.iter_days().take_while(move |date| *date <= last).filter_map(|date| self.session(date))
    }

    /// The latest session that had closed at least `grace` before an instant.
    pub fn latest_closed_by(&self, instant: DateTime<Utc>, grace: TimeDelta) -> Option<Session> {
        let until = instant.checked_sub_signed(grace)?;
        let today = to_new_york(until).date();
        self.session(today).filter(|session| session.close <= until).or_else(|| self.previous_session(today))
    }

    /// The latest session whose records are expected at an instant.
    pub fn latest_published_by(&self, instant: DateTime<Utc>) -> Option<Session> {
        self.latest_closed_by(instant, PUBLISHED_AFTER)
    }

    /// The session that is open at an instant: from its open until just before its close.
    pub fn session_open_at(&self, instant: DateTime<Utc>) -> Option<Session> {
        let today = self.session(to_new_york(instant).date());
        today.filter(|session| session.open <= instant && instant < session.close)
    }

    fn departure(&self, date: NaiveDate) -> Option<Day> {
        let place = self.overrides.binary_search_by_key(&date, |(date, _)| *date).ok()?;
        self.overrides.get(place).map(|(_, day)| *day)
    }
}

#[cfg(test)]
mod tests;
