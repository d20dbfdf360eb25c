//! The order of values in queries.

use std::cmp::Ordering;

use chrono::DateTime;
use serde_json::{Value as Json, json};

/// Compares two typed values: kinds first, then within the kind.
pub(super) fn compare(a: &Json, b: &Json) -> Ordering {
    rank(a).cmp(&rank(b)).then_with(|| match (number(a), number(b)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => match (time(a), time(b)) {
            (Some(a), Some(b)) => a.cmp(&b),
            _ => text(a).cmp(text(b)),
        },
    })
}

/// Whether two values are of kinds that a range can hold together.
pub(super) fn is_comparable(a: &Json, b: &Json) -> bool {
    rank(a) == rank(b)
}

/// The larger of two integers; the given number if there is no other.
pub(super) fn larger(value: Option<&Json>, number: &Json) -> Json {
    let integer = |value: &Json| value["integerValue"].as_str().and_then(|text| text.parse::<i64>().ok());
    if value.and_then(integer) > integer(number) {
        value.cloned().unwrap_or_default()
    } else {
        number.clone()
    }
}

/// Adds an amount to a typed number; anything but a number counts as zero.
pub(super) fn add(value: Option<&Json>, amount: &Json) -> Json {
    let integer = |value: &Json| value["integerValue"].as_str().and_then(|text| text.parse::<i64>().ok());
    let old = value.filter(|value| number(value).is_some());
    match (old.map_or(Some(0), integer), integer(amount)) {
        (Some(old), Some(amount)) => json!({"integerValue": old.saturating_add(amount).to_string()}),
        _ => {
            let old = old.and_then(number).unwrap_or_default();
            json!({"doubleValue": old + number(amount).unwrap_or_default()})
        }
    }
}

fn rank(value: &Json) -> usize {
    const KINDS: [&[&str]; 10] = [
        &["nullValue"],
        &["booleanValue"],
        &["integerValue", "doubleValue"],
        &["timestampValue"],
        &["stringValue"],
        &["bytesValue"],
        &["referenceValue"],
        &["geoPointValue"],
        &["arrayValue"],
        &["mapValue"],
    ];
    let is_of = |kinds: &&&[&str]| kinds.iter().any(|kind| value.get(kind).is_some());
    KINDS.iter().position(|kinds| is_of(&kinds)).unwrap_or(KINDS.len())
}

fn number(value: &Json) -> Option<f64> {
    let integer = value["integerValue"].as_str().and_then(|text| text.parse().ok());
    integer.or_else(|| value["doubleValue"].as_f64())
}

fn time(value: &Json) -> Option<DateTime<chrono::FixedOffset>> {
    DateTime::parse_from_rfc3339(value["timestampValue"].as_str()?).ok()
}

fn text(value: &Json) -> &str {
    ["stringValue", "referenceValue", "bytesValue"]
        .iter()
        .find_map(|kind| value[kind].as_str())
        .unwrap_or_default()
}
