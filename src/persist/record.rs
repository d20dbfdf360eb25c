//! From a provider's entries to checked records.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde_json::{Map, Value as Json};

use super::datasets::{Dataset, Field, Kind, Shape};
use crate::config::Collections;
use crate::firestore::value::{Unstorable, is_field_name};
use crate::firestore::write::{DOCUMENT_BYTES_MAX, Mode};
use crate::firestore::{DocumentPath, Fields, Value, Write};
use crate::job::Ticker;

/// The version of the stored form, in every record.
pub const SCHEMA_VERSION: i64 = 1;

/// Fields that Firestore refuses are kept, as one JSON text, in this field.
pub const EXTRA_FIELD: &str = "extra_json";

/// What every record of a run has in common.
pub struct Context<'a> {
    pub collections: &'a Collections,
    pub source: &'static str,
    pub run_id: &'a str,
    pub now: DateTime<Utc>,
}

/// A record that cannot be stored as one, whole, with the reasons.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejected {
    pub dataset: Dataset,
    pub ticker: Option<String>,
    pub reasons: Vec<String>,
    pub record: Json,
}

/// What an entry held.
#[derive(Debug, Default)]
pub struct Yield {
    pub records: Vec<Write>,
    pub rejected: Vec<Rejected>,
    /// What the provider itself reports as failed.
    pub errors: Vec<String>,
}

/// Takes the records out of an entry's `data` (for [`Shape::Bare`]: out of the entry).
pub fn extract(dataset: Dataset, ticker: Option<&Ticker>, data: Json, context: &Context<'_>) -> Yield {
    let mut found = Yield::default();
    for (name, record) in split(dataset, data, &mut found, ticker) {
        match build(dataset, ticker, name, record, context) {
            Ok(write) => found.records.push(write),
            Err(rejected) => found.rejected.push(rejected),
        }
    }
    found
}

/// The single records of an entry, with the indicator's name where there is one.
fn split(
    dataset: Dataset,
    data: Json,
    found: &mut Yield,
    ticker: Option<&Ticker>,
) -> Vec<(Option<String>, Json)> {
    let mut reject = |record: Json, reason: &str| {
        let ticker = ticker.map(ToString::to_string);
        found.rejected.push(Rejected { dataset, ticker, reasons: vec![reason.to_owned()], record });
        Vec::new()
    };
    match (dataset.schema().shape, data) {
        (Shape::List, Json::Array(records)) => records.into_iter().map(|record| (None, record)).collect(),
        (Shape::List, other) => reject(other, "data is not a list"),
        (Shape::One | Shape::Bare, record) => vec![(None, record)],
        (Shape::Indicators, Json::Object(indicators)) => {
            let mut records = Vec::new();
            for (name, record) in indicators {
                match record.get("error") {
                    Some(error) if !error.is_null() => found.errors.push(format!("{name}: {}", words(error))),
                    _ => records.push((Some(name), record)),
                }
            }
            records
        }
        (Shape::Indicators, other) => reject(other, "data is not a map of indicators"),
    }
}

/// An error value as text, without credentials: a text itself, anything else as JSON.
pub fn words(error: &Json) -> String {
    crate::redact::words(error.as_str().map_or_else(|| error.to_string(), ToOwned::to_owned))
}

fn build(
    dataset: Dataset,
    ticker: Option<&Ticker>,
    name: Option<String>,
    record: Json,
    context: &Context<'_>,
) -> Result<Write, Rejected> {
    let reject = |reasons: Vec<String>, record: Json| Rejected {
        dataset,
        ticker: ticker.map(ToString::to_string),
        reasons,
        record,
    };
    let Json::Object(members) = record else {
        return Err(reject(vec!["the record is not a map".to_owned()], record));
    };
    // Checking consumes the record; the original is only needed again when it is rejected.
    let mut checked = match Checked::new(dataset, ticker, name, &members) {
        Ok(checked) => checked,
        Err(reasons) => return Err(reject(reasons, Json::Object(members))),
    };
    checked.stamp(context);
    let schema = dataset.schema();
    let document = DocumentPath::new((schema.collection)(context.collections), &(schema.id)(&checked.fields));
    let write = match schema.mode {
        Mode::Overwrite => Write::overwrite(document, checked.fields),
        Mode::Merge => Write::merge(document, checked.fields),
    };
    let bytes = write.stored_bytes();
    if bytes > DOCUMENT_BYTES_MAX {
        let reason = format!("too big for a document: {bytes} bytes, limit {DOCUMENT_BYTES_MAX}");
        return Err(reject(vec![reason], Json::Object(members)));
    }
    Ok(write)
}

/// A record whose fields have been checked.
struct Checked {
    fields: Fields,
}

impl Checked {
    fn new(
        dataset: Dataset,
        ticker: Option<&Ticker>,
        name: Option<String>,
        members: &Map<String, Json>,
    ) -> Result<Self, Vec<String>> {
        let flat;
        let members = match name {
            Some(name) => {
                flat = flatten_indicator(name, members);
                &flat
            }
            None => members,
        };
        let mut checked = Self { fields: Fields::new() };
        let mut reasons = Vec::new();
        checked.ticker(ticker, members, &mut reasons);
        for field in dataset.schema().fields {
            match (members.get(field.name), field.required) {
                (None | Some(Json::Null), true) => reasons.push(format!("{} is missing", field.name)),
                (None, false) => {}
                (Some(Json::Null), false) => checked.put(field.name, Value::NULL),
                (Some(value), _) => match check(field, value) {
                    Ok(value) => checked.put(field.name, value),
                    Err(reason) => reasons.push(reason),
                },
            }
        }
        checked.extras(dataset.schema().fields, members);
        if reasons.is_empty() { Ok(checked) } else { Err(reasons) }
    }

