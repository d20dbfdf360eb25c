//! What all calls of a run have in common.

use chrono::{DateTime, Utc};

use super::queue::Batch;
use crate::catalogue::{Dataset, Job, Provider, Scope};

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

    /// What an endpoint of its job returns.
    pub(super) fn dataset(&self, endpoint: &str) -> Option<&'static Dataset> {
        self.job.endpoints.iter().find(|known| known.path == endpoint).map(|endpoint| endpoint.dataset)
    }

    /// The parameter with which a batch asks for more records than usual, and their number.
    pub(super) fn larger(&self, batch: &Batch) -> Option<(&'static str, u16)> {
        self.dataset(batch.endpoint).filter(|_| batch.enlarged)?.quality.larger()
    }
}
