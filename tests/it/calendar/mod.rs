//! The calendar of sessions, day for day against two sources that know nothing of ours: a table of the package
//! `exchange_calendars`, and the crate `exchange-hours`.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, Utc, Weekday};
use chrono_tz::America::New_York;
use exchange_hours::{Exchange, ExchangeCalendar, SessionKind};
use orchestrator::calendar::Calendar;

/// What both sources cover.
const FIRST: &str = "2010-01-01";
const LAST: &str = "2028-12-31";

/// Opening and closing time in New York; none on a closed day.
type Hours = Option<(NaiveTime, NaiveTime)>;

#[test]
fn sessions_are_those_of_exchange_calendars() {
    let facts = facts();
    let theirs = |date: NaiveDate| match facts.get(&date) {
        Some(fact) => *fact,
        None if matches!(date.weekday(), Weekday::Sat | Weekday::Sun) => None,
        None => Some((time("09:30"), time("16:00"))),
    };
    assert_eq!(differences(theirs), BTreeMap::new());
}

#[test]
fn sessions_are_those_of_exchange_hours() {
    // The week of the last covered day is followed by days that the crate does not know.
    let nyse = ExchangeCalendar::new(Exchange::Nyse).with_last_known_week();
    let theirs = |date: NaiveDate| {
        let morning = date.and_time(time("08:00")).and_utc();
        let next = nyse.session_bounds_with(morning, SessionKind::Regular).expect("covered");
        let (open, close) = next.expect("a session within two weeks");
        (open.with_timezone(&New_York).date_naive() == date).then(|| hours(open, close))
    };
    // On that day the exchange was closed for the funeral of George H. W. Bush; the crate's table has no row for it.
    let mourning = day("2018-12-05");
    let whole_day = Some((time("09:30"), time("16:00")));
    assert_eq!(differences(theirs), BTreeMap::from([(mourning, (None, whole_day))]));
}

/// The days on which our hours (the first) are not `theirs`.
fn differences(theirs: impl Fn(NaiveDate) -> Hours) -> BTreeMap<NaiveDate, (Hours, Hours)> {
    let calendar = Calendar::default();
    let ours = |date| calendar.session(date).map(|session| hours(session.open, session.close));
    let days = day(FIRST).iter_days().take_while(|date| *date <= day(LAST));
    let both = days.map(|date| (date, (ours(date), theirs(date))));
    both.filter(|(_, (ours, theirs))| ours != theirs).collect()
}

/// The days that are closed or close early, in the table.
fn facts() -> BTreeMap<NaiveDate, Hours> {
    let lines = include_str!("exchange_calendars.txt").lines().filter(|line| !line.starts_with('#'));
    let fact = |line: &str| {
        let (date, what) = line.split_once(' ').expect("a date and what happens");
        (day(date), (what != "closed").then(|| (time("09:30"), time(what))))
    };
    let facts: BTreeMap<_, _> = lines.map(fact).collect();
    // Nine to ten holidays a year; so few only if the table was cut.
    assert!(facts.len() > 200, "only {} facts", facts.len());
    facts
}

/// The hours in New York, by the time zone database.
fn hours(open: DateTime<Utc>, close: DateTime<Utc>) -> (NaiveTime, NaiveTime) {
    let [open, close] = [open, close].map(|time| time.with_timezone(&New_York));
    assert_eq!(open.date_naive(), close.date_naive());
    (open.time(), close.time())
}

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a date")
}

fn time(text: &str) -> NaiveTime {
    NaiveTime::parse_from_str(text, "%H:%M").expect("a time")
}

#[test]
fn every_year_of_the_century_has_as_many_sessions_as_a_year_can_have() {
    let calendar = Calendar::default();
    for year in 2010..=2099 {
        let first = NaiveDate::from_ymd_opt(year, 1, 1).expect("a day");
        let last = NaiveDate::from_ymd_opt(year, 12, 31).expect("a day");
        let sessions = calendar.sessions(first..=last).count();
        let early = calendar.sessions(first..=last).filter(|session| session.early).count();
        // 261 or 262 weekdays, less nine or ten holidays, of which one or two may not be observed.
        assert!((249..=253).contains(&sessions), "{year}: {sessions} sessions");
        assert!((1..=3).contains(&early), "{year}: {early} early closes");
        assert_eq!(calendar.next_session(last).map(|session| session.date.year()), Some(year + 1));
    }
}
