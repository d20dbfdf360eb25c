//! Whether a record's values can be true.

use chrono::{DateTime, Datelike, NaiveDate, TimeDelta, Utc};

use crate::calendar::Calendar;
use crate::calendar::new_york::to_new_york;
use crate::catalogue::Dataset;
use crate::catalogue::dataset::Check;
use crate::firestore::{Fields, Value};
use crate::intake::expectation::day_of;

/// Days before this year are an upstream's mistake, such as the first day of 1970.
const YEAR_MIN: i32 = 2000;
/// 2000-01-01T00:00:00Z.
const SECONDS_MIN: i64 = 946_684_800;
/// How far ahead of the run a provider's clock may be.
const AHEAD_MAX: TimeDelta = TimeDelta::days(1);

/// What values are compared with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Today<'a> {
    pub calendar: &'a Calendar,
    pub now: DateTime<Utc>,
}

/// Why a record cannot be true; empty if it can.
pub(super) fn violations(dataset: &Dataset, record: &Fields, today: &Today<'_>) -> Vec<String> {
    dataset.checks.iter().filter_map(|check| violation(*check, record, today)).collect()
}

fn violation(check: Check, record: &Fields, today: &Today<'_>) -> Option<String> {
    let number = |field| record.get(field).and_then(as_number);
    match check {
        Check::Positive(field) => {
            let value = number(field).filter(|value| *value <= 0.0)?;
            Some(format!("{field} must be above 0, not {value}"))
        }
        Check::NotNegative(field) => {
            let value = number(field).filter(|value| *value < 0.0)?;
            Some(format!("{field} is negative: {value}"))
        }
        Check::Ordered(low, high) => {
            let (lower, upper) = (number(low)?, number(high)?);
            (lower > upper).then(|| format!("{low} {lower} is above {high} {upper}"))
        }
        Check::TradingDay(field) => {
            let day = day_of(record, field)?;
            if day.year() < YEAR_MIN {
                return Some(format!("{field} {day} is before {YEAR_MIN}"));
            }
            let reason = today.calendar.closed_reason(day)?;
            Some(format!("{field} must be a trading day, not {day} ({reason})"))
        }
        Check::NotAhead(field) => {
            let (day, last) = (day_of(record, field)?, last_day(today));
            (day > last).then(|| format!("{field} {day} is after the run's day {last}"))
        }
        Check::Plausible(field) => {
            let seconds = record.get(field).and_then(Value::as_i64).filter(|seconds| *seconds != 0)?;
            let last = today.now + AHEAD_MAX;
            let is_plausible = (SECONDS_MIN..=last.timestamp()).contains(&seconds);
            let time = || {
                DateTime::from_timestamp(seconds, 0)
                    .map_or_else(|| seconds.to_string(), |time| format!("{time:?}"))
            };
            (!is_plausible).then(|| format!("{field} must be between 2000 and {last:?}, not {}", time()))
        }
    }
}

/// The run's day in New York.
fn last_day(today: &Today<'_>) -> NaiveDate {
    to_new_york(today.now).date()
}

#[expect(clippy::cast_precision_loss, reason = "only compared with other prices and volumes")]
pub(in crate::intake) fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(number) => Some(*number as f64),
        Value::Double(number) => Some(*number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::find_dataset;
    use crate::firestore::value::fields;

    /// A sound price, with these fields replaced.
    fn price(changed: &[(&'static str, Value)]) -> Fields {
        let mut record = fields([
            ("date", Value::string("2026-11-25")),
            ("open", Value::Double(10.0)),
            ("high", Value::Double(11.0)),
            ("low", Value::Double(9.5)),
            ("close", Value::Integer(10)),
            ("volume", Value::Integer(0)),
        ]);
        for (name, value) in changed {
            record.insert((*name).to_owned(), value.clone());
        }
        record
    }

    fn check(dataset: &str, record: &Fields, expect: &[&str]) {
        let calendar = Calendar::default();
        let now = "2026-11-25T23:00:00Z".parse().unwrap();
        let found = violations(find_dataset(dataset).unwrap(), record, &Today { calendar: &calendar, now });
        assert_eq!(found, expect);
    }

    #[test]
    fn a_price_that_cannot_be_true_is_named_with_its_value() {
        let double = Value::Double;
        for (changed, expect) in [
            (vec![], vec![]),
            (vec![("open", double(0.0))], vec!["open must be above 0, not 0"]),
            (vec![("close", double(-1.5))], vec!["close must be above 0, not -1.5"]),
            (vec![("low", double(12.0))], vec!["low 12 is above high 11"]),
            (vec![("volume", Value::Integer(-1))], vec!["volume is negative: -1"]),
            (
                vec![("date", Value::string("2026-11-22"))],
                vec!["date must be a trading day, not 2026-11-22 (Sunday)"],
            ),
            (vec![("date", Value::string("1969-12-31"))], vec!["date 1969-12-31 is before 2000"]),
            (
                vec![("date", Value::string("2026-11-27"))],
                vec!["date 2026-11-27 is after the run\'s day 2026-11-25"],
            ),
        ] {
            check("daily_prices", &price(&changed), &expect);
        }
    }

    #[test]
    fn the_runs_day_is_new_yorks() {
        let calendar = Calendar::default();
        let record = price(&[("date", Value::string("2026-11-24"))]);
        let dataset = find_dataset("daily_prices").unwrap();
        // Still the 23rd in New York.
        let now = "2026-11-24T03:00:00Z".parse().unwrap();
        assert_eq!(violations(dataset, &record, &Today { calendar: &calendar, now }).len(), 1);
        let now = "2026-11-24T06:00:00Z".parse().unwrap();
        assert_eq!(violations(dataset, &record, &Today { calendar: &calendar, now }), Vec::<String>::new());
    }

    #[test]
    fn times_are_between_2000_and_a_day_ahead() {
        let quote =
            |seconds| fields([("current_price", Value::Double(1.0)), ("timestamp", Value::Integer(seconds))]);
        let now = 1_795_647_600;
        check("quotes", &quote(now), &[]);
        check("quotes", &quote(now + 86_400), &[]);
        check(
            "quotes",
            &quote(now + 86_401),
            &["timestamp must be between 2000 and 2026-11-26T23:00:00Z, not 2026-11-26T23:00:01Z"],
        );
        check(
            "quotes",
            &quote(946_684_799),
            &["timestamp must be between 2000 and 2026-11-26T23:00:00Z, not 1999-12-31T23:59:59Z"],
        );
        let free = fields([("current_price", Value::Integer(0)), ("timestamp", Value::Integer(now))]);
        check("quotes", &free, &["current_price must be above 0, not 0"]);
    }
}
