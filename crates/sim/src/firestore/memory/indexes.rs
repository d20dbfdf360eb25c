//! The indexes of `firestore.indexes.json`, and whether a query needs another one.
//!
//! Firestore answers every query from indexes. Each field has its own, ascending and descending, unless it is exempt.
//! A query that filters by one field and sorts by another needs a composite index, or several that it can merge.

use std::sync::LazyLock;

use serde_json::Value as Json;

use super::Refusal;
use super::field::{FieldPath, NAME};
use super::query::{Condition, Order, Query};

const FILE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../firestore.indexes.json"));

/// All that is configured for the database.
#[derive(Debug)]
pub(super) struct Indexes {
    composite: Vec<Composite>,
    /// Collections and fields without an index of their own.
    exempt: Vec<(String, FieldPath)>,
}

#[derive(Debug)]
struct Composite {
    collection: String,
    fields: Vec<Order>,
}

impl Indexes {
    /// Those that this repository deploys.
    pub(super) fn deployed() -> &'static Self {
        static DEPLOYED: LazyLock<Indexes> = LazyLock::new(|| {
            Indexes::parse(&serde_json::from_str(FILE).expect("firestore.indexes.json is JSON"))
        });
        &DEPLOYED
    }

    fn parse(file: &Json) -> Self {
        let text = |json: &Json, name: &str| json[name].as_str().unwrap_or_default().to_owned();
        let path = |json: &Json| FieldPath::parse(&text(json, "fieldPath"));
        let order = |json: &Json| Order { field: path(json), descending: json["order"] == "DESCENDING" };
        let list = |name: &str| file[name].as_array().into_iter().flatten();
        let composite = |json: &Json| Composite {
            collection: text(json, "collectionGroup"),
            fields: json["fields"].as_array().into_iter().flatten().map(order).collect(),
        };
        let is_exempt = |json: &&Json| json["indexes"].as_array().is_some_and(Vec::is_empty);
        Self {
            composite: list("indexes").map(composite).collect(),
            exempt: list("fieldOverrides")
                .filter(is_exempt)
                .map(|json| (text(json, "collectionGroup"), path(json)))
                .collect(),
        }
    }

    /// Number of composite indexes of a collection.
    pub(super) fn composite_count(&self, collection: &str) -> usize {
        self.composite.iter().filter(|index| index.collection == collection).count()
    }

    /// Whether a field, or the map that it is in, has no index of its own.
    pub(super) fn is_exempt(&self, collection: &str, field: &FieldPath) -> bool {
        self.exempt.iter().any(|(of, exempt)| of == collection && field.is_within(exempt))
    }

    /// Refuses a query that cannot be answered from these indexes.
    pub(super) fn check(&self, query: &Query) -> Result<(), Refusal> {
        let order = full_order(query);
        if self.has_automatic(query, &order) || self.has_composite(query, &order) {
            return Ok(());
        }
        let equal = equality_fields(query).map(|field| Order { field: field.clone(), descending: false });
        let fields: Vec<String> = equal.chain(order).map(|order| format!("{order}")).collect();
        Err(Refusal::new(
            "FAILED_PRECONDITION",
            format!(
                "The query requires an index. Add it to firestore.indexes.json: {} ({})",
                query.collection,
                fields.join(", ")
            ),
        ))
    }

    /// Whether the fields' own indexes are enough: they can be merged if the result is sorted by name only.
    fn has_automatic(&self, query: &Query, order: &[Order]) -> bool {
        let used = query.conditions.iter().map(|condition| &condition.field);
        let is_exempt = |field: &FieldPath| self.is_exempt(query.collection, field);
        if used.chain(order.iter().map(|order| &order.field)).any(is_exempt) {
            return false;
        }
        match order {
            [_name] => true,
            [sorted, name] => {
                sorted.descending == name.descending
                    && equality_fields(query).all(|field| *field == sorted.field)
            }
            _ => false,
        }
    }

    /// Whether there are composite indexes with this order that have, together, all the fields that must be equal.
    fn has_composite(&self, query: &Query, order: &[Order]) -> bool {
        let equal: Vec<&FieldPath> = equality_fields(query).collect();
        let prefixes = self
            .composite
            .iter()
            .filter(|index| index.collection == query.collection)
            .filter_map(|index| index.fields.strip_suffix(order))
            .filter(|prefix| prefix.iter().all(|part| equal.contains(&&part.field)));
        let prefixes: Vec<&[Order]> = prefixes.collect();
        let is_covered = |field: &&FieldPath| {
            prefixes.iter().any(|prefix| prefix.iter().any(|part| part.field == **field))
        };
        !prefixes.is_empty() && equal.iter().all(is_covered)
    }
}

