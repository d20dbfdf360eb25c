//! From a provider's entries to checked records.

mod check;
mod checked;
mod plausible;

use std::fmt;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value as Json};

use super::identity;
use super::rejected::Rejected;
use crate::calendar::Calendar;
use crate::catalogue::dataset::{Mode, Shape};
use crate::catalogue::{Dataset, Ticker, WindowParameters};
use crate::config::Collections;
use crate::firestore::write::DOCUMENT_BYTES_MAX;
use crate::firestore::{DocumentPath, Write};
use crate::run::Window;
use checked::Checked;
pub(super) use plausible::as_number;
use plausible::{Today, violations};

/// The version of the stored form, in every record.
pub const SCHEMA_VERSION: i64 = 1;

/// Fields that Firestore refuses are kept in this field, as one JSON string.
pub const EXTRA_FIELD: &str = "extra_json";

/// Members in which upstreams, Alpha Vantage among them, say why there is no data.
const NOTICES: [&str; 7] =
    ["Information", "Note", "Error Message", "error_message", "errorMessage", "message", "detail"];

/// What every record of a run has in common.
pub struct Context<'a> {
    pub collections: &'a Collections,
    pub source: &'static str,
    pub run_id: &'a str,
    pub now: DateTime<Utc>,
    pub calendar: &'a Calendar,
    /// The run's scheduled time, or the time it was requested for.
    pub tick: DateTime<Utc>,
    pub asked: Asked<'a>,
}

/// What a request asked for, beside its tickers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// An answer that reaches back to this time is whole; none if it must have everything.
    pub since: Option<DateTime<Utc>>,
    /// Whether more records were asked for than usual.
    pub is_enlarged: bool,
    /// The parts of each ticker's data; empty means all.
    pub parts: &'a [String],
    /// Parts that an answer before had no current record of, as the reason names them.
    pub outdated: &'a [String],
    /// The days that were requested, and how the endpoint takes them.
    pub window: Option<(Window, &'static WindowParameters)>,
}

/// The contents of an entry.
#[derive(Debug, Default)]
pub struct Extracted {
    pub records: Vec<Write>,
    pub rejected: Vec<Rejected>,
    /// The parts that the provider itself reports as failed.
    pub errors: Vec<String>,
    pub parts: Vec<Part>,
}

/// A part of an entry, an indicator, that the provider reports as failed.
#[derive(Debug)]
pub struct Part {
    pub name: String,
    /// The provider's error message.
    pub message: String,
    record: Json,
}

impl Part {
    /// The rejected record of a part that failed permanently while others succeeded.
    pub fn into_rejected(self, dataset: &'static Dataset, ticker: &Ticker) -> Rejected {
        let reasons = vec![self.to_string()];
        Rejected::new(
            dataset,
            Some(ticker),
            reasons,
            Json::Object(Map::from_iter([(self.name, self.record)])),
        )
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.message)
    }
}

/// Extracts the records from an entry's `data` (for [`Shape::Bare`]: from the entry itself).
pub fn extract(
    dataset: &'static Dataset,
    ticker: Option<&Ticker>,
    data: Json,
    context: &Context<'_>,
) -> Extracted {
    let mut found = Extracted::default();
    for (name, record) in split(dataset, data, &mut found, ticker) {
        match build(dataset, ticker, name.as_deref(), record, context) {
            Ok(write) => found.records.push(write),
            Err(rejected) => found.rejected.push(rejected),
        }
    }
    found
}

/// The single records of an entry, with the indicator's name if there is one.
fn split(
    dataset: &'static Dataset,
    data: Json,
    found: &mut Extracted,
    ticker: Option<&Ticker>,
) -> Vec<(Option<String>, Json)> {
    let mut reject = |record: Json, reason: &str| {
        found.rejected.push(Rejected::new(dataset, ticker, vec![reason.to_owned()], record));
        Vec::new()
    };
    match (dataset.shape, data) {
        (Shape::List, Json::Array(records)) => records.into_iter().map(|record| (None, record)).collect(),
        (Shape::Bare, record) => vec![(None, record)],
        (Shape::Indicators(_), Json::Object(indicators)) => {
            let mut records = Vec::new();
            for (name, record) in indicators {
                match notice(dataset, record.get("data").unwrap_or(&record))
                    .or_else(|| notice(dataset, &record))
                {
                    Some(message) => found.parts.push(Part { name, message, record }),
                    None => records.push((Some(name), record)),
                }
            }
            records
        }
        (shape, data) => match (notice(dataset, &data), shape) {
            (Some(message), _) => {
                found.errors.push(message);
                Vec::new()
            }
            (None, Shape::List) => reject(data, "data is not a list"),
            (None, Shape::Indicators(_)) => reject(data, "data is not an object of indicators"),
            (None, _) => vec![(None, data)],
        },
    }
}

/// The provider's message in place of data.
fn notice(dataset: &Dataset, data: &Json) -> Option<String> {
    let members = match data {
        Json::String(text) => return Some(error_message(&Json::String(text.clone()))),
        Json::Object(members) => members,
        _ => return None,
    };
    if let Some(error) = members.get("error").filter(|error| !error.is_null()) {
        return Some(error_message(error));
    }
    let has_data = dataset.fields.iter().any(|field| field.required && members.contains_key(field.name));
    let is_notice = |name: &&&str| members.get(**name).is_some_and(Json::is_string);
    let name = NOTICES.iter().find(is_notice).filter(|_| !has_data && !members.contains_key("data"))?;
    members.get(*name).map(|text| format!("{name}: {}", error_message(text)))
}

/// An error value as text, without credentials: a string as it is, anything else as JSON.
pub fn error_message(error: &Json) -> String {
    crate::base::redact::words(error.as_str().map_or_else(|| error.to_string(), ToOwned::to_owned))
}

fn build(
    dataset: &'static Dataset,
    ticker: Option<&Ticker>,
    name: Option<&str>,
    record: Json,
    context: &Context<'_>,
) -> Result<Write, Rejected> {
    let reject = |reasons, record| Rejected::new(dataset, ticker, reasons, record);
    let Json::Object(members) = record else {
        return Err(reject(vec!["the record is not an object".to_owned()], record));
    };
    // Checking consumes the record; the original is only needed again if it is rejected.
    let mut checked = match Checked::new(dataset, ticker, name, &members, context) {
        Ok(checked) => checked,
        Err(reasons) => return Err(reject(reasons, Json::Object(members))),
    };
    let today = Today { calendar: context.calendar, now: context.now };
    let reasons = violations(dataset, &checked.fields, &today);
    if !reasons.is_empty() {
        return Err(reject(reasons, Json::Object(members)));
    }
    checked.stamp(dataset);
    let id = identity::id(dataset, &checked.fields);
    let document = DocumentPath::new(context.collections.of(dataset), &id);
    let write = match dataset.mode {
        Mode::Overwrite => Write::overwrite(document, checked.fields),
        Mode::Merge => Write::merge(document, checked.fields),
    };
    let bytes = write.stored_bytes();
    if bytes > DOCUMENT_BYTES_MAX {
        let reason = format!("too large for a document: {bytes} bytes, limit {DOCUMENT_BYTES_MAX}");
        return Err(reject(vec![reason], Json::Object(members)));
    }
    Ok(write)
}

#[cfg(test)]
mod tests;
