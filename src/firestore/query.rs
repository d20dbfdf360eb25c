//! Structured queries, as far as the ledger needs them.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::value::Value;

/// Equality filters on one collection, newest first by a time field and the document's name.
#[derive(Debug, Default)]
pub struct Query<'a> {
    pub collection: &'a str,
    pub equals: Vec<(&'a str, Value)>,
    /// Sorted by this field, descending.
    pub newest_by: &'a str,
    /// Start after the document with this value of `newest_by` and this full name.
    pub after: Option<(Value, String)>,
    pub limit: usize,
    /// Only these fields; all where there are none.
    pub select: &'a [&'a str],
}

/// The documents of a collection whose ids lie in a range, in the order of their names.
#[derive(Debug)]
pub struct NameRange<'a> {
    pub collection: &'a str,
    /// Full name of the first that may be found.
    pub from: String,
    /// Full name of the first that is beyond.
    pub until: String,
    pub limit: usize,
    /// Only these fields.
    pub select: &'a [&'a str],
}

impl NameRange<'_> {
    pub(super) fn to_json(&self) -> Bytes {
        let bound = |op: &str, name: &str| {
            let value = json!({"referenceValue": name});
            json!({"fieldFilter": {"field": {"fieldPath": "__name__"}, "op": op, "value": value}})
        };
        let filters = [bound("GREATER_THAN_OR_EQUAL", &self.from), bound("LESS_THAN", &self.until)];
        let query = json!({
            "from": [{"collectionId": self.collection}],
            "where": {"compositeFilter": {"op": "AND", "filters": filters}},
            "orderBy": [{"field": {"fieldPath": "__name__"}, "direction": "ASCENDING"}],
            "limit": self.limit,
            "select": selection(self.select),
        });
        Bytes::from(json!({"structuredQuery": query}).to_string())
    }
}

fn selection(fields: &[&str]) -> Json {
    let fields: Vec<_> = fields.iter().map(|field| json!({"fieldPath": field})).collect();
    json!({"fields": fields})
}

impl Query<'_> {
    pub(super) fn to_json(&self) -> Bytes {
        let filters: Vec<Json> = self
            .equals
            .iter()
            .map(|(field, value)| {
                json!({"fieldFilter": {"field": {"fieldPath": field}, "op": "EQUAL", "value": value}})
            })
            .collect();
        let filter = (!filters.is_empty())
            .then(|| ("where", json!({"compositeFilter": {"op": "AND", "filters": filters}})));
        let after = self.after.as_ref().map(|(value, name)| {
            ("startAt", json!({"values": [value, {"referenceValue": name}], "before": false}))
        });
        let select = (!self.select.is_empty()).then(|| ("select", selection(self.select)));
        let always = [
            ("from", json!([{"collectionId": self.collection}])),
            (
                "orderBy",
                json!([
                    {"field": {"fieldPath": self.newest_by}, "direction": "DESCENDING"},
                    {"field": {"fieldPath": "__name__"}, "direction": "DESCENDING"},
                ]),
            ),
            ("limit", json!(self.limit)),
        ];
        let mut query = BTreeMap::new();
        query.extend(always.into_iter().chain(filter).chain(after).chain(select));
        Bytes::from(json!({"structuredQuery": query}).to_string())
    }
}
