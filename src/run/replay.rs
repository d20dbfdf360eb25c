//! A request to take in stored answers once more.

use serde::{Deserialize, Serialize};

/// The answers that a run takes in once more from their raw logs, and how far it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// The runs that requested them, oldest first.
    pub runs: Vec<String>,
    /// Number of these runs that are through.
    #[serde(default)]
    pub runs_done: usize,
    /// The log ID of the latest answer of the next run up to which all are through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Answers taken in.
    #[serde(default)]
    pub answers: u64,
    /// Answers that cannot be read any more.
    #[serde(default)]
    pub answers_unreadable: u64,
    /// Records that were left alone, because something newer is stored.
    #[serde(default)]
    pub records_superseded: u64,
}

impl Replay {
    pub fn of(runs: Vec<String>) -> Self {
        Self { runs, ..Self::default() }
    }

    /// The run whose answers are next; none if all are through.
    pub fn next_run(&self) -> Option<&str> {
        self.runs.get(self.runs_done).map(String::as_str)
    }

    /// All answers of the next run are through.
    pub fn end_run(&mut self) {
        self.runs_done += 1;
        self.after = None;
    }

    pub fn view(&self) -> ReplayView {
        ReplayView {
            of_run: self.runs.first().filter(|_| self.runs.len() == 1).cloned(),
            runs: self.runs.len(),
            runs_done: self.runs_done,
            answers: self.answers,
            answers_unreadable: self.answers_unreadable,
            records_superseded: self.records_superseded,
        }
    }
}

/// How far a replay is.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReplayView {
    /// The run whose answers they are, if it is only one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_run: Option<String>,
    /// Runs whose answers are taken in once more.
    pub runs: usize,
    pub runs_done: usize,
    /// Answers taken in.
    pub answers: u64,
    /// Answers that cannot be read any more; the remarks say why.
    pub answers_unreadable: u64,
    /// Records that were left alone, because something newer is stored.
    pub records_superseded: u64,
}
