//! A day as a document.

use chrono::{DateTime, Utc};

use super::document::{Counts, DayCells};
use super::text;
use crate::firestore::value::fields;
use crate::firestore::{Fields, Value};
use crate::run::cell::Day;

/// The counts, as a field that can be read without the cells.
pub(super) const COUNTS: &str = "counts";
pub(super) const CHANGED_AT: &str = "changed_at";
pub(super) const RUN_ID: &str = "run_id";
const CELLS: &str = "cells";

impl DayCells {
    pub fn to_fields(&self, day: Day, run_id: &str, now: DateTime<Utc>) -> Fields {
        fields([
            ("dataset", Value::string(day.dataset)),
            ("date", Value::string(day.date.to_string())),
            (COUNTS, self.counts().to_value()),
            (CHANGED_AT, Value::Timestamp(now)),
            (RUN_ID, Value::string(run_id)),
            (CELLS, text::pack(self)),
        ])
    }

    pub fn from_fields(fields: &Fields) -> Result<Self, String> {
        text::unpack(fields.get(CELLS).unwrap_or(&Value::NULL))
    }
}

impl Counts {
    fn rows(&self) -> [(&'static str, u64); 10] {
        [
            ("expected", self.expected),
            ("stored", self.stored),
            ("flagged", self.flagged),
            ("empty", self.empty),
            ("stale", self.stale),
            ("failed", self.failed),
            ("deferred", self.deferred),
            ("missing", self.missing),
            ("covered", self.covered),
            ("due", self.due),
        ]
    }

    fn to_value(self) -> Value {
        let count = |(name, count): (&str, u64)| (name.to_owned(), Value::Integer(count.cast_signed()));
        Value::Map { fields: self.rows().into_iter().map(count).collect() }
    }

    pub fn from_value(value: Option<&Value>) -> Self {
        let counts = value.and_then(Value::as_map);
        let count = |name: &str| {
            let number = counts.and_then(|counts| counts.get(name)).and_then(Value::as_i64);
            number.and_then(|number| u64::try_from(number).ok()).unwrap_or_default()
        };
        Self {
            expected: count("expected"),
            stored: count("stored"),
            flagged: count("flagged"),
            empty: count("empty"),
            stale: count("stale"),
            failed: count("failed"),
            deferred: count("deferred"),
            missing: count("missing"),
            covered: count("covered"),
            due: count("due"),
        }
    }
}
