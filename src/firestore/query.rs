//! Structured queries, as far as the ledger needs them.

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
        let mut query = json!({
            "from": [{"collectionId": self.collection}],
            "orderBy": [
                {"field": {"fieldPath": self.newest_by}, "direction": "DESCENDING"},
                {"field": {"fieldPath": "__name__"}, "direction": "DESCENDING"},
            ],
            "limit": self.limit,
        });
        if !filters.is_empty() {
            query["where"] = json!({"compositeFilter": {"op": "AND", "filters": filters}});
        }
        if let Some((value, name)) = &self.after {
            query["startAt"] = json!({"values": [value, {"referenceValue": name}], "before": false});
        }
        Bytes::from(json!({"structuredQuery": query}).to_string())
    }
}
