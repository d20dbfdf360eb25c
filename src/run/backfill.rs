//! A request for past days.

use serde::{Deserialize, Serialize};

use super::Window;
use super::cell::CellState;

/// Which days, and which of their cells.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backfill {
    #[serde(flatten)]
    pub window: Window,
    #[serde(default)]
    pub only: Only,
    /// Whether what comes short is requested again, for some days.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub insists: bool,
}

/// Which cells of the days are requested.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Only {
    /// Those without a record, except those for which the provider had nothing.
    #[default]
    Missing,
    /// Those that failed.
    Failed,
    /// Those without a record, also those for which the provider had nothing.
    Empty,
    All,
}

impl Only {
    pub const ALL: [Self; 4] = [Self::Missing, Self::Failed, Self::Empty, Self::All];

    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Failed => "failed",
            Self::Empty => "empty",
            Self::All => "all",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|only| only.name() == name)
    }

    /// Whether a cell in this state is requested; none if nothing is known about it.
    pub fn wants(self, cell: Option<CellState>) -> bool {
        match (self, cell) {
            (Self::All, _) => true,
            (Self::Failed, cell) => cell == Some(CellState::Failed),
            (Self::Missing | Self::Empty, None) => true,
            (_, Some(CellState::Stored | CellState::Flagged)) => false,
            (only, Some(CellState::Empty)) => only == Self::Empty,
            (_, Some(CellState::Stale | CellState::Failed | CellState::Deferred)) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_choice_has_its_cells() {
        let states = [None].into_iter().chain(CellState::ALL.map(Some));
        for (only, expect) in [
            (Only::Missing, "missing stale failed deferred"),
            (Only::Failed, "failed"),
            (Only::Empty, "missing empty stale failed deferred"),
            (Only::All, "missing stored flagged empty stale failed deferred"),
        ] {
            let wanted = states.clone().filter(|state| only.wants(*state));
            let names: Vec<_> = wanted.map(|state| state.map_or("missing", CellState::name)).collect();
            assert_eq!(names.join(" "), expect, "{only:?}");
            assert_eq!(Only::parse(only.name()), Some(only));
        }
    }
}
