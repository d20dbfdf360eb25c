//! What a structured query asks for.

use std::cmp::Ordering;

use serde_json::{Value as Json, json};

use super::field::FieldPath;
use super::value::{compare, is_comparable};
use super::{Refusal, Stored, Strictness};

/// Most bytes of a value that an index holds. Google's cloud compares only these.
const INDEXED_BYTES_MAX: usize = 1_500;

/// Parts of a query that are not supported here.
const UNSUPPORTED: [&str; 3] = ["endAt", "offset", "findNearest"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Equal,
    In,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// One filter. All of a query's filters must hold.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) field: FieldPath,
    pub(super) op: Op,
    value: Json,
}

/// One field of the order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Order {
    pub(super) field: FieldPath,
    pub(super) descending: bool,
}

/// A query on one collection.
#[derive(Debug)]
pub(super) struct Query<'a> {
    pub(super) collection: &'a str,
    pub(super) conditions: Vec<Condition>,
    pub(super) order: Vec<Order>,
    start: &'a Json,
    pub(super) limit: usize,
    pub(super) select: Vec<FieldPath>,
    strictness: Strictness,
}

impl<'a> Query<'a> {
    pub(super) fn parse(query: &'a Json, strictness: Strictness) -> Result<Self, Refusal> {
        if let Some(part) = UNSUPPORTED.iter().find(|part| query.get(*part).is_some()) {
            return Err(Refusal::unsupported(part));
        }
        if query.pointer("/from/0/allDescendants") == Some(&json!(true)) {
            return Err(Refusal::unsupported("allDescendants"));
        }
        let limit = match query["limit"].as_i64() {
            None => usize::MAX,
            Some(limit) => usize::try_from(limit).map_err(|_| Refusal::invalid("limit is negative"))?,
        };
        let mut conditions = Vec::new();
        collect(&query["where"], &mut conditions)?;
        let ordered =
            |order: &Json| Order { field: field_of(order), descending: order["direction"] == "DESCENDING" };
        let select = query["select"]["fields"].as_array().into_iter().flatten();
        Ok(Self {
            collection: query.pointer("/from/0/collectionId").and_then(Json::as_str).unwrap_or_default(),
            conditions,
            order: query["orderBy"].as_array().into_iter().flatten().map(ordered).collect(),
            start: &query["startAt"],
            limit,
            select: select.filter_map(|field| field["fieldPath"].as_str()).map(FieldPath::parse).collect(),
            strictness,
        })
    }

    /// The values by which a document is sorted; none if the query does not find it.
    pub(super) fn key(&self, name: &str, stored: &Stored) -> Option<Vec<Json>> {
        let value = |field: &FieldPath| {
            if field.is_name() {
                Some(json!({"referenceValue": name}))
            } else {
                field.get(&stored.fields).map(|value| self.indexed(value.clone()))
            }
        };
        let holds = |condition: &Condition| {
            value(&condition.field).is_some_and(|value| condition.holds(&value, |other| self.indexed(other)))
        };
        if !self.conditions.iter().all(holds) {
            return None;
        }
        // Without the field, it is in no index.
        let key: Vec<Json> = self.order.iter().map(|order| value(&order.field)).collect::<Option<_>>()?;
        self.is_past_start(&key).then_some(key)
    }

    pub(super) fn compare(&self, a: &[Json], b: &[Json]) -> Ordering {
        for ((a, b), order) in a.iter().zip(b).zip(&self.order) {
            let ordering = compare(a, b);
            if ordering.is_ne() {
                return if order.descending { ordering.reverse() } else { ordering };
            }
        }
        Ordering::Equal
    }

    fn is_past_start(&self, key: &[Json]) -> bool {
        let Some(values) = self.start["values"].as_array() else { return true };
        match self.compare(key, values) {
            Ordering::Greater => true,
            Ordering::Equal => self.start["before"] == true,
            Ordering::Less => false,
        }
    }

    /// The value as an index holds it.
    fn indexed(&self, value: Json) -> Json {
        match value["stringValue"].as_str() {
            Some(text) if self.strictness == Strictness::Cloud && text.len() > INDEXED_BYTES_MAX => {
                let end = text.floor_char_boundary(INDEXED_BYTES_MAX);
                json!({"stringValue": text[..end]})
            }
            _ => value,
        }
    }
}

impl Condition {
    fn parse(filter: &Json) -> Result<Self, Refusal> {
        let op = match filter["op"].as_str().unwrap_or_default() {
            "EQUAL" => Op::Equal,
            "IN" => Op::In,
            "LESS_THAN" => Op::Less,
            "LESS_THAN_OR_EQUAL" => Op::LessOrEqual,
            "GREATER_THAN" => Op::Greater,
            "GREATER_THAN_OR_EQUAL" => Op::GreaterOrEqual,
            op => return Err(Refusal::unsupported(op)),
        };
        Ok(Self { field: field_of(filter), op, value: filter["value"].clone() })
    }

    /// Whether it asks for certain values, not for a range of them.
    pub(super) fn is_equality(&self) -> bool {
        matches!(self.op, Op::Equal | Op::In)
    }

    fn holds(&self, value: &Json, indexed: impl Fn(Json) -> Json) -> bool {
        if self.op == Op::In {
            let values = self.value.pointer("/arrayValue/values").and_then(Json::as_array);
            return values.into_iter().flatten().any(|one| compare(value, &indexed(one.clone())).is_eq());
        }
        let bound = indexed(self.value.clone());
        let order = compare(value, &bound);
        // A range has values of one kind only.
        let in_range = |holds: bool| holds && is_comparable(value, &bound);
        match self.op {
            Op::Equal | Op::In => order.is_eq(),
            Op::Less => in_range(order.is_lt()),
            Op::LessOrEqual => in_range(order.is_le()),
            Op::Greater => in_range(order.is_gt()),
            Op::GreaterOrEqual => in_range(order.is_ge()),
        }
    }
}

/// Adds the filters within a filter.
fn collect(filter: &Json, conditions: &mut Vec<Condition>) -> Result<(), Refusal> {
    let Some((kind, inner)) = filter.as_object().and_then(|filter| filter.iter().next()) else {
        return Ok(());
    };
    match kind.as_str() {
        "fieldFilter" => conditions.push(Condition::parse(inner)?),
        "compositeFilter" if inner["op"] == "AND" => {
            for filter in inner["filters"].as_array().into_iter().flatten() {
                collect(filter, conditions)?;
            }
        }
        other => return Err(Refusal::unsupported(other)),
    }
    Ok(())
}

fn field_of(part: &Json) -> FieldPath {
    FieldPath::parse(part.pointer("/field/fieldPath").and_then(Json::as_str).unwrap_or_default())
}
