//! Documents of the watchlist that a run left out because they cannot be read.

use serde::{Deserialize, Serialize};

use crate::base::text::clip;

/// Maximum problems that are kept per run; their total is stored next to them.
pub const PROBLEMS_MAX: usize = 30;
/// Maximum bytes of a document's ID, and of a value, in JSON.
const SHOWN_BYTES_MAX: usize = 80;
/// Maximum bytes of a problem's description, in JSON.
const PROBLEM_BYTES_MAX: usize = 160;
/// Maximum bytes of all problems in JSON: they must fit into the run's entry whatever else it contains.
pub const ALL_BYTES_MAX: usize = PROBLEMS_MAX * (2 * SHOWN_BYTES_MAX + PROBLEM_BYTES_MAX + 80);

/// A watchlist document that was skipped because one of its fields cannot be read.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchlistProblem {
    /// The document ID, shortened.
    pub document: String,
    /// The field; `id` if the document ID serves as the symbol.
    pub field: String,
    /// The field's value, shortened.
    pub value: String,
    pub problem: String,
}

/// All such documents: the first of them, and the total.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct WatchlistProblems {
    pub listed: Vec<WatchlistProblem>,
    pub count: usize,
}

impl WatchlistProblems {
    pub fn note(&mut self, document: &str, field: &'static str, value: &str, problem: &str) {
        self.count = self.count.saturating_add(1);
        if self.listed.len() < PROBLEMS_MAX {
            self.listed.push(WatchlistProblem {
                document: clip(document, SHOWN_BYTES_MAX),
                field: field.to_owned(),
                value: clip(value, SHOWN_BYTES_MAX),
                problem: clip(problem, PROBLEM_BYTES_MAX),
            });
        }
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_bounded_and_counted() {
        let mut problems = WatchlistProblems::default();
        let hostile = "\u{1}\"ä".repeat(1_000);
        for _ in 0..1_000 {
            problems.note(&hostile, "isActive", &hostile, &hostile);
        }
        assert_eq!((problems.count, problems.listed.len()), (1_000, PROBLEMS_MAX));
        let bytes = serde_json::to_vec(&problems.listed).unwrap().len();
        assert!(bytes <= ALL_BYTES_MAX, "{bytes} bytes, limit {ALL_BYTES_MAX}");
    }
}
