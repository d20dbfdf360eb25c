//! Whether the value of a field is what its dataset expects.

use chrono::{DateTime, NaiveTime};
use serde_json::Value as Json;

use crate::base::{text, time};
use crate::catalogue::dataset::{Field, Kind};
use crate::firestore::Value;
use crate::firestore::value::Unstorable;

/// A time above this is in milliseconds or smaller units: in seconds it would be beyond the year 5100.
const SECONDS_MAX: i64 = 100_000_000_000;

/// The value of a field, or why it is not valid.
pub(super) fn check(field: &Field, value: &Json) -> Result<Value, String> {
    let name = field.name;
    let wrong = |expect: &str| Err(format!("{name} must be {expect}, not {}", excerpt(value)));
    match (field.kind, value) {
        (Kind::Text, Json::String(text)) if !text.trim().is_empty() => Ok(Value::string(text)),
        (Kind::Text, _) => wrong("a non-empty string"),
        (Kind::FreeText, Json::String(text)) => Ok(Value::string(text)),
        (Kind::FreeText, _) => wrong("a string"),
        (Kind::Date, Json::String(text)) if is_date(text) => Ok(Value::string(text)),
        (Kind::Date, _) => wrong("a date such as 2026-01-31"),
        (Kind::Moment, Json::String(text)) if is_moment(text) => Ok(Value::string(text)),
        (Kind::Moment, _) => {
            wrong("a date such as 2026-01-31, or one with a time such as 2026-01-31 12:08:22")
        }
        (Kind::Number, Json::Number(number)) => Ok(Value::of_number(number)),
        (Kind::Number, _) => wrong("a number"),
        (Kind::Integer, Json::Number(_)) => {
            whole(value).map_or_else(|| wrong("a whole number"), |n| Ok(Value::Integer(n)))
        }
        (Kind::Integer, _) => wrong("a whole number"),
        (Kind::UnixTime, _) => match whole(value).map(seconds) {
            Some(0) if !field.required => Ok(Value::Integer(0)),
            Some(seconds) if seconds > 0 && DateTime::from_timestamp(seconds, 0).is_some() => {
                Ok(Value::Integer(seconds))
            }
            _ => wrong("a positive Unix time in seconds or milliseconds"),
        },
        (Kind::Texts, Json::Array(items)) if items.iter().all(Json::is_string) => stored(name, value),
        (Kind::Texts, _) => wrong("a list of strings"),
        (Kind::Map, Json::Object(_)) => stored(name, value),
        (Kind::Map, _) => wrong("an object"),
        (Kind::NumberOrNumbers, Json::Number(number)) => Ok(Value::of_number(number)),
        (Kind::NumberOrNumbers, Json::Object(numbers))
            if !numbers.is_empty() && numbers.values().all(Json::is_number) =>
        {
            stored(name, value)
        }
        (Kind::NumberOrNumbers, _) => wrong("a number or an object of numbers"),
        (Kind::Json, value) => Ok(Value::String(value.to_string())),
    }
}

fn stored(name: &str, value: &Json) -> Result<Value, String> {
    Value::try_from_json(value.clone()).map_err(|error: Unstorable| format!("{name} has {error}"))
}

/// A whole number, possibly written with a decimal point.
fn whole(value: &Json) -> Option<i64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    value.as_i64().or_else(|| {
        let number = value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() <= EXACT_MAX)?;
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
        Some(number as i64)
    })
}

/// Seconds since 1970, from a time in seconds, milli-, micro- or nanoseconds.
fn seconds(mut time: i64) -> i64 {
    while time > SECONDS_MAX {
        time /= 1_000;
    }
    time
}

fn is_date(text: &str) -> bool {
    time::day(text).is_some()
}

/// A day, or a day with a time: the value of a day that is not over has the time at which it was computed.
fn is_moment(text: &str) -> bool {
    let Some((day, rest)) = text.split_at_checked(10) else { return false };
    let is_time = |time: &str| {
        (has_form(time, "00:00") || has_form(time, "00:00:00")) && time.parse::<NaiveTime>().is_ok()
    };
    is_date(day) && (rest.is_empty() || rest.strip_prefix([' ', 'T']).is_some_and(is_time))
}

/// Whether a string has digits where the pattern has zeros, and is otherwise identical.
fn has_form(text: &str, form: &str) -> bool {
    text.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte }).eq(form.bytes())
}

/// The start of a value, for a message.
fn excerpt(value: &Json) -> String {
    text::excerpt(&value.to_string(), 60)
}
