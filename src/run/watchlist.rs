//! Documents of the watchlist that a run left out because they cannot be read.

use serde::{Deserialize, Serialize};

/// Most problems that are kept of one run; their number is told beside them.
pub const PROBLEMS_MAX: usize = 50;
/// Most characters of a document's id and of a value that are repeated.
const SHOWN_CHARS_MAX: usize = 100;

/// A document of the watchlist that is left out because one of its fields cannot be read.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchlistProblem {
    /// The document's id, shortened.
    pub document: String,
    /// The field; `id` where the document's id stands for the symbol.
    pub field: String,
    /// What it holds, shortened.
    pub value: String,
    pub problem: String,
}

/// All such documents: the first of them, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WatchlistProblems {
    pub listed: Vec<WatchlistProblem>,
    pub count: usize,
}

impl WatchlistProblems {
    pub fn note(&mut self, problem: WatchlistProblem) {
        self.count = self.count.saturating_add(1);
        if self.listed.len() < PROBLEMS_MAX {
            self.listed.push(problem);
        }
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// The start of somebody else's text.
pub fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((end, _)) => text.get(..end).unwrap_or_default().chars().chain(['…']).collect(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_bounded_and_counted() {
        let mut problems = WatchlistProblems::default();
        let long = shorten(&"ä".repeat(5_000));
        let problem = WatchlistProblem {
            document: long.clone(),
            field: "symbol".into(),
            value: long,
            problem: "no".into(),
        };
        for _ in 0..1_000 {
            problems.note(problem.clone());
        }
        assert_eq!((problems.count, problems.listed.len()), (1_000, PROBLEMS_MAX));
        assert!(serde_json::to_vec(&problems).unwrap().len() < 50_000);
    }
}
