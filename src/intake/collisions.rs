//! Records of one response that map to the same document.
//!
//! A document holds one of them, so the others would be lost silently. The same record twice is one document. Different
//! records are kept apart if their dataset can distinguish them; otherwise the last one is stored, as if they were
//! written one after the other, and the others become rejected records that name its document.

use std::collections::{BTreeMap, HashSet};

use serde_json::Value as Json;

use super::identity;
use super::rejected::Rejected;
use crate::catalogue::dataset::Apart;
use crate::catalogue::{Dataset, Ticker};
use crate::firestore::{DocumentPath, Value, Write};

/// Records that each have a document of their own.
#[derive(Debug, Default)]
pub struct Settled {
    pub records: Vec<Write>,
    /// Records that were displaced, as rejected records that name the document.
    pub rejected: Vec<Rejected>,
    /// How many were sent more than once, with one of their documents.
    pub repeated: Option<(usize, DocumentPath)>,
}

/// Gives every record a document of its own.
pub fn settle(dataset: &'static Dataset, records: Vec<Write>) -> Settled {
    let mut settled = Settled { records, ..Settled::default() };
    // The new IDs of the first round could collide with other IDs.
    for apart in [dataset.apart, Apart::Nothing] {
        let records = std::mem::take(&mut settled.records);
        let (alone, crowds) = crowds(records);
        settled.records = alone;
        for crowd in crowds {
            settled.part(dataset, crowd, apart);
        }
    }
    settled
}

/// Records with a document of their own, and those that share one.
fn crowds(records: Vec<Write>) -> (Vec<Write>, Vec<Vec<Write>>) {
    let mut seen = HashSet::with_capacity(records.len());
    let crowded: HashSet<_> = records
        .iter()
        .map(|record| &record.document)
        .filter(|document| !seen.insert(*document))
        .cloned()
        .collect();
    drop(seen);
    if crowded.is_empty() {
        return (records, Vec::new());
    }
    let (several, alone): (Vec<_>, Vec<_>) =
        records.into_iter().partition(|record| crowded.contains(&record.document));
    let mut crowds = BTreeMap::<DocumentPath, Vec<Write>>::new();
    for record in several {
        crowds.entry(record.document.clone()).or_default().push(record);
    }
    (alone, crowds.into_values().collect())
}

impl Settled {
    /// Separates the records that share one document.
    fn part(&mut self, dataset: &'static Dataset, crowd: Vec<Write>, apart: Apart) {
        let (mut kinds, mut seen) = (BTreeMap::<Option<String>, Vec<Write>>::new(), HashSet::new());
        for record in crowd.into_iter().rev() {
            if seen.insert(identity::content(&record.fields)) {
                kinds.entry(identity::apart(apart, &record.fields)).or_default().push(record);
            } else {
                self.repeated.get_or_insert((0, record.document)).0 += 1;
            }
        }
        // The greatest keeps the plain ID, whatever order they were sent in.
        for (place, (kind, same)) in kinds.into_iter().rev().enumerate() {
            let mut same = same.into_iter();
            let Some(mut stored) = same.next() else { continue };
            if let Some(kind) = kind.filter(|_| place > 0) {
                let id = format!("{}_{kind}", identity::id(dataset, &stored.fields));
                stored.document = DocumentPath::new(stored.document.collection(), &id);
            }
            self.rejected.extend(same.map(|record| give_way(dataset, record)));
            self.records.push(stored);
        }
    }
}

fn give_way(dataset: &'static Dataset, record: Write) -> Rejected {
    let ticker =
        record.fields.get("ticker").and_then(Value::as_str).and_then(|ticker| Ticker::parse(ticker).ok());
    let reason = format!("another record in the same response is stored as {}", record.document);
    let fields = Value::Map { fields: record.fields };
    Rejected::new(dataset, ticker.as_ref(), vec![reason], plain(fields))
}

/// A stored value as the JSON that it was made from.
fn plain(value: Value) -> Json {
    match value {
        Value::Boolean(value) => Json::Bool(value),
        Value::Integer(number) => Json::from(number),
        Value::Double(number) => Json::from(number),
        Value::String(text) => Json::String(text),
        Value::Array { values } => values.into_iter().map(plain).collect(),
        Value::Map { fields } => fields.into_iter().map(|(name, value)| (name, plain(value))).collect(),
        // A record is made from JSON, which has no other types.
        Value::Null(())
        | Value::Timestamp(_)
        | Value::Bytes(_)
        | Value::Reference(_)
        | Value::GeoPoint { .. } => Json::Null,
    }
}

#[cfg(test)]
mod tests;
