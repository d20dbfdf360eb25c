use chrono::{Datelike, Weekday};
use proptest::prelude::*;

use super::*;
use crate::calendar::new_york::in_new_york;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn calendar(overrides: &str) -> Calendar {
    Calendar::with_overrides(overrides).unwrap()
}

/// Any day from 2010 to 2099.
fn days() -> impl Strategy<Value = NaiveDate> {
    (0u64..32_800).prop_map(|days| day("2010-01-01") + Days::new(days))
}

/// Some days that an operator set.
fn calendars() -> impl Strategy<Value = Calendar> {
    let weekday = days().prop_filter("weekdays", |day| day.weekday().num_days_from_monday() < 5);
    let what = prop::sample::select(vec!["closed", "open", "11:45", "13:00"]);
    prop::collection::btree_map(weekday, what, 0..20).prop_map(|overrides| {
        let entries: Vec<_> = overrides.iter().map(|(day, what)| format!("{day}={what}")).collect();
        calendar(&entries.join(", "))
    })
}

proptest! {
    #[test]
    fn next_and_previous_are_inverse(date in days(), calendar in calendars()) {
        let next = calendar.next_session(date).unwrap();
        let previous = calendar.previous_session(date).unwrap();
        prop_assert!(previous.date < date && date < next.date);
        let between = calendar.session(date);
        prop_assert_eq!(calendar.previous_session(next.date), between.or(Some(previous)));
        prop_assert_eq!(calendar.next_session(previous.date), between.or(Some(next)));
        let listed: Vec<_> = calendar.sessions(previous.date..=next.date).collect();
        prop_assert_eq!(listed, [Some(previous), between, Some(next)].into_iter().flatten().collect::<Vec<_>>());
    }

    #[test]
    fn a_session_opens_before_it_closes_on_a_weekday_by_new_yorks_clock(date in days(), calendar in calendars()) {
        let Some(session) = calendar.session(date) else {
            prop_assert!(calendar.closed_reason(date).is_some());
            return Ok(());
        };
        prop_assert_eq!(calendar.closed_reason(date), None);
        prop_assert!(!matches!(date.weekday(), Weekday::Sat | Weekday::Sun));
        prop_assert_eq!(session.date, date);
        prop_assert!(session.open < session.close);
        // The time zone database's clock, not ours.
        let local = |time: DateTime<Utc>| time.with_timezone(&chrono_tz::America::New_York).naive_local();
        prop_assert_eq!(local(session.open), date.and_hms_opt(9, 30, 0).unwrap());
        let close = local(session.close);
        prop_assert_eq!(close.date(), date);
        prop_assert_eq!(session.early, close.time() < CLOSE);
        if calendar == Calendar::default() {
            prop_assert!(close.time() == CLOSE || close.time() == EARLY_CLOSE);
        }
    }

    #[test]
    fn the_latest_closed_session_is_the_last_that_closed_in_time(
        seconds in 1_262_304_000i64..4_000_000_000, minutes in 0i64..5_000, calendar in calendars()
    ) {
        let (now, grace) = (DateTime::from_timestamp(seconds, 0).unwrap(), TimeDelta::minutes(minutes));
        let latest = calendar.latest_closed_by(now, grace).unwrap();
        prop_assert!(latest.close + grace <= now);
        prop_assert!(calendar.next_session(latest.date).unwrap().close + grace > now);
    }

    #[test]
    fn the_market_is_open_within_a_session_and_at_no_other_time(
        date in days(), seconds in 0i64..86_400, calendar in calendars()
    ) {
        let instant = date.and_time(chrono::NaiveTime::MIN).and_utc() + TimeDelta::seconds(seconds);
        let around = calendar.sessions(date - Days::new(1)..=date);
        let open = around.filter(|session| (session.open..session.close).contains(&instant)).last();
        prop_assert_eq!(calendar.session_open_at(instant), open);
    }

    #[test]
    fn no_overrides_panic(text: String) {
        let _ = Calendar::with_overrides(&text);
    }
}

