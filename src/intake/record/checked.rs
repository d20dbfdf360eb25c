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

/// What is added to a record: its ticker, [`Found::stamp`], [`EXTRA_FIELD`].
const STAMPS: usize = 6;

/// Its fields, as stored.
pub(super) struct Checked {
    pub fields: Fields,
}

impl Checked {
    /// Checks a record, and adds where it comes from; `name` is the indicator's, if there is one.
    pub(super) fn new(
        dataset: &Dataset,
        ticker: Option<&Ticker>,
        name: Option<&str>,
        members: &Map<String, Json>,
        context: &Context<'_>,
    ) -> Result<Self, Vec<String>> {
        let flat;
        let members = match name {
            Some(name) => {
                flat = flatten_indicator(name, members);
                &flat
            }
            None => members,
        };
        let mut found = Found { values: Vec::with_capacity(members.len() + STAMPS), reasons: Vec::new() };
        let reason = found.ticker(ticker, members).err();
        found.members(dataset.fields, members);
        found.stamp(members, context);
        let mut fields = Fields::from_iter(found.values);
        let identified = identity::identify(dataset, &mut fields);
        let of_fields = found.reasons.into_iter().map(|(_, reason)| reason);
        let reasons: Vec<_> = reason.into_iter().chain(of_fields).chain(identified.err()).collect();
        if reasons.is_empty() { Ok(Self { fields }) } else { Err(reasons) }
    }

    /// Adds what the record is compared by.
    pub(super) fn stamp(&mut self, dataset: &Dataset) {
        if dataset.repeats {
            let hash = content::hash(&self.fields);
            self.fields.insert(content::HASH_FIELD.to_owned(), Value::String(hash));
        }
    }
}

/// What was found of a record.
struct Found {
    /// In any order, each name at most twice, of which the last counts: a map is made of them once, because each of its
    /// insertions compares names.
    values: Vec<(String, Value)>,
    /// With the place of the field among those of the dataset.
    reasons: Vec<(usize, String)>,
}

impl Found {
    fn put(&mut self, name: &str, value: Value) {
        self.values.push((name.to_owned(), value));
    }

    /// The record's ticker must be its entry's; only market-wide records may have none.
    fn ticker(&mut self, entry: Option<&Ticker>, members: &Map<String, Json>) -> Result<(), String> {
        let own = members.get("ticker").filter(|own| !own.is_null());
        let ticker = match (own, entry) {
            (None, None) => Value::NULL,
            (None, Some(entry)) => Value::string(entry.as_str()),
            (Some(Json::String(own)), Some(entry)) if own == entry.as_str() => Value::string(own),
            (Some(Json::String(own)), entry) => match (Ticker::parse(own), entry) {
                (Ok(own), Some(entry)) if own != *entry => {
                    return Err(format!("ticker is `{own}` in the entry for `{entry}`"));
                }
                (Ok(own), _) => Value::string(own.as_str()),
                (Err(error), _) => return Err(error.to_string()),
            },
            (Some(_), _) => return Err("ticker is not a string".to_owned()),
        };
        self.put("ticker", ticker);
        Ok(())
    }

    /// Checks the known fields. Those beyond the schema are kept as they are, or, if Firestore refuses them, together as
    /// one JSON string.
    fn members(&mut self, known: &[Field], members: &Map<String, Json>) {
        let mut is_given = vec![false; known.len()];
        let mut refused = Map::new();
        for (name, value) in members {
            if name == "ticker" {
                continue;
            }
            let place = known.iter().position(|field| field.name == name);
            if let Some((at, field)) = place.and_then(|at| Some((at, known.get(at)?))) {
                if let Some(is_given) = is_given.get_mut(at) {
                    *is_given = !(value.is_null() && field.required);
                }
                match value {
                    Json::Null if field.required => {}
                    Json::Null => self.put(name, Value::NULL),
                    value => match check(field, value) {
                        Ok(value) => self.put(name, value),
                        Err(reason) => self.reasons.push((at, reason)),
                    },
                }
                continue;
            }
            match Value::try_from_json(value.clone()) {
                Ok(stored) if is_field_name(name) => self.put(name, stored),
                _ => drop(refused.insert(name.clone(), value.clone())),
            }
        }
        if !refused.is_empty() {
            self.put(EXTRA_FIELD, Value::String(Json::Object(refused).to_string()));
        }
        let missing = known.iter().zip(is_given).enumerate();
        let missing = missing.filter(|(_, (field, is_given))| field.required && !is_given);
        self.reasons.extend(missing.map(|(at, (field, _))| (at, format!("{} is missing", field.name))));
        self.reasons.sort_unstable_by_key(|(at, _)| *at);
    }

    /// Where the record comes from, with values that the provider already sent.
    fn stamp(&mut self, members: &Map<String, Json>, context: &Context<'_>) {
        let is_sent = |name| matches!(members.get(name), Some(Json::String(_)));
        if !is_sent("ingested_at") {
            let now = context.now.to_rfc3339_opts(SecondsFormat::Millis, true);
            self.put("ingested_at", Value::String(now));
        }
        if !is_sent("source") {
            self.put("source", Value::string(context.source));
        }
        self.put("schema_version", Value::Integer(SCHEMA_VERSION));
        self.put("run_id", Value::string(context.run_id));
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