impl std::fmt::Display for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.field, if self.descending { "DESCENDING" } else { "ASCENDING" })
    }
}

fn equality_fields<'a>(query: &'a Query) -> impl Iterator<Item = &'a FieldPath> {
    let equal = query.conditions.iter().filter(|condition| condition.is_equality());
    equal.map(|condition| &condition.field).filter(|field| !field.is_name())
}

/// The order of the result: a field with a range comes first, and the name decides between equal values.
fn full_order(query: &Query) -> Vec<Order> {
    let mut order = query.order.clone();
    let ranges = query.conditions.iter().filter(|condition: &&Condition| !condition.is_equality());
    for range in ranges {
        if order.iter().all(|order| order.field != range.field) {
            order.push(Order { field: range.field.clone(), descending: false });
        }
    }
    if !order.iter().any(|order| order.field.is_name()) {
        let descending = order.last().is_some_and(|last| last.descending);
        order.push(Order { field: FieldPath::parse(NAME), descending });
    }
    order
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Strictness;
    use super::*;

    fn indexes() -> Indexes {
        let field = |path: &str, order: &str| json!({"fieldPath": path, "order": order});
        let index = |first: &str| {
            json!({"collectionGroup": "runs", "queryScope": "COLLECTION", "fields": [
                field(first, "ASCENDING"), field("at", "DESCENDING"), field("__name__", "DESCENDING"),
            ]})
        };
        Indexes::parse(&json!({
            "indexes": [index("job"), index("status")],
            "fieldOverrides": [{"collectionGroup": "runs", "fieldPath": "state", "indexes": []}],
        }))
    }

    /// `equal` and `ranges` are fields; `order` is fields with `-` in front of the descending ones.
    fn check(equal: &[&str], ranges: &[&str], order: &[&str]) -> Result<(), String> {
        let filter = |field: &str, op: &str| json!({"fieldFilter": {"field": {"fieldPath": field}, "op": op, "value": {"integerValue": "1"}}});
        let equal = equal.iter().map(|field| filter(field, "EQUAL"));
        let filters: Vec<_> = equal.chain(ranges.iter().map(|field| filter(field, "LESS_THAN"))).collect();
        let ordered = |field: &&str| {
            let direction = if field.starts_with('-') { "DESCENDING" } else { "ASCENDING" };
            json!({"field": {"fieldPath": field.trim_start_matches('-')}, "direction": direction})
        };
        let query = json!({
            "from": [{"collectionId": "runs"}],
            "where": {"compositeFilter": {"op": "AND", "filters": filters}},
            "orderBy": order.iter().map(ordered).collect::<Vec<_>>(),
        });
        let query = Query::parse(&query, Strictness::Cloud).expect("supported");
        indexes().check(&query).map_err(|refusal| refusal.into_write_status()["message"].to_string())
    }

    #[test]
    fn the_fields_own_indexes_answer_simple_queries() {
        for (equal, ranges, order) in [
            (&[][..], &[][..], &[][..]),
            (&["job", "status"], &[], &[]),
            (&["job"], &["__name__"], &["__name__"]),
            (&[], &["at"], &["-at", "-__name__"]),
            (&[], &["at"], &[]),
        ] {
            assert_eq!(check(equal, ranges, order), Ok(()), "{equal:?} {ranges:?} {order:?}");
        }
    }

    #[test]
    fn composite_indexes_are_merged() {
        assert_eq!(check(&["job"], &[], &["-at", "-__name__"]), Ok(()));
        assert_eq!(check(&["job", "status"], &["at"], &["-at"]), Ok(()));
    }

    #[test]
    fn other_queries_require_an_index() {
        for (equal, ranges, order) in [
            (&["owner"][..], &[][..], &["-at"][..]),
            (&["job", "owner"], &[], &["-at"]),
            (&["job"], &[], &["at"]),
            (&[], &[], &["at", "-__name__"]),
            (&[], &[], &["at", "job"]),
            (&["state"], &[], &[]),
            (&["job"], &["size"], &[]),
        ] {
            let refusal = check(equal, ranges, order).expect_err("refused");
            assert!(refusal.contains("The query requires an index."), "{refusal}");
        }
    }

    #[test]
    fn the_deployed_indexes_are_read() {
        let deployed = Indexes::deployed();
        assert_eq!(deployed.composite_count("ingestion_runs"), 3);
        assert!(deployed.is_exempt("api_usage_logs", &FieldPath::parse("response.data.x")));
        assert!(!deployed.is_exempt("api_usage_logs", &FieldPath::parse("response")));
    }
}
