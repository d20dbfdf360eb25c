//! Whether a record says anything new, and what is kept of what it replaces.

use std::sync::Arc;

use super::content::{HASH_FIELD, REVISION_FIELD, differences, hash};
use crate::catalogue::dataset::QUALITY_FIELD;
use crate::firestore::bulk::{Comparison, Verdict};
use crate::firestore::document::Document;
use crate::firestore::value::{DEPTH_MAX, depth, fields};
use crate::firestore::write::Mode;
use crate::firestore::{DocumentPath, EncodedWrite, Fields, Value, Write};

/// What the records of a run are compared by.
pub struct Rules {
    /// The collection of revisions.
    pub revisions: String,
    /// The database of the writes.
    pub database: String,
    pub run_id: String,
    /// Whether records that say the same are written, too.
    pub is_forced: bool,
}

/// How one record is compared with the stored one.
pub struct RecordComparison {
    rules: Arc<Rules>,
    hash: String,
    quality: Option<Value>,
    is_merged: bool,
}

impl RecordComparison {
    /// None for a record without a hash: its dataset has nothing that may come twice.
    pub fn of(record: &Write, rules: &Arc<Rules>) -> Option<Self> {
        record.fields.contains_key(HASH_FIELD).then(|| Self::of_any(record, rules))
    }

    /// The same for any record.
    pub fn of_any(record: &Write, rules: &Arc<Rules>) -> Self {
        let fields = &record.fields;
        let known = fields.get(HASH_FIELD).and_then(Value::as_str);
        let hash = known.map_or_else(|| hash(fields), ToOwned::to_owned);
        let (quality, is_merged) = (fields.get(QUALITY_FIELD).cloned(), record.mode == Mode::Merge);
        Self { rules: rules.clone(), hash, quality, is_merged }
    }

    /// The stored document says the same.
    fn same(&self, write: &EncodedWrite, stored: &Document) -> Verdict {
        let is_own = stored.text("run_id") == Some(&self.rules.run_id);
        let is_marked_alike = stored.fields.get(QUALITY_FIELD) == self.quality.as_ref();
        if is_marked_alike && is_own {
            return Verdict::Done { revised: stored.fields.contains_key(REVISION_FIELD) };
        }
        if is_marked_alike && !self.rules.is_forced {
            return Verdict::Unchanged;
        }
        Verdict::Write(numbered(write, stored))
    }
}

impl Comparison for RecordComparison {
    fn glance(&self) -> &'static [&'static str] {
        &[HASH_FIELD, REVISION_FIELD, QUALITY_FIELD, "run_id"]
    }

    fn judge(&self, write: &EncodedWrite, stored: &Document) -> Option<Verdict> {
        (stored.text(HASH_FIELD) == Some(&self.hash)).then(|| self.same(write, stored))
    }

    fn judge_whole(&self, write: &EncodedWrite, stored: &Document) -> Verdict {
        let changed = differences(&stored.fields, &write.fields(), self.is_merged);
        let has_hash = stored.fields.contains_key(HASH_FIELD);
        match (changed.is_empty(), has_hash) {
            // A document of before there were hashes says the same.
            (true, false) => self.same(write, stored),
            // Its hash is wrong, or one of another form: it was changed by hand, or written before the form was.
            (true, true) => Verdict::Write(numbered(write, stored)),
            (false, _) => {
                let number = stored.fields.get(REVISION_FIELD).and_then(Value::as_i64).unwrap_or_default();
                let before = Revision { stored, changed: &changed, number, by: &self.hash };
                let before = before.write(write, &self.rules).encode(&self.rules.database);
                let number = Value::Integer(number.saturating_add(1));
                Verdict::Revise { before, write: write.with_field(REVISION_FIELD, &number) }
            }
        }
    }
}

/// A write that makes no further form of a stored document: it keeps the number of those before.
fn numbered(write: &EncodedWrite, stored: &Document) -> EncodedWrite {
    let number = stored.fields.get(REVISION_FIELD);
    number.map_or_else(|| write.clone(), |number| write.with_field(REVISION_FIELD, number))
}

/// A form of a document that is about to be replaced.
struct Revision<'a> {
    stored: &'a Document,
    changed: &'a [String],
    /// How many forms there were before it.
    number: i64,
    /// The hash of the form that replaces it.
    by: &'a str,
}

