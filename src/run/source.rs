//! What made a run start.

use serde::{Deserialize, Serialize};

/// What made a run start.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema), schema(as = RunTrigger))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A tick of Cloud Scheduler.
    Scheduler,
    /// A request for past days, by a person or by the watch.
    Backfill,
    /// A request to take in stored answers once more, by a person.
    Replay,
    /// Anybody else.
    #[default]
    Manual,
}

impl Source {
    pub fn name(self) -> &'static str {
        match self {
            Self::Scheduler => "scheduler",
            Self::Backfill => "backfill",
            Self::Replay => "replay",
            Self::Manual => "manual",
        }
    }
}
