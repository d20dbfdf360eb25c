//! What all calls of a run have in common.

use chrono::{DateTime, Utc};

use crate::catalogue::{Job, Provider, Scope};

/// What stays the same for a whole run.
#[derive(Clone, Debug)]
pub(super) struct RunContext {
    pub job: &'static Job,
    pub scope: Scope,
    pub run_id: String,
    pub run_attempt: u32,
    pub run_time: String,
    /// The scheduled time, or the time it was requested for: the data must be of that time.
    pub tick: DateTime<Utc>,
}

impl RunContext {
    pub(super) fn provider(&self) -> Provider {
        self.job.provider
    }
}
