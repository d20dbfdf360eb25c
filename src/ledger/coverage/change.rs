//! What a run has learnt about some days and not stored yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::run::cell::{Cell, Day};

/// What was learnt about one day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Tickers that a scheduled run of the day has planned.
    pub expected: BTreeSet<Arc<str>>,
    pub cells: BTreeMap<Arc<str>, Cell>,
}

/// What was learnt, by day.
pub type Changes = BTreeMap<Day, Change>;

impl Change {
    /// Adds what was learnt later about a cell.
    pub fn note(&mut self, ticker: &Arc<str>, cell: &Cell) {
        if let Some(merged) = Cell::merge(self.cells.get(ticker), cell) {
            self.cells.insert(ticker.clone(), merged);
        }
    }

    /// Adds what was learnt later.
    pub fn then(&mut self, later: Self) {
        self.expected.extend(later.expected);
        for (ticker, cell) in later.cells {
            self.note(&ticker, &cell);
        }
    }

    /// Number of tickers that it names.
    pub fn len(&self) -> usize {
        self.cells.len() + self.expected.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
