//! When a job is due: cron schedules in New York time.
//!
//! This covers only what the catalogue uses, to keep a time zone database and a cron library out of the component;
//! tests compare it with such libraries.

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, Utc};

use super::new_york::{behind_on, from_new_york, to_new_york};

/// Days searched for a tick: the longest gap in any schedule is a long weekend, unless an operator closed more days.
const DAYS_MAX: u64 = 400;

/// A schedule of five fields; day of month and month are always `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// One bit per minute.
    minutes: u64,
    /// One bit per hour.
    hours: u64,
    /// One bit per day of the week, Sunday first.
    weekdays: u64,
}

impl Schedule {
    /// Reads `minute hour * * weekday`, each with `*`, numbers, ranges, steps and lists.
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields = text.split_whitespace();
        let (minutes, hours) = (field(fields.next()?, 0, 59)?, field(fields.next()?, 0, 23)?);
        let (day, month) = (fields.next()?, fields.next()?);
        let weekdays = field(fields.next()?, 0, 6)?;
        let simple = day == "*" && month == "*" && fields.next().is_none();
        simple.then_some(Self { minutes, hours, weekdays })
    }

    /// The ticks after `time`, in order.
    pub fn after(&self, time: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
        let today = to_new_york(time).date();
        let days = (0..DAYS_MAX).filter_map(move |days| today.checked_add_days(Days::new(days)));
        days.flat_map(|day| self.ticks_of(day)).filter(move |tick| *tick > time)
    }

    /// The ticks at or before `time`, the latest first.
    pub fn until(&self, time: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
        let today = to_new_york(time).date();
        let days = (0..DAYS_MAX).filter_map(move |days| today.checked_sub_days(Days::new(days)));
        days.flat_map(|day| self.ticks_of(day).into_iter().rev()).filter(move |tick| *tick <= time)
    }

    /// The first tick after `time`.
    pub fn next_after(&self, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.after(time).next()
    }

    /// Whether it has ticks on a day in New York.
    pub fn is_due_on(&self, day: NaiveDate) -> bool {
        has(self.weekdays, day.weekday().num_days_from_sunday())
    }

    /// All ticks of a day in New York, in order.
    fn ticks_of(&self, day: NaiveDate) -> Vec<DateTime<Utc>> {
        if !self.is_due_on(day) {
            return Vec::new();
        }
        let hours = (0..24).filter(|hour| has(self.hours, *hour));
        let times = hours.flat_map(|hour| {
            (0..60).filter(|minute| has(self.minutes, *minute)).map(move |minute| (hour, minute))
        });
        let times = times.filter_map(|(hour, minute)| NaiveTime::from_hms_opt(hour, minute, 0));
        let times = times.map(|time| day.and_time(time));
        // Every run asks for its job's ticks several times, and there may be a hundred a day.
        if let Some(behind) = behind_on(day) {
            return times.map(|time| (time + behind).and_utc()).collect();
        }
        let mut ticks: Vec<_> = times.filter_map(from_new_york).collect();
        ticks.sort_unstable();
        ticks
    }
}

fn has(bits: u64, bit: u32) -> bool {
    bits >> bit & 1 == 1
}

/// The bits of a cron field: a list of `*`, `n`, `n-m`, where ranges may have a step.
fn field(text: &str, min: u32, max: u32) -> Option<u64> {
    let mut bits = 0;
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse().ok().filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (first.parse().ok()?, last.parse().ok()?),
            None if range == "*" => (min, max),
            None => {
                let only = range.parse().ok()?;
                (only, only)
            }
        };
        if first < min || last > max || first > last {
            return None;
        }
        for value in (first..=last).step_by(step) {
            bits |= 1 << value;
        }
    }
    Some(bits)
}

#[cfg(test)]
mod tests {
    use chrono_tz::America::New_York;
    use croner::Cron;
    use proptest::prelude::*;

    use super::*;
    use crate::catalogue::jobs;

    #[test]
    fn every_schedule_of_the_catalogue_is_understood() {
        for job in jobs() {
            assert!(Schedule::parse(job.schedule).is_some(), "{}", job.name);
        }
    }

    #[test]
    fn what_is_no_schedule_of_ours_is_refused() {
        for text in [
            "",
            "* * * *",
            "60 * * * *",
            "* * 1 * *",
            "* * * * * *",
            "*/0 * * * *",
            "5-1 * * * *",
            "a * * * *",
            "-1 * * * *",
        ] {
            assert_eq!(Schedule::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_tick_at_this_very_moment_is_the_last_and_not_the_next() {
        let schedule = Schedule::parse("0 18 * * 1-5").unwrap();
        let friday = "2026-11-20T23:00:00Z".parse().unwrap();
        assert_eq!(schedule.until(friday).next(), Some(friday));
        assert_eq!(schedule.next_after(friday), Some("2026-11-23T23:00:00Z".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn ticks_are_those_of_a_cron_library_and_a_time_zone_database(
            seconds in 1_700_000_000i64..2_300_000_000, job in 0..jobs().count()
        ) {
            let time = DateTime::from_timestamp(seconds, 0).unwrap();
            let local = time.with_timezone(&New_York);
            prop_assert_eq!(to_new_york(time), local.naive_local());
            let job = jobs().nth(job).unwrap();
            let schedule = Schedule::parse(job.schedule).unwrap();
            let cron: Cron = job.schedule.parse().unwrap();
            let next = cron.find_next_occurrence(&local, false).unwrap().to_utc();
            prop_assert_eq!(schedule.next_after(time), Some(next));
            let last = cron.find_previous_occurrence(&local, true).unwrap().to_utc();
            prop_assert_eq!(schedule.until(time).next(), Some(last));
        }
    }
}
