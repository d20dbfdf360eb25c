//! How documents that are made again from stored answers are compared with what is stored.

use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, Utc};

use super::content::{HASH_FIELD, REVISION_FIELD};
use super::revision::{RecordComparison, Rules};
use crate::catalogue::dataset::QUALITY_FIELD;
use crate::firestore::bulk::{Comparison, Verdict};
use crate::firestore::document::Document;
use crate::firestore::{EncodedWrite, Value, Write};

/// When a record's answer was made: by the provider's clock, or ours if the provider does not say.
const INGESTED_AT: &str = "ingested_at";
/// The run whose answer it was.
const RUN_ID: &str = "run_id";

/// A record that is made again: what a later answer said is never overwritten.
pub struct ReplayedRecord {
    record: RecordComparison,
    ingested_at: Option<DateTime<Utc>>,
    run_id: Option<Value>,
    /// When the raw log of its answer was stored, by Firestore's clock.
    logged_at: DateTime<Utc>,
}

impl ReplayedRecord {
    pub fn of(record: &Write, rules: &Arc<Rules>, logged_at: DateTime<Utc>) -> Self {
        let ingested_at = record.fields.get(INGESTED_AT).and_then(time);
        let run_id = record.fields.get(RUN_ID).cloned();
        Self { record: RecordComparison::of_any(record, rules), ingested_at, run_id, logged_at }
    }

    /// Whether a later answer has been stored. Records of one provider have times of one clock. If these do not tell,
    /// what another run has written since is later.
    fn is_superseded(&self, stored: &Document) -> bool {
        match (stored.fields.get(INGESTED_AT).and_then(time), self.ingested_at) {
            (Some(stored), Some(own)) if stored != own => stored > own,
            _ => stored.fields.get(RUN_ID) != self.run_id.as_ref() && stored.update_time > self.logged_at,
        }
    }
}

impl Comparison for ReplayedRecord {
    fn glance(&self) -> &'static [&'static str] {
        &[HASH_FIELD, REVISION_FIELD, QUALITY_FIELD, RUN_ID, INGESTED_AT]
    }

    fn judge(&self, write: &EncodedWrite, stored: &Document) -> Option<Verdict> {
        match self.record.judge(write, stored) {
            Some(Verdict::Unchanged) => Some(Verdict::Unchanged),
            _ if self.is_superseded(stored) => Some(Verdict::Superseded),
            verdict => verdict,
        }
    }

    fn judge_whole(&self, write: &EncodedWrite, stored: &Document) -> Verdict {
        match self.record.judge_whole(write, stored) {
            Verdict::Unchanged => Verdict::Unchanged,
            _ if self.is_superseded(stored) => Verdict::Superseded,
            verdict => verdict,
        }
    }
}

/// A document that is the same however often it is made, but for its time: it is written only if it is missing.
pub struct OnlyIfMissing;

impl Comparison for OnlyIfMissing {
    fn glance(&self) -> &'static [&'static str] {
        &[RUN_ID]
    }

    fn judge(&self, _: &EncodedWrite, _: &Document) -> Option<Verdict> {
        Some(Verdict::Unchanged)
    }

    fn judge_whole(&self, _: &EncodedWrite, _: &Document) -> Verdict {
        Verdict::Unchanged
    }
}

/// A time as records and raw logs have it: a timestamp, or text with a zone or in UTC.
pub fn time(value: &Value) -> Option<DateTime<Utc>> {
    let zoneless = |text: &str| text.parse::<NaiveDateTime>().ok().map(|time| time.and_utc());
    value
        .as_timestamp()
        .or_else(|| value.as_str().and_then(|text| text.parse().ok().or_else(|| zoneless(text))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firestore::DocumentPath;
    use crate::firestore::value::fields;
    use crate::intake::content;

    fn record(close: i64, run_id: &str, ingested_at: &str) -> Write {
        let mut fields = fields([
            ("close", Value::Integer(close)),
            (INGESTED_AT, Value::string(ingested_at)),
            (RUN_ID, Value::string(run_id)),
        ]);
        fields.insert(HASH_FIELD.to_owned(), Value::String(content::hash(&fields)));
        Write::overwrite(DocumentPath::new("prices", "x"), fields)
    }

    /// What becomes of a record of ten o'clock in view of a stored one.
    fn check(close: i64, run_id: &str, ingested_at: &str) -> &'static str {
        let at = |text: &str| text.parse().unwrap();
        let rules = Arc::new(Rules {
            revisions: "revisions".into(),
            database: "d".into(),
            run_id: "replay".into(),
            is_forced: false,
        });
        let own = record(1, "run", "2026-11-23T10:00:00");
        let comparison = ReplayedRecord::of(&own, &rules, at("2026-11-23T10:00:01Z"));
        let stored = Document {
            id: "x".into(),
            fields: record(close, run_id, ingested_at).fields,
            create_time: at("2026-11-23T10:00:02Z"),
            update_time: at("2026-11-23T10:00:02Z"),
            read_time: at("2026-11-24T10:00:00Z"),
        };
        let write = own.encode("d");
        match comparison.judge(&write, &stored).unwrap_or_else(|| comparison.judge_whole(&write, &stored)) {
            Verdict::Unchanged => "unchanged",
            Verdict::Superseded => "superseded",
            Verdict::Revise { .. } => "revised",
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_a_later_answer_said_stays() {
        assert_eq!(check(1, "other", "2026-11-23T10:00:00"), "unchanged");
        assert_eq!(check(1, "other", "2026-11-24T10:00:00Z"), "unchanged");
        assert_eq!(check(2, "other", "2026-11-23T10:00:00.001Z"), "superseded");
        assert_eq!(check(2, "run", "2026-11-23T10:00:00.001Z"), "superseded", "by a later answer of the run");
        assert_eq!(check(2, "other", "2026-11-22T10:00:00"), "revised");
        // The document is later than the answer.
        assert_eq!(check(2, "run", "2026-11-23T12:00:00+02:00"), "revised");
        assert_eq!(check(2, "other", "2026-11-23T12:00:00+02:00"), "superseded");
        assert_eq!(check(2, "other", "at noon"), "superseded");
    }
}
