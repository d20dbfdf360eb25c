//! New York's clock.
//!
//! Two rules of daylight saving are all that is needed, and a time zone database would be large; tests compare with
//! one.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, TimeDelta, Utc, Weekday};

/// Hours that New York is behind UTC: 4 in summer, 5 in winter.
const SUMMER: TimeDelta = TimeDelta::hours(4);
const WINTER: TimeDelta = TimeDelta::hours(5);

/// New York's clock at an instant.
pub fn to_new_york(time: DateTime<Utc>) -> NaiveDateTime {
    time.naive_utc() - behind(time)
}

/// The instant at which New York's clock shows this time; none if it is skipped, the first if it occurs twice.
pub fn from_new_york(local: NaiveDateTime) -> Option<DateTime<Utc>> {
    [SUMMER, WINTER]
        .into_iter()
        .map(|offset| (local + offset).and_utc())
        .find(|time| to_new_york(*time) == local)
}

/// How far New York is behind UTC on one of its days; none on the days on which that changes.
pub fn behind_on(day: NaiveDate) -> Option<TimeDelta> {
    let (start, end) = summer(day.year()).map(|(start, end)| (start.date(), end.date()))?;
    match day {
        day if day == start || day == end => None,
        day if (start..end).contains(&day) => Some(SUMMER),
        _ => Some(WINTER),
    }
}

/// The instant, with New York's time and offset.
pub fn in_new_york(time: DateTime<Utc>) -> Option<DateTime<FixedOffset>> {
    let seconds = i32::try_from(behind(time).num_seconds()).ok()?;
    Some(time.with_timezone(&FixedOffset::west_opt(seconds)?))
}

/// How far New York is behind UTC at an instant.
fn behind(time: DateTime<Utc>) -> TimeDelta {
    let naive = time.naive_utc();
    match summer(naive.year()) {
        // Both changes happen at 2:00 of the time that ends: 7:00 and 6:00 UTC.
        Some((start, end)) if naive >= start + WINTER && naive < end + SUMMER => SUMMER,
        _ => WINTER,
    }
}

/// Start and end of a year's daylight saving time, each at 2:00 on New York's clock before the change: second Sunday of
/// March to first Sunday of November (15 U.S.C. 260a).
fn summer(year: i32) -> Option<(NaiveDateTime, NaiveDateTime)> {
    let change = |month, nth| {
        let day = NaiveDate::from_weekday_of_month_opt(year, month, Weekday::Sun, nth)?;
        day.and_hms_opt(2, 0, 0)
    };
    Some((change(3, 2)?, change(11, 1)?))
}

#[cfg(test)]
mod tests {
    use chrono::NaiveTime;
    use chrono_tz::America::New_York;

    use super::*;

    #[test]
    fn the_clock_changes_are_those_of_the_database() {
        for year in 2010..2040 {
            for (month, nth) in [(3, 2), (11, 1)] {
                let day = NaiveDate::from_weekday_of_month_opt(year, month, Weekday::Sun, nth).unwrap();
                let changes = [-1, 0, 1].map(|days| behind_on(day + TimeDelta::days(days)).is_none());
                assert_eq!(changes, [false, true, false], "{day}");
                for minute in (0..24 * 60).step_by(10) {
                    let time = day.and_time(NaiveTime::MIN).and_utc() + TimeDelta::minutes(minute);
                    let local = time.with_timezone(&New_York);
                    assert_eq!(to_new_york(time), local.naive_local(), "{time}");
                    assert_eq!(in_new_york(time).unwrap().to_rfc3339(), local.to_rfc3339(), "{time}");
                }
            }
        }
    }
}
