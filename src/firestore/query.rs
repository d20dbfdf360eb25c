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
        let select = (!self.select.is_empty()).then(|| {
            let fields: Vec<_> = self.select.iter().map(|field| json!({"fieldPath": field})).collect();
            ("select", json!({"fields": fields}))
        });
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
        let query: BTreeMap<_, _> = always.into_iter().chain(filter).chain(after).chain(select).collect();
        Bytes::from(json!({"structuredQuery": query}).to_string())
    }
}