#[test]
fn a_session_has_new_yorks_hours_in_summer_and_winter() {
    let hours = |date| {
        let session = Calendar::default().session(day(date)).unwrap();
        [session.open, session.close].map(|time| in_new_york(time).unwrap().to_rfc3339())
    };
    assert_eq!(hours("2026-10-30"), ["2026-10-30T09:30:00-04:00", "2026-10-30T16:00:00-04:00"]);
    assert_eq!(hours("2026-11-02"), ["2026-11-02T09:30:00-05:00", "2026-11-02T16:00:00-05:00"]);
    assert_eq!(hours("2026-11-27"), ["2026-11-27T09:30:00-05:00", "2026-11-27T13:00:00-05:00"]);
}

#[test]
fn an_override_goes_before_the_rules() {
    let calendar =
        calendar("2026-12-31=13:00, 2027-01-08=closed,2026-11-26=open, 2026-11-27 = open,, 2026-12-25=10:15");
    let close = |date| calendar.session(day(date)).map(|session| (session.close, session.early));
    assert_eq!(close("2026-12-31"), Some((at("2026-12-31T18:00:00Z"), true)));
    assert_eq!(
        (close("2027-01-08"), calendar.closed_reason(day("2027-01-08"))),
        (None, Some(CLOSED_BY_OPERATOR))
    );
    assert_eq!(close("2026-11-26"), Some((at("2026-11-26T21:00:00Z"), false)));
    assert_eq!(close("2026-11-27"), Some((at("2026-11-27T21:00:00Z"), false)));
    assert_eq!(close("2026-12-25"), Some((at("2026-12-25T15:15:00Z"), true)));
    assert_eq!(calendar.next_session(day("2027-01-07")).unwrap().date, day("2027-01-11"));
}

#[test]
fn a_wrong_override_is_told_with_the_entry_and_what_is_allowed() {
    let error = |text: &str| Calendar::with_overrides(text).unwrap_err();
    for entry in [
        "2026-12-31",
        "2026-12-32=closed",
        "31.12.2026=closed",
        "2026-12-31=shut",
        "2026-12-31=09:30",
        "2026-12-31=16:00",
        "2026-12-31=25:00",
        "2026-12-31=closed=open",
    ] {
        let error = error(&format!("2027-01-08=closed, {entry}"));
        assert_eq!(
            error,
            format!(
                "must contain entries such as 2027-01-08=closed, 2026-12-31=13:00 (closes early, after 09:30 and \
                 before 16:00) or 2027-01-15=open, not `{entry}`"
            )
        );
    }
    let weekend = error("2026-11-28=open");
    assert_eq!(weekend, "must contain only days from Monday to Friday, not `2026-11-28=open`");
    let twice = error("2026-12-31=closed, 2026-12-31=13:00");
    assert_eq!(twice, "sets 2026-12-31 twice: `2026-12-31=13:00`");
}

#[test]
fn the_latest_closed_session_waits_for_its_grace() {
    let latest = |now, minutes| {
        Calendar::default().latest_closed_by(at(now), TimeDelta::minutes(minutes)).unwrap().date.to_string()
    };
    // Thanksgiving is on a Thursday; the Friday after it closes at 13:00.
    assert_eq!(latest("2026-11-26T23:00:00Z", 90), "2026-11-25");
    assert_eq!(latest("2026-11-27T19:29:59Z", 90), "2026-11-25");
    assert_eq!(latest("2026-11-27T19:30:00Z", 90), "2026-11-27");
    // Three in the morning in New York is still the day after the session.
    assert_eq!(latest("2026-12-01T04:59:59Z", 0), "2026-11-30");
    assert_eq!(latest("2026-12-01T20:59:59Z", 0), "2026-11-30");
    assert_eq!(latest("2026-12-01T21:00:00Z", 0), "2026-12-01");
}
