//! Which of the scheduler's ticks have something to collect.

use chrono::{DateTime, TimeDelta, Utc};

use super::Job;
use super::dataset::Expects;
use crate::calendar::new_york::to_new_york;
use crate::calendar::schedule::Schedule;
use crate::calendar::{Calendar, Session};

/// How long after an early close quotes are still collected: the last ones arrive late.
const AFTER_EARLY_CLOSE: TimeDelta = TimeDelta::minutes(30);

/// Decides which ticks are run: the scheduler knows days of the week, but no holidays.
#[derive(Clone, Debug, Default)]
pub struct Ticks {
    pub calendar: Calendar,
    /// Whether ticks without anything to collect are skipped.
    pub skip: bool,
}

impl Ticks {
    /// Why a tick of a job is skipped; none if it is run. It is skipped if none of the job's datasets has anything new.
    pub fn skipped(&self, job: &Job, tick: DateTime<Utc>) -> Option<String> {
        if !self.skip {
            return None;
        }
        let reasons = job.endpoints.iter().map(|endpoint| self.closed(endpoint.dataset.expects, tick));
        reasons.collect::<Option<Vec<_>>>()?.into_iter().next()
    }

    /// The first tick of a job after `time` that is run.
    pub fn next(&self, job: &Job, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.next_unless(job, time, &|_| false)
    }

    /// The same, without those that fall into a pause.
    pub fn next_unless(
        &self,
        job: &Job,
        time: DateTime<Utc>,
        is_paused: &dyn Fn(DateTime<Utc>) -> bool,
    ) -> Option<DateTime<Utc>> {
        let runs = |tick: &DateTime<Utc>| !is_paused(*tick) && self.skipped(job, *tick).is_none();
        Schedule::parse(job.schedule)?.after(time).find(runs)
    }

    /// The last tick of a job at or before `time` that was to be run.
    pub fn last(&self, job: &Job, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.last_unless(job, time, &|_| false)
    }

    /// The same, without those that fell into a pause.
    pub fn last_unless(
        &self,
        job: &Job,
        time: DateTime<Utc>,
        is_paused: &dyn Fn(DateTime<Utc>) -> bool,
    ) -> Option<DateTime<Utc>> {
        let ran = |tick: &DateTime<Utc>| !is_paused(*tick) && self.skipped(job, *tick).is_none();
        Schedule::parse(job.schedule)?.until(time).find(ran)
    }

    /// Why there is nothing new at the time of a tick.
    fn closed(&self, expects: Expects, tick: DateTime<Utc>) -> Option<String> {
        if !expects.follows_sessions() {
            return None;
        }
        let today = to_new_york(tick).date();
        if let Some(reason) = self.calendar.closed_reason(today) {
            return Some(format!("market closed: {reason}"));
        }
        let is_over = |session: &Session| session.early && tick > session.close + AFTER_EARLY_CLOSE;
        let early = self.calendar.session(today).filter(is_over);
        let early = early.filter(|_| matches!(expects, Expects::Trading(_)))?;
        Some(format!("market closed: early close at {}", to_new_york(early.close).format("%H:%M")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::{find, jobs};

    /// A job, at a time in New York in winter, with some days set by an operator.
    fn check(job: &str, time: &str, overrides: &str) -> Option<String> {
        let calendar = Calendar::with_overrides(overrides).unwrap();
        let tick = format!("{time}:00-05:00").parse::<DateTime<Utc>>().unwrap();
        Ticks { calendar, skip: true }.skipped(find(job).unwrap(), tick)
    }

    fn closed(reason: &str) -> String {
        format!("market closed: {reason}")
    }

    #[test]
    fn jobs_that_follow_sessions_are_skipped_on_closed_days() {
        let skipped = |job: &&Job| check(job.name, "2026-11-26T12:00", "").is_some();
        let names: Vec<_> = jobs().filter(skipped).map(|job| job.name).collect();
        let expect = [
            "tiingo-daily-prices",
            "tiingo-daily-prices-indices",
            "finnhub-quote-portfolio",
            "finnhub-quote-indices",
            "alpha-vantage-technical-indicators",
        ];
        assert_eq!(names, expect);
    }

    #[test]
    fn the_reason_names_the_holiday() {
        let prices = |time, overrides| check("tiingo-daily-prices", time, overrides);
        assert_eq!(prices("2026-11-26T18:00", ""), Some(closed("Thanksgiving Day")));
        assert_eq!(prices("2026-11-26T18:00", "2026-11-26=open"), None);
        assert_eq!(prices("2026-11-28T18:00", ""), Some(closed("Saturday")));
        assert_eq!(prices("2027-01-08T18:00", ""), None);
        assert_eq!(
            prices("2027-01-08T18:00", "2027-01-08=closed"),
            Some(closed("special closing (calendar_overrides)"))
        );
        // What counts is the day in New York.
        assert_eq!(prices("2026-11-26T00:00", ""), Some(closed("Thanksgiving Day")));
        assert_eq!(prices("2026-11-25T23:59", ""), None);
    }

    #[test]
    fn quotes_end_half_an_hour_after_an_early_close() {
        let quotes = |time, overrides| check("finnhub-quote-portfolio", time, overrides);
        assert_eq!(quotes("2026-11-27T13:30", ""), None);
        assert_eq!(quotes("2026-11-27T13:35", ""), Some(closed("early close at 13:00")));
        assert_eq!(quotes("2026-11-30T16:55", ""), None);
        assert_eq!(quotes("2026-11-30T16:55", "2026-11-30=11:15"), Some(closed("early close at 11:15")));
        assert_eq!(check("tiingo-daily-prices", "2026-11-27T18:00", ""), None);
    }

    #[test]
    fn next_and_last_pass_over_what_is_skipped() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let skipping = Ticks { calendar: Calendar::default(), skip: true };
        let all = Ticks { skip: false, ..skipping.clone() };
        let prices = find("tiingo-daily-prices").unwrap();
        let quotes = find("finnhub-quote-portfolio").unwrap();
        let news = find("polygon-news-portfolio").unwrap();
        // Noon of Thanksgiving Day.
        let noon = at("2026-11-26T17:00:00Z");
        for (ticks, job, next, last) in [
            (&skipping, prices, "2026-11-27T23:00:00Z", "2026-11-25T23:00:00Z"),
            (&all, prices, "2026-11-26T23:00:00Z", "2026-11-25T23:00:00Z"),
            (&skipping, quotes, "2026-11-27T14:00:00Z", "2026-11-25T21:55:00Z"),
            (&skipping, news, "2026-11-26T18:00:00Z", "2026-11-26T17:00:00Z"),
        ] {
            assert_eq!((ticks.next(job, noon), ticks.last(job, noon)), (Some(at(next)), Some(at(last))));
        }
        // After the last quotes of the half day.
        assert_eq!(skipping.last(quotes, at("2026-11-28T12:00:00Z")), Some(at("2026-11-27T18:30:00Z")));
        assert_eq!(skipping.next(quotes, at("2026-11-27T18:30:00Z")), Some(at("2026-11-30T14:00:00Z")));
    }
}
