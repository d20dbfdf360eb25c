//! Single documents, listings and queries.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use serde_json::{Value as Json, json};

use super::value::compare;
use super::{Fields, Refusal, Store, Stored, decode, rfc3339, to_json};

/// Documents in a page that asks for none in particular.
const PAGE_SIZE_DEFAULT: usize = 20;
/// Most documents in a page, whatever is asked for.
const PAGE_SIZE_MAX: usize = 300;

/// What a listing asks for.
#[derive(Debug, Default)]
pub(super) struct Listing {
    page_size: Option<usize>,
    page_token: Option<String>,
    mask: Vec<String>,
}

impl Listing {
    pub(super) fn parse(query: &str) -> Result<Self, Refusal> {
        let mut listing = Self::default();
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let value = decode(value);
            match name {
                "pageSize" => listing.page_size = value.parse().ok().filter(|size| *size > 0),
                "pageToken" => listing.page_token = Some(value).filter(|token| !token.is_empty()),
                "mask.fieldPaths" => listing.mask.push(value),
                _ => return Err(Refusal::invalid(format!("Unknown name \"{name}\""))),
            }
        }
        Ok(listing)
    }
}

impl Store {
    /// The documents that are named, each found or missing.
    pub(super) fn batch_get(&self, now: DateTime<Utc>, body: &Json) -> Json {
        let read_time = rfc3339(now);
        let names = body["documents"].as_array().into_iter().flatten().filter_map(Json::as_str);
        let row = |name: &str| match self.documents.get(name) {
            Some(stored) => json!({"found": to_json(name, stored, &stored.fields), "readTime": read_time}),
            None => json!({"missing": name, "readTime": read_time}),
        };
        names.map(row).collect()
    }

    pub(super) fn list(&self, database: &str, collection: &str, listing: &Listing) -> Result<Json, Refusal> {
        // A token is the last id of the page before; ours start with a letter that marks them.
        let after = match listing.page_token.as_deref().map(|token| token.strip_prefix('t')) {
            None => None,
            Some(Some(id)) => Some(id),
            Some(None) => return Err(Refusal::new("UNKNOWN", "invalid page token")),
        };
        let size = listing.page_size.unwrap_or(PAGE_SIZE_DEFAULT).min(PAGE_SIZE_MAX);
        let found: Vec<_> = self
            .collection(database, collection)
            .filter(|(id, _)| after.is_none_or(|after| *id > after))
            .take(size + 1)
            .collect();
        let documents: Vec<Json> = found
            .iter()
            .take(size)
            .map(|(id, stored)| {
                to_json(
                    &format!("{database}/documents/{collection}/{id}"),
                    stored,
                    &masked(stored, &listing.mask),
                )
            })
            .collect();
        let mut page = json!({});
        if let (true, Some((last, _))) = (found.len() > size, found.get(size - 1)) {
            page["nextPageToken"] = json!(format!("t{last}"));
        }
        if !documents.is_empty() {
            page["documents"] = Json::Array(documents);
        }
        Ok(page)
    }

    /// Equality filters, an order and a start, as the ledger's listing asks for them.
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
            .filter(|(_, stored)| matches(stored, &query["where"]))
            .filter_map(|(name, stored)| Some((sort_key(&name, stored, &order)?, name, stored)))
            .filter(|(key, ..)| is_past_start(key, &query["startAt"], &order))
            .collect();
        rows.sort_by(|(a, ..), (b, ..)| compare_keys(a, b, &order));
        let read_time = rfc3339(now);
        let answer: Vec<Json> = rows
            .into_iter()
            .take(limit)
            .map(|(_, name, stored)| json!({"document": to_json(&name, stored, &stored.fields), "readTime": read_time}))
            .collect();
        Ok(if answer.is_empty() {
            json!([{"readTime": read_time, "done": true}])
        } else {
            Json::Array(answer)
        })
    }
}

fn masked(stored: &Stored, mask: &[String]) -> Fields {
    let is_asked = |name: &String| mask.is_empty() || mask.contains(name);
    stored.fields.iter().filter(|(name, _)| is_asked(name)).map(|(k, v)| (k.clone(), v.clone())).collect()
}

fn field_of(order: &Json) -> &str {
    order.pointer("/field/fieldPath").and_then(Json::as_str).unwrap_or_default()
}

fn matches(stored: &Stored, filter: &Json) -> bool {
    let filters = filter.pointer("/compositeFilter/filters").and_then(Json::as_array);
    filters.into_iter().flatten().all(|filter| {
        let filter = &filter["fieldFilter"];
        stored.fields.get(field_of(filter)).is_some_and(|value| compare(value, &filter["value"]).is_eq())
    })
}

/// The values by which a document is sorted; none where it lacks one, as it is in no index then.
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
