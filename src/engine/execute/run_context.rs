//! What all calls of a run have in common.

use chrono::{DateTime, Utc};

use crate::catalogue::{Job, Provider, Scope, WindowParameters};
use crate::run::Window;

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
    /// The days of a batch, and how its endpoint takes them.
    pub(super) fn window(
        &self,
        endpoint: &str,
        window: Option<Window>,
    ) -> Option<(Window, &'static WindowParameters)> {
        let endpoint = self.job.endpoints.iter().find(|known| known.path == endpoint)?;
        Some((window?, endpoint.window?))
    }

    pub(super) fn provider(&self) -> Provider {
        self.job.provider
    }
}
