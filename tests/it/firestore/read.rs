//! Single documents, listings and queries.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};

use super::value::compare;
use super::{Fields, Refusal, Store, Stored, rfc3339, to_json};

impl Store {
    /// The named documents, each once, as found or missing.
    pub(super) fn batch_get(&self, now: DateTime<Utc>, body: &Json) -> Json {
        let read_time = rfc3339(now);
        let names = body["documents"].as_array().into_iter().flatten().filter_map(Json::as_str);
        let mask: Vec<&str> =
            body["mask"]["fieldPaths"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
        let row = |name: &str| match self.documents.get(name) {
            Some(stored) => {
                json!({"found": to_json(name, stored, &masked(stored, &mask)), "readTime": read_time})
            }
            None => json!({"missing": name, "readTime": read_time}),
        };
        let mut seen = BTreeSet::new();
        names.filter(|name| seen.insert(*name)).map(row).collect()
    }

    /// A query with filters, an order, a start and a selection of fields, as the component sends it.
    pub(super) fn run_query(&self, now: DateTime<Utc>, database: &str, body: &Json) -> Result<Json, Refusal> {
        let query = &body["structuredQuery"];
        let collection = query.pointer("/from/0/collectionId").and_then(Json::as_str).unwrap_or_default();
        let limit = match query["limit"].as_i64() {
            None => usize::MAX,
            Some(limit) => usize::try_from(limit).map_err(|_| Refusal::invalid("limit is negative"))?,
        };
        let order: Vec<(&str, bool)> = query["orderBy"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|order| (field_of(order), order["direction"] == "DESCENDING"))
            .collect();
        let mut rows: Vec<_> = self
            .collection(database, collection)
            .map(|(id, stored)| (format!("{database}/documents/{collection}/{id}"), stored))
            .filter(|(name, stored)| matches(name, stored, &query["where"]))
            .filter_map(|(name, stored)| Some((sort_key(&name, stored, &order)?, name, stored)))
            .filter(|(key, ..)| is_past_start(key, &query["startAt"], &order))
            .collect();
        rows.sort_by(|(a, ..), (b, ..)| compare_keys(a, b, &order));
        let read_time = rfc3339(now);
        let selection = query["select"]["fields"].as_array().into_iter().flatten();
        let mask: Vec<&str> = selection.filter_map(|field| field["fieldPath"].as_str()).collect();
        let mut answer: Vec<Json> = rows
            .into_iter()
            .take(limit)
            .map(|(_, name, stored)| json!({"document": to_json(&name, stored, &masked(stored, &mask)), "readTime": read_time}))
            .collect();
        if answer.is_empty() {
            answer.push(json!({"readTime": read_time}));
        }
        // `done` refers to the request, not the collection: it is also set when the limit has ended it.
        if let Some(last) = answer.last_mut() {
            last["done"] = json!(true);
        }
        Ok(Json::Array(answer))
    }
}

/// The requested fields, including those within maps; all if none are named.
fn masked(stored: &Stored, mask: &[&str]) -> Fields {
    if mask.is_empty() {
        return stored.fields.clone();
    }
    let mut masked = Json::Object(Fields::new());
    for path in mask {
        let pointer = format!("/{}", path.replace('.', "/mapValue/fields/"));
        let Some(value) = Json::Object(stored.fields.clone()).pointer(&pointer).cloned() else { continue };
        let mut at = &mut masked;
        for name in pointer.split('/').skip(1) {
            at = &mut at[name];
        }
        *at = value;
    }
    masked.as_object().cloned().unwrap_or_default()
}

fn field_of(order: &Json) -> &str {
    order.pointer("/field/fieldPath").and_then(Json::as_str).unwrap_or_default()
}

fn matches(name: &str, stored: &Stored, filter: &Json) -> bool {
    let filters = filter.pointer("/compositeFilter/filters").and_then(Json::as_array);
    filters.into_iter().flatten().all(|filter| {
        let filter = &filter["fieldFilter"];
        let value = match field_of(filter) {
            "__name__" => Some(json!({"referenceValue": name})),
            field => stored.fields.get(field).cloned(),
        };
        let Some(value) = value else { return false };
        let order = compare(&value, &filter["value"]);
        match filter["op"].as_str().unwrap_or_default() {
            "EQUAL" => order.is_eq(),
            "IN" => {
                let values = filter.pointer("/value/arrayValue/values").and_then(Json::as_array);
                values.into_iter().flatten().any(|one| compare(&value, one).is_eq())
            }
            "GREATER_THAN" => order.is_gt(),
            "GREATER_THAN_OR_EQUAL" => order.is_ge(),
            "LESS_THAN" => order.is_lt(),
            op => panic!("a query with {op}"),
        }
    })
}

/// The values by which a document is sorted; none if it lacks one, because then it is in no index.
fn sort_key(name: &str, stored: &Stored, order: &[(&str, bool)]) -> Option<Vec<Json>> {
    let value = |(field, _): &(&str, bool)| match *field {
        "__name__" => Some(json!({"referenceValue": name})),
        field => stored.fields.get(field).cloned(),
    };
    order.iter().map(value).collect()
}

fn compare_keys(a: &[Json], b: &[Json], order: &[(&str, bool)]) -> Ordering {
    for ((a, b), (_, descending)) in a.iter().zip(b).zip(order) {
        let ordering = compare(a, b);
        if ordering.is_ne() {
            return if *descending { ordering.reverse() } else { ordering };
        }
    }
    Ordering::Equal
}

fn is_past_start(key: &[Json], start: &Json, order: &[(&str, bool)]) -> bool {
    let Some(values) = start["values"].as_array() else { return true };
    match compare_keys(key, values, order) {
        Ordering::Greater => true,
        Ordering::Equal => start["before"] == true,
        Ordering::Less => false,
    }
}