impl Revision<'_> {
    /// The document that keeps it; the same however often it is written, except for the time.
    fn write(&self, of: &EncodedWrite, rules: &Rules) -> Write {
        let old = &self.stored.fields;
        let hash = old.get(HASH_FIELD).and_then(Value::as_str).map_or_else(|| hash(old), ToOwned::to_owned);
        let document = &of.document;
        // A mark on the first form may have changed since it was stored.
        let stored_at = if self.number == 0 { self.stored.create_time } else { self.stored.update_time };
        let path = path(&rules.revisions, document.collection(), document.id(), &hash, self.number);
        let mut fields = fields([
            ("collection", Value::string(document.collection())),
            ("document", Value::string(document.id())),
            ("ticker", old.get("ticker").cloned().unwrap_or(Value::NULL)),
            (HASH_FIELD, Value::String(hash)),
            ("number", Value::Integer(self.number)),
            ("changed", Value::strings(self.changed)),
            ("superseded_by", Value::string(self.by)),
            ("superseded_by_run", Value::string(&rules.run_id)),
            ("stored_at", Value::Timestamp(stored_at)),
        ]);
        let (name, value) = kept(old);
        fields.insert(name.to_owned(), value);
        Write { times: vec!["superseded_at".to_owned()], ..Write::overwrite(path, fields) }
    }
}

/// The fields of a form, under their name in its revision. One that is nested as deep as Firestore allows does not fit
/// into another document, and is kept as text.
fn kept(fields: &Fields) -> (&'static str, Value) {
    if fields.values().map(depth).max().unwrap_or_default() < DEPTH_MAX {
        return ("fields", Value::Map { fields: fields.clone() });
    }
    // Maps with string keys and plain numbers always encode.
    ("fields_json", Value::String(serde_json::to_string(fields).unwrap_or_default()))
}

/// The fields of the form that a revision keeps; none if they cannot be read.
pub fn fields_of(revision: &Document) -> Option<Fields> {
    match (revision.fields.get("fields"), revision.text("fields_json")) {
        (Some(Value::Map { fields }), _) => Some(fields.clone()),
        (_, Some(text)) => serde_json::from_str(text).ok(),
        _ => None,
    }
}

/// Between which names the revisions of a document are.
pub fn names(revisions: &str, of: &DocumentPath) -> (DocumentPath, DocumentPath) {
    // A hash has lower-case hexadecimal digits.
    let path = |end| DocumentPath::new(revisions, &format!("{}~{}~{end}", of.collection(), of.id()));
    (path('0'), path('g'))
}

/// The document of a form. A form that came back has one for each time it was replaced.
fn path(revisions: &str, collection: &str, id: &str, hash: &str, number: i64) -> DocumentPath {
    let id = format!("{collection}~{id}~{hash}");
    match number {
        0 => DocumentPath::new(revisions, &id),
        _ => DocumentPath::new(revisions, &format!("{id}~{number}")),
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn a_document_with_a_wrong_hash_keeps_its_number() {
        let record = |hash: &str| fields([("close", Value::Double(1.5)), (HASH_FIELD, Value::string(hash))]);
        let mut stored = record("of another form");
        stored.insert(REVISION_FIELD.to_owned(), Value::Integer(3));
        let time = DateTime::UNIX_EPOCH;
        let stored = Document {
            id: "x".to_owned(),
            fields: stored,
            create_time: time,
            update_time: time,
            read_time: time,
        };
        let rules = Rules {
            revisions: "revisions".to_owned(),
            database: "d".to_owned(),
            run_id: "r".to_owned(),
            is_forced: false,
        };
        let write = Write::overwrite(DocumentPath::new("prices", "x"), record("of this form"));
        let comparison = RecordComparison::of_any(&write, &Arc::new(rules));
        let write = write.encode("d");
        assert!(comparison.judge(&write, &stored).is_none());
        let Verdict::Write(write) = comparison.judge_whole(&write, &stored) else { panic!("no revision") };
        assert_eq!(write.fields().get(REVISION_FIELD), Some(&Value::Integer(3)));
        assert_eq!(write.fields().get(HASH_FIELD), Some(&Value::string("of this form")));
    }
}
