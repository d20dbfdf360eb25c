//! What identifies a record, according to its dataset.

mod article;

use chrono::DateTime;

use crate::base::id::fnv1a_128;
use crate::catalogue::Dataset;
use crate::catalogue::dataset::{Apart, IdPart, Identify};
use crate::firestore::{Fields, Value};

/// Adds the parts of a checked record's ID that the provider did not send, or says what is missing.
pub(super) fn identify(dataset: &Dataset, fields: &mut Fields) -> Result<(), String> {
    match dataset.identify {
        Identify::AsSent => Ok(()),
        Identify::Article { prefix, stable } => article::identify(fields, prefix, stable),
    }
}

/// What distinguishes records with the same ID, if anything does.
pub(super) fn apart(how: Apart, fields: &Fields) -> Option<String> {
    match how {
        Apart::Nothing => None,
        Apart::Content => Some(format!("{:032x}", content(fields))),
        Apart::Quarter => {
            let number = |name| fields.get(name).and_then(Value::as_i64);
            Some(format!("{}-Q{}", number("year")?, number("quarter")?))
        }
    }
}

/// The document ID of an identified record.
pub(super) fn id(dataset: &Dataset, fields: &Fields) -> String {
    let part = |part: &IdPart| match *part {
        IdPart::Word(word) => word.to_owned(),
        IdPart::Field(name) => text(fields, name).to_owned(),
        IdPart::Second(name) => second(fields, name),
        IdPart::Day(name) => day(fields, name).to_owned(),
    };
    dataset.id.iter().map(part).collect::<Vec<_>>().join("_")
}

/// A digest of a record's content, without when and by which run it was requested.
pub(super) fn content(fields: &Fields) -> u128 {
    let is_of_the_call = |name: &str| matches!(name, "ingested_at" | "run_id" | "schema_version");
    hash(&fields.iter().filter(|(name, _)| !is_of_the_call(name)).collect::<Vec<_>>())
}

fn hash(content: &impl serde::Serialize) -> u128 {
    // Strings and plain numbers always encode.
    fnv1a_128(&serde_json::to_vec(content).unwrap_or_default())
}

/// A checked text field.
fn text<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn second(fields: &Fields, name: &str) -> String {
    let seconds = fields.get(name).and_then(Value::as_i64).unwrap_or_default();
    DateTime::from_timestamp(seconds, 0).unwrap_or_default().format("%Y-%m-%dT%H:%M:%S").to_string()
}

fn day<'a>(fields: &'a Fields, name: &str) -> &'a str {
    let date = text(fields, name);
    let is_of_minutes = text(fields, "interval").ends_with("min");
    if is_of_minutes { date } else { date.get(..10).unwrap_or(date) }
}
