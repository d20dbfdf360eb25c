//! The rules of the New York Stock Exchange: its hours, and the days on which it is closed or closes early.
//!
//! They are NYSE Rule 7.2 and what its published calendars have in common since 2010. Earlier years had other rules.

use chrono::{Datelike, Days, NaiveDate, NaiveTime, Weekday};

/// New York times of a session.
pub(super) const OPEN: NaiveTime = time(9, 30);
pub(super) const CLOSE: NaiveTime = time(16, 0);
pub(super) const EARLY_CLOSE: NaiveTime = time(13, 0);

/// A time that exists.
const fn time(hour: u32, minute: u32) -> NaiveTime {
    match NaiveTime::from_hms_opt(hour, minute, 0) {
        Some(time) => time,
        None => NaiveTime::MIN,
    }
}

/// Holidays on a fixed date, with the first year in which the exchange observed them. On a Sunday they are observed on
/// Monday, on a Saturday on Friday.
const FIXED: &[(u32, u32, i32, &str)] = &[
    (1, 1, 0, NEW_YEAR),
    (6, 19, 2022, "Juneteenth"),
    (7, 4, 0, "Independence Day"),
    (12, 25, 0, "Christmas Day"),
];

/// Not observed if it is a Saturday: the Friday ends the accounting year.
const NEW_YEAR: &str = "New Year's Day";

/// Closures that follow from no rule.
const ONCE: &[(i32, u32, u32, &str)] = &[
    (2012, 10, 29, "Hurricane Sandy"),
    (2012, 10, 30, "Hurricane Sandy"),
    (2018, 12, 5, "National Day of Mourning for George H. W. Bush"),
    (2025, 1, 9, "National Day of Mourning for Jimmy Carter"),
];

/// Why the exchange is closed all day; none if it opens.
pub(super) fn closed(date: NaiveDate) -> Option<&'static str> {
    match date.weekday() {
        Weekday::Sat => Some("Saturday"),
        Weekday::Sun => Some("Sunday"),
        _ => floating(date).or_else(|| fixed(date)).or_else(|| once(date)),
    }
}

/// Whether the exchange closes at 13:00, if it opens at all: before Independence Day and Christmas, unless that makes a
/// long weekend, and after Thanksgiving.
pub(super) fn is_early(date: NaiveDate) -> bool {
    let before_friday = date.weekday().num_days_from_monday() < 4;
    match (date.month(), date.day()) {
        (7, 3) | (12, 24) => before_friday,
        // The day after the fourth Thursday.
        (11, 23..=29) => date.weekday() == Weekday::Fri,
        _ => false,
    }
}

/// Holidays on a day of the week, and Good Friday.
fn floating(date: NaiveDate) -> Option<&'static str> {
    let nth = date.day().div_ceil(7);
    match (date.month(), date.weekday()) {
        (1, Weekday::Mon) if nth == 3 => Some("Martin Luther King Jr. Day"),
        (2, Weekday::Mon) if nth == 3 => Some("Presidents' Day"),
        (3 | 4, Weekday::Fri) if is_good_friday(date) => Some("Good Friday"),
        (5, Weekday::Mon) if date.day() > 24 => Some("Memorial Day"),
        (9, Weekday::Mon) if nth == 1 => Some("Labor Day"),
        (11, Weekday::Thu) if nth == 4 => Some("Thanksgiving Day"),
        _ => None,
    }
}

/// Holidays on a fixed date, as they are observed.
fn fixed(date: NaiveDate) -> Option<&'static str> {
    let beside = match date.weekday() {
        Weekday::Mon => date.pred_opt().and_then(on_fixed_date),
        Weekday::Fri => date.succ_opt().and_then(on_fixed_date).filter(|name| *name != NEW_YEAR),
        _ => None,
    };
    on_fixed_date(date).or(beside)
}

fn on_fixed_date(date: NaiveDate) -> Option<&'static str> {
    let this = |(month, day, since, _): &&(u32, u32, i32, &str)| {
        (*month, *day) == (date.month(), date.day()) && date.year() >= *since
    };
    FIXED.iter().find(this).map(|(.., name)| *name)
}

fn once(date: NaiveDate) -> Option<&'static str> {
    let this = |(year, month, day, _): &&(i32, u32, u32, &str)| {
        (*year, *month, *day) == (date.year(), date.month(), date.day())
    };
    ONCE.iter().find(this).map(|(.., name)| *name)
}

fn is_good_friday(date: NaiveDate) -> bool {
    date.checked_add_days(Days::new(2)).is_some_and(|sunday| Some(sunday) == easter(date.year()))
}

/// Easter Sunday: the anonymous Gregorian algorithm (Meeus, Astronomical Algorithms, chapter 8).
#[expect(clippy::many_single_char_names, reason = "the algorithm's own names")]
fn easter(year: i32) -> Option<NaiveDate> {
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (8 * b + 13) / 25;
    let h = (19 * a + b - d - g + 15) % 30;
    let l = (32 + 2 * e + 2 * (c / 4) - h - c % 4) % 7;
    let m = (a + 11 * h + 19 * l) / 433;
    let month = (h + l - 7 * m + 90) / 25;
    let day = (h + l - 7 * m + 33 * month + 19) % 32;
    NaiveDate::from_ymd_opt(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(date: &str) -> Option<&'static str> {
        closed(date.parse().unwrap())
    }

    #[test]
    fn closed_days_have_their_names() {
        for (date, name) in [
            ("2026-11-26", "Thanksgiving Day"),
            ("2026-11-28", "Saturday"),
            ("2026-11-29", "Sunday"),
            ("2026-12-25", "Christmas Day"),
            ("2021-12-24", "Christmas Day"),
            ("2022-12-26", "Christmas Day"),
            ("2026-07-03", "Independence Day"),
            ("2027-07-05", "Independence Day"),
            ("2027-06-18", "Juneteenth"),
            ("2023-01-02", "New Year's Day"),
            ("2027-01-18", "Martin Luther King Jr. Day"),
            ("2027-02-15", "Presidents' Day"),
            ("2024-03-29", "Good Friday"),
            ("2027-05-31", "Memorial Day"),
            ("2026-09-07", "Labor Day"),
            ("2012-10-30", "Hurricane Sandy"),
            ("2018-12-05", "National Day of Mourning for George H. W. Bush"),
            ("2025-01-09", "National Day of Mourning for Jimmy Carter"),
        ] {
            assert_eq!(on(date), Some(name), "{date}");
        }
    }

    #[test]
    fn some_days_are_no_holidays() {
        // A Friday before a New Year on Saturday, and a Juneteenth before the exchange observed it.
        for date in ["2010-12-31", "2021-12-31", "2027-12-31", "2021-06-18", "2020-06-19"] {
            assert_eq!(on(date), None, "{date}");
        }
    }

    #[test]
    fn easter_is_where_the_almanac_has_it() {
        for (year, easter_sunday) in [
            (1961, "1961-04-02"),
            (2000, "2000-04-23"),
            (2008, "2008-03-23"),
            (2011, "2011-04-24"),
            (2038, "2038-04-25"),
            (2049, "2049-04-18"),
            (2076, "2076-04-19"),
            (2099, "2099-04-12"),
        ] {
            assert_eq!(easter(year), easter_sunday.parse().ok(), "{year}");
        }
    }
}
