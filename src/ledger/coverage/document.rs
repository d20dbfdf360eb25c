//! All cells of a day.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Change;
use crate::run::cell::{Cell, CellState};

/// Maximum bytes of all names in a document, each with its line's end. A run's names take 650,000 at most
/// ([`crate::ledger::packing::PLAN_BYTES_MAX`]); the rest is room for tickers that left the watchlist during the day.
pub const NAMES_BYTES_MAX: usize = 850_000;

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

    /// Tickers of which something is stored, though it was learnt that the provider has nothing.
    pub fn contradicted<'a>(&'a self, change: &'a Change) -> impl Iterator<Item = Arc<str>> + 'a {
        let empty = change.cells.iter().filter(|(_, cell)| cell.state == CellState::Empty);
        let stored = empty.filter(|(ticker, _)| {
            let known = self.tickers.get(*ticker).and_then(|known| known.cell.as_ref());
            known.is_some_and(|cell| cell.state.is_stored())
        });
        stored.map(|(ticker, _)| ticker.clone())
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
}

impl Counts {
    /// Cells of any state.
    pub fn known(&self) -> u64 {
        self.stored + self.flagged + self.empty + self.stale + self.failed + self.deferred
    }
}

#[cfg(test)]
mod tests;
