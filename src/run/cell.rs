//! What is known about one ticker of one dataset on one day: a cell of the coverage.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::NaiveDate;
use serde::Serialize;

use super::Outcome;

/// The subject of a dataset that has no tickers. No ticker has this name: one entirely in lower case is stored in upper
/// case.
pub const WHOLE_MARKET: &str = "market";
/// Most records that a cell counts.
const RECORDS_MAX: usize = 999;
/// Most codes that a flagged cell names, and the most bytes of one.
const CODES_MAX: usize = 8;
const CODE_BYTES_MAX: usize = 40;

/// A day of a dataset: the address of a coverage document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day {
    /// The dataset's name.
    pub dataset: &'static str,
    /// A session, or a day in New York if the dataset has no sessions.
    pub date: NaiveDate,
}

/// The state of a cell.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CellState {
    /// A record of the day is stored. Without sessions: a run was answered on that day.
    Stored,
    /// It is stored, and its quality is doubtful.
    Flagged,
    /// The provider answered and had nothing for this day.
    Empty,
    /// The provider's newest record was older than this day.
    Stale,
    /// The provider reported an error, or the record was rejected.
    Failed,
    /// The provider's quota did not reach.
    Deferred,
}

impl CellState {
    pub const ALL: [Self; 6] =
        [Self::Stored, Self::Flagged, Self::Empty, Self::Stale, Self::Failed, Self::Deferred];

    pub fn name(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Flagged => "flagged",
            Self::Empty => "empty",
            Self::Stale => "stale",
            Self::Failed => "failed",
            Self::Deferred => "deferred",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether documents of the day are stored.
    pub fn is_stored(self) -> bool {
        matches!(self, Self::Stored | Self::Flagged)
    }
}

/// A cell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    pub state: CellState,
    /// Without sessions: the most records that one answer of the day had.
    pub records: u16,
    /// Why it is flagged.
    pub codes: Option<Arc<BTreeSet<String>>>,
    /// The run that found this state, if nothing is stored.
    pub run_id: Option<Arc<str>>,
}

impl Cell {
    /// Something is stored, with these quality codes, if any.
    pub fn stored<T: AsRef<str>>(codes: impl IntoIterator<Item = T>) -> Self {
        let codes: BTreeSet<String> =
            codes.into_iter().filter_map(|code| clean(code.as_ref())).take(CODES_MAX).collect();
        let state = if codes.is_empty() { CellState::Stored } else { CellState::Flagged };
        let codes = (!codes.is_empty()).then(|| Arc::new(codes));
        Self { state, records: 0, codes, run_id: None }
    }

    /// An answer of the day, and how many records it had.
    pub fn answered(records: usize) -> Self {
        let records = u16::try_from(records.min(RECORDS_MAX)).unwrap_or_default();
        Self { records, ..Self::stored::<&str>([]) }
    }

    /// Nothing is stored, as this run found.
    pub fn lacking(state: CellState, run_id: &Arc<str>) -> Self {
        Self { state, records: 0, codes: None, run_id: Some(run_id.clone()) }
    }

    /// Two records of one answer: a doubt about one is a doubt about the cell.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        let both = self.codes.iter().chain(&other.codes).flat_map(|codes| codes.iter());
        let records = self.records.max(other.records);
        Self { records, ..Self::stored(both) }
    }

    /// What becomes of a cell when something new is learnt about it; none if that is no change.
    ///
    /// What is stored stays stored, whatever a later run does not find. The latest answer that stored something says
    /// whether it is doubtful. Of states without anything stored, the latest counts.
    pub fn merge(old: Option<&Self>, new: &Self) -> Option<Self> {
        let Some(old) = old else { return Some(new.clone()) };
        match (old.state.is_stored(), new.state.is_stored()) {
            (true, false) => None,
            (false, true) => Some(new.clone()),
            (false, false) => (old.state != new.state).then(|| new.clone()),
            (true, true) => {
                let merged = Self { records: old.records.max(new.records), ..new.clone() };
                (merged != *old).then_some(merged)
            }
        }
    }
}

/// The state of a cell whose ticker ended like this; none if that says nothing about it, or something is stored.
pub fn state_of(outcome: Outcome) -> Option<CellState> {
    match outcome {
        Outcome::Empty => Some(CellState::Empty),
        Outcome::Stale => Some(CellState::Stale),
        Outcome::Failed => Some(CellState::Failed),
        Outcome::Deferred => Some(CellState::Deferred),
        Outcome::Stored | Outcome::Unchanged | Outcome::Pending => None,
    }
}

/// A code without what would break its line in the stored form; none if nothing is left of it.
fn clean(code: &str) -> Option<String> {
    let mut clean = String::new();
    for character in code.chars().filter(|c| !c.is_whitespace() && !c.is_control() && *c != ',') {
        if clean.len() + character.len_utf8() > CODE_BYTES_MAX {
            break;
        }
        clean.push(character);
    }
    (!clean.is_empty()).then_some(clean)
}

#[cfg(test)]
pub(crate) mod tests;
