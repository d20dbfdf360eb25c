//! The structured queries that are needed here.

use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::value::Value;

/// Equality filters on one collection, newest first by a time field and the document's name.
#[derive(Debug, Default)]
pub struct Query<'a> {
    pub collection: &'a str,
    pub equals: Vec<(&'a str, Value)>,
    /// A field that has one of these values.
    pub any_of: Option<(&'a str, Vec<Value>)>,
    /// Sorted by this field, descending.
    pub newest_by: &'a str,
    /// The first value of `newest_by`, and the first one beyond the last.
    pub from: Option<Value>,
    pub until: Option<Value>,
    /// Start after the document with this value of `newest_by` and this full name.
    pub after: Option<(Value, String)>,
    pub limit: usize,
    /// Only these fields; all fields if empty.
    pub select: &'a [&'a str],
}

/// The documents of a collection whose names lie in a range, in the order of their names.
#[derive(Debug)]
pub struct NameRange<'a> {
    pub collection: &'a str,
    /// Where it starts; at the first document if none is named.
    pub from: Option<Start>,
    /// Full name of the first document beyond it.
    pub until: Option<String>,
    pub limit: usize,
    /// Only these fields; all fields if empty.
    pub select: &'a [&'a str],
}

/// The documents of a collection with a field in a range, in the order of that field and of their names. It needs no
/// index but the field's own.
#[derive(Debug)]
pub struct FieldRange<'a> {
    pub collection: &'a str,
    pub field: &'a str,
    pub from: Value,
    /// The first value beyond it.
    pub until: Value,
    /// Start after the document with this value and this full name.
    pub after: Option<(Value, String)>,
    pub limit: usize,
    /// Only these fields.
    pub select: &'a [&'a str],
}

/// Where a range of names begins; a full name.
#[derive(Debug)]
pub enum Start {
    At(String),
    After(String),
}

impl NameRange<'_> {
    pub(super) fn to_json(&self) -> Bytes {
        let bound = |op: &str, name: &str| {
            let value = json!({"referenceValue": name});
            json!({"fieldFilter": {"field": {"fieldPath": "__name__"}, "op": op, "value": value}})
        };
        let from = self.from.as_ref().map(|from| match from {
            Start::At(name) => bound("GREATER_THAN_OR_EQUAL", name),
            Start::After(name) => bound("GREATER_THAN", name),
        });
        let until = self.until.as_ref().map(|name| bound("LESS_THAN", name));
        let filters: Vec<_> = from.into_iter().chain(until).collect();
        let mut query = json!({
            "from": [{"collectionId": self.collection}],
            "orderBy": [{"field": {"fieldPath": "__name__"}, "direction": "ASCENDING"}],
            "limit": self.limit,
        });
        if let Some(query) = query.as_object_mut() {
            query.extend(filter(&filters));
            query.extend(selection(self.select));
        }
        Bytes::from(json!({"structuredQuery": query}).to_string())
    }
}

impl FieldRange<'_> {
    /// The index that it needs, for people.
    pub(super) fn index(&self) -> String {
        format!("{} ({} ascending)", self.collection, self.field)
    }

    pub(super) fn to_json(&self) -> Bytes {
        let bound = |op: &str, value: &Value| json!({"fieldFilter": {"field": {"fieldPath": self.field}, "op": op, "value": value}});
        let filters = [bound("GREATER_THAN_OR_EQUAL", &self.from), bound("LESS_THAN", &self.until)];
        let order = ordered(self.collection, self.field, "ASCENDING", self.limit);
        complete(order, &filters, self.select, self.after.as_ref())
    }
}

/// A query for documents in the order of a field and of their names.
fn ordered(collection: &str, field: &str, direction: &str, limit: usize) -> Json {
    json!({
        "from": [{"collectionId": collection}],
        "orderBy": [
            {"field": {"fieldPath": field}, "direction": direction},
            {"field": {"fieldPath": "__name__"}, "direction": direction},
        ],
        "limit": limit,
    })
}

/// The request for a query with these filters and fields, from the document after this value and name on.
fn complete(mut query: Json, filters: &[Json], select: &[&str], after: Option<&(Value, String)>) -> Bytes {
    if let Some(query) = query.as_object_mut() {
        query.extend(filter(filters));
        query.extend(selection(select));
        query.extend(after.map(|(value, name)| {
            let values = json!([value, {"referenceValue": name}]);
            ("startAt".to_owned(), json!({"values": values, "before": false}))
        }));
    }
    Bytes::from(json!({"structuredQuery": query}).to_string())
}

fn filter(filters: &[Json]) -> Option<(String, Json)> {
    let all = json!({"compositeFilter": {"op": "AND", "filters": filters}});
    (!filters.is_empty()).then(|| ("where".to_owned(), all))
}

fn selection(fields: &[&str]) -> Option<(String, Json)> {
    let paths: Vec<_> = fields.iter().map(|field| json!({"fieldPath": field})).collect();
    (!fields.is_empty()).then(|| ("select".to_owned(), json!({"fields": paths})))
}

impl Query<'_> {
    /// The index that it needs, for people: `ingestion_runs (job, created_at descending)`.
    pub(super) fn index(&self) -> String {
        let newest_by = format!("{} descending", self.newest_by);
        let filtered = self.equals.iter().map(|(field, _)| *field);
        let any_of = self.any_of.as_ref().map(|(field, _)| *field);
        let fields: Vec<_> = filtered.chain(any_of).chain([newest_by.as_str()]).collect();
        format!("{} ({})", self.collection, fields.join(", "))
    }

    pub(super) fn to_json(&self) -> Bytes {
        let filter_by = |field: &str, op: &str, value: Json| json!({"fieldFilter": {"field": {"fieldPath": field}, "op": op, "value": value}});
        let equals = self.equals.iter().map(|(field, value)| filter_by(field, "EQUAL", json!(value)));
        let any_of = self
            .any_of
            .as_ref()
            .map(|(field, values)| filter_by(field, "IN", json!({"arrayValue": {"values": values}})));
        let bound = |op: &str, value: &Value| filter_by(self.newest_by, op, json!(value));
        let from = self.from.as_ref().map(|value| bound("GREATER_THAN_OR_EQUAL", value));
        let until = self.until.as_ref().map(|value| bound("LESS_THAN", value));
        let filters: Vec<Json> = equals.chain(any_of).chain(from).chain(until).collect();
        let order = ordered(self.collection, self.newest_by, "DESCENDING", self.limit);
        complete(order, &filters, self.select, self.after.as_ref())
    }
}