    fn put(&mut self, name: &str, value: Value) {
        self.fields.insert(name.to_owned(), value);
    }

    /// The record's ticker must be its entry's; only market-wide records may have none.
    fn ticker(&mut self, entry: Option<&Ticker>, members: &Map<String, Json>, reasons: &mut Vec<String>) {
        let own = members.get("ticker").filter(|own| !own.is_null());
        match (own, entry) {
            (None, None) => self.put("ticker", Value::NULL),
            (None, Some(entry)) => self.put("ticker", Value::string(entry.as_str())),
            (Some(Json::String(own)), entry) => match (Ticker::parse(own), entry) {
                (Ok(own), Some(entry)) if own != *entry => {
                    reasons.push(format!("ticker is `{own}` in an entry of `{entry}`"));
                }
                (Ok(own), _) => self.put("ticker", Value::string(own.as_str())),
                (Err(error), _) => reasons.push(error.to_string()),
            },
            (Some(_), _) => reasons.push("ticker is not a text".to_owned()),
        }
    }

    /// Fields beyond the schema are kept as they are; those that Firestore refuses, as one JSON text.
    fn extras(&mut self, known: &[Field], members: &Map<String, Json>) {
        let mut refused = Map::new();
        for (name, value) in members {
            if name == "ticker" || known.iter().any(|field| field.name == name) {
                continue;
            }
            match Value::try_from_json(value.clone()) {
                Ok(stored) if is_field_name(name) => self.put(name, stored),
                _ => {
                    refused.insert(name.clone(), value.clone());
                }
            }
        }
        if !refused.is_empty() {
            self.put(EXTRA_FIELD, Value::String(Json::Object(refused).to_string()));
        }
    }

    /// Where the record comes from; what the provider said already stays.
    fn stamp(&mut self, context: &Context<'_>) {
        let now = || Value::String(context.now.to_rfc3339_opts(SecondsFormat::Millis, true));
        if !matches!(self.fields.get("ingested_at"), Some(Value::String(_))) {
            self.put("ingested_at", now());
        }
        if !matches!(self.fields.get("source"), Some(Value::String(_))) {
            self.put("source", Value::string(context.source));
        }
        self.put("schema_version", Value::Integer(SCHEMA_VERSION));
        self.put("run_id", Value::string(context.run_id));
    }
}

/// Lifts date, value and raw data out of the record's own `data`.
fn flatten_indicator(name: String, members: &Map<String, Json>) -> Map<String, Json> {
    let mut flat = members.clone();
    if let Some(Json::Object(inner)) = flat.remove("data") {
        flat.extend(inner);
    }
    flat.entry("indicator").or_insert(Json::String(name));
    flat
}

/// The value of a field, or why it is none.
fn check(field: &Field, value: &Json) -> Result<Value, String> {
    let name = field.name;
    let wrong = |expect: &str| Err(format!("{name} must be {expect}, not {}", excerpt(value)));
    match (field.kind, value) {
        (Kind::Text, Json::String(text)) if !text.trim().is_empty() => Ok(Value::string(text)),
        (Kind::Text, _) => wrong("a text that is not empty"),
        (Kind::FreeText, Json::String(text)) => Ok(Value::string(text)),
        (Kind::FreeText, _) => wrong("a text"),
        (Kind::Date, Json::String(text)) if is_date(text) => Ok(Value::string(text)),
        (Kind::Date, _) => wrong("a date such as 2026-01-31"),
        (Kind::Number, Json::Number(_)) => stored(name, value),
        (Kind::Number, _) => wrong("a number"),
        (Kind::Integer, Json::Number(_)) => {
            whole(value).map_or_else(|| wrong("a whole number"), |n| Ok(Value::Integer(n)))
        }
        (Kind::Integer, _) => wrong("a whole number"),
        (Kind::UnixSeconds, _) => match whole(value) {
            Some(seconds) if seconds > 0 && DateTime::from_timestamp(seconds, 0).is_some() => {
                Ok(Value::Integer(seconds))
            }
            _ => wrong("seconds since 1970, above zero"),
        },
        (Kind::Texts, Json::Array(items)) if items.iter().all(Json::is_string) => stored(name, value),
        (Kind::Texts, _) => wrong("a list of texts"),
        (Kind::Map, Json::Object(_)) => stored(name, value),
        (Kind::Map, _) => wrong("a map"),
        (Kind::NumberOrNumbers, Json::Number(_)) => stored(name, value),
        (Kind::NumberOrNumbers, Json::Object(numbers))
            if !numbers.is_empty() && numbers.values().all(Json::is_number) =>
        {
            stored(name, value)
        }
        (Kind::NumberOrNumbers, _) => wrong("a number or a map of numbers"),
        (Kind::Json, value) => Ok(Value::String(value.to_string())),
    }
}

fn stored(name: &str, value: &Json) -> Result<Value, String> {
    Value::try_from_json(value.clone()).map_err(|error: Unstorable| format!("{name} has {error}"))
}

/// A whole number, also one written with a decimal point.
fn whole(value: &Json) -> Option<i64> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    value.as_i64().or_else(|| {
        let number = value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() <= EXACT_MAX)?;
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
        Some(number as i64)
    })
}

fn is_date(text: &str) -> bool {
    // The parser alone would take other forms as well, such as 2026-1-31.
    let form = text.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    form.eq(*b"0000-00-00") && text.parse::<NaiveDate>().is_ok()
}

/// The start of a value, for a message.
fn excerpt(value: &Json) -> String {
    const CHARS_MAX: usize = 60;
    let text = value.to_string();
    if text.chars().count() <= CHARS_MAX {
        text
    } else {
        text.chars().take(CHARS_MAX).chain(['…']).collect()
    }
}

#[cfg(test)]
mod tests;
