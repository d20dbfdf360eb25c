//! All cells of a day.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{Change, text};
use crate::firestore::value::fields;
use crate::firestore::{Fields, Value};
use crate::run::cell::{Cell, CellState, Day};

/// Maximum bytes of all names in a document, each with its line's end. A run's names take 650,000 at most
/// ([`crate::ledger::packing::PLAN_BYTES_MAX`]); the rest is room for tickers that left the watchlist during the day.
pub const NAMES_BYTES_MAX: usize = 850_000;

/// The counts, as a field that can be read without the cells.
pub(super) const COUNTS: &str = "counts";
pub(super) const CHANGED_AT: &str = "changed_at";
pub(super) const RUN_ID: &str = "run_id";
const CELLS: &str = "cells";

/// What is known about one ticker on the day.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Known {
    /// Whether a scheduled run of the day has planned it.
    pub expected: bool,
    /// None if no run has learnt anything about it.
    pub cell: Option<Cell>,
}

/// The cells of a day, by ticker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayCells {
    tickers: BTreeMap<Arc<str>, Known>,
    names_bytes: usize,
}

/// How many tickers there are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub expected: u64,
    pub stored: u64,
    pub flagged: u64,
    pub empty: u64,
    pub stale: u64,
    pub failed: u64,
    pub deferred: u64,
    /// Expected tickers about which nothing is known.
    pub missing: u64,
    /// Expected tickers that are stored or flagged.
    pub covered: u64,
    /// Expected tickers that the provider's quota allows: all that are not deferred.
    pub due: u64,
}

impl DayCells {
    /// What is known about each ticker.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Known)> {
        self.tickers.iter()
    }

    pub fn get(&self, ticker: &str) -> Option<&Known> {
        self.tickers.get(ticker)
    }

    pub fn len(&self) -> usize {
        self.tickers.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tickers.is_empty()
    }

    pub(super) fn insert(&mut self, ticker: Arc<str>, known: Known) {
        let bytes = ticker.len() + 1;
        if self.tickers.insert(ticker, known).is_none() {
            self.names_bytes += bytes;
        }
    }

    /// Adds what was learnt; whether that has changed anything. Tickers beyond what a document holds are left out.
    pub fn apply(&mut self, change: &Change) -> bool {
        let mut changed = false;
        for ticker in &change.expected {
            if let Some(known) = self.known(ticker)
                && !std::mem::replace(&mut known.expected, true)
            {
                changed = true;
            }
        }
        for (ticker, cell) in &change.cells {
            if let Some(known) = self.known(ticker)
                && let Some(merged) = Cell::merge(known.cell.as_ref(), cell)
            {
                known.cell = Some(merged);
                changed = true;
            }
        }
        changed
    }

    /// The entry of a ticker, new if need be; none if the document is full.
    fn known(&mut self, ticker: &Arc<str>) -> Option<&mut Known> {
        if !self.tickers.contains_key(ticker) {
            let bytes = self.names_bytes + ticker.len() + 1;
            if bytes > NAMES_BYTES_MAX {
                return None;
            }
            self.names_bytes = bytes;
        }
        Some(self.tickers.entry(ticker.clone()).or_default())
    }

    /// Replaces what is stored by what was counted; whether that has changed anything.
    pub fn correct(&mut self, counted: &BTreeMap<Arc<str>, Cell>) -> bool {
        let before = self.clone();
        for (ticker, known) in &mut self.tickers {
            let is_stored = known.cell.as_ref().is_some_and(|cell| cell.state.is_stored());
            if is_stored && !counted.contains_key(ticker) {
                known.cell = None;
            }
        }
        let stored = Change { cells: counted.clone(), ..Change::default() };
        self.apply(&stored);
        self.forget_strangers();
        *self != before
    }

    /// Drops tickers that nobody expects and about which nothing is known.
    fn forget_strangers(&mut self) {
        self.tickers.retain(|_, known| known.expected || known.cell.is_some());
        self.names_bytes = self.tickers.keys().map(|name| name.len() + 1).sum();
    }

    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for Known { expected, cell } in self.tickers.values() {
            let state = cell.as_ref().map(|cell| cell.state);
            counts.expected += u64::from(*expected);
            match state {
                None => counts.missing += u64::from(*expected),
                Some(CellState::Stored) => counts.stored += 1,
                Some(CellState::Flagged) => counts.flagged += 1,
                Some(CellState::Empty) => counts.empty += 1,
                Some(CellState::Stale) => counts.stale += 1,
                Some(CellState::Failed) => counts.failed += 1,
                Some(CellState::Deferred) => counts.deferred += 1,
            }
            counts.covered += u64::from(*expected && state.is_some_and(CellState::is_stored));
            counts.due += u64::from(*expected && state != Some(CellState::Deferred));
        }
        counts
    }

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

    /// Cells of any state.
    pub fn known(&self) -> u64 {
        self.stored + self.flagged + self.empty + self.stale + self.failed + self.deferred
    }
}

#[cfg(test)]
mod tests;
