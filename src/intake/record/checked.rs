//! A record whose fields have been checked.

use chrono::SecondsFormat;
use serde_json::{Map, Value as Json};

use super::check::check;
use super::{Context, EXTRA_FIELD, SCHEMA_VERSION};
use crate::catalogue::dataset::Field;
use crate::catalogue::{Dataset, Ticker};
use crate::firestore::value::is_field_name;
use crate::firestore::{Fields, Value};
use crate::intake::{content, identity};

/// Its fields, as stored.
pub(super) struct Checked {
    pub fields: Fields,
}

impl Checked {
    /// Checks a record; `name` is the indicator's, if there is one.
    pub(super) fn new(
        dataset: &Dataset,
        ticker: Option<&Ticker>,
        name: Option<&str>,
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
        for field in dataset.fields {
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
        checked.extras(dataset.fields, members);
        reasons.extend(identity::identify(dataset, &mut checked.fields).err());
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
                    reasons.push(format!("ticker is `{own}` in the entry for `{entry}`"));
                }
                (Ok(own), _) => self.put("ticker", Value::string(own.as_str())),
                (Err(error), _) => reasons.push(error.to_string()),
            },
            (Some(_), _) => reasons.push("ticker is not a string".to_owned()),
        }
    }

    /// Fields beyond the schema are kept as they are; those that Firestore refuses are kept as one JSON string.
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

    /// Where the record comes from, with values that the provider already sent, and what it is compared by.
    pub(super) fn stamp(&mut self, dataset: &Dataset, context: &Context<'_>) {
        let now = || Value::String(context.now.to_rfc3339_opts(SecondsFormat::Millis, true));
        if !matches!(self.fields.get("ingested_at"), Some(Value::String(_))) {
            self.put("ingested_at", now());
        }
        if !matches!(self.fields.get("source"), Some(Value::String(_))) {
            self.put("source", Value::string(context.source));
        }
        self.put("schema_version", Value::Integer(SCHEMA_VERSION));
        self.put("run_id", Value::string(context.run_id));
        if dataset.repeats {
            self.put(content::HASH_FIELD, Value::String(content::hash(&self.fields)));
        }
    }
}

/// Lifts date, value and raw data out of the record's own `data`. The indicator's name is the key in the provider's
/// map, where each name occurs once.
fn flatten_indicator(name: &str, members: &Map<String, Json>) -> Map<String, Json> {
    let mut flat = members.clone();
    if let Some(Json::Object(inner)) = flat.remove("data") {
        flat.extend(inner);
    }
    let own = flat.insert("indicator".to_owned(), Json::String(name.to_owned()));
    if let Some(own) = own.filter(|own| !own.is_null() && own != name) {
        flat.insert("indicator_reported".to_owned(), own);
    }
    flat
}
