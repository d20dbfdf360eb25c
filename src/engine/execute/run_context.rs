//! What all calls of a run have in common.

use chrono::{DateTime, TimeDelta, Utc};

use super::queue::Batch;
use crate::catalogue::{Dataset, Job, Provider, Scope, Ticks, WindowParameters};
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
    /// Up to this time, the job's tick before has requested everything.
    pub since: Option<DateTime<Utc>>,
}

/// How much later than its time an article may appear.
const APPEARS_WITHIN: TimeDelta = TimeDelta::hours(1);

impl RunContext {
    /// Up to when a run of this tick knows that everything was requested before.
    pub(super) fn since(ticks: &Ticks, job: &Job, tick: DateTime<Utc>) -> Option<DateTime<Utc>> {
        ticks.last(job, tick - TimeDelta::seconds(1)).map(|before| before - APPEARS_WITHIN)
    }

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

    /// What an endpoint of its job returns.
    pub(super) fn dataset(&self, endpoint: &str) -> Option<&'static Dataset> {
        self.job.endpoints.iter().find(|known| known.path == endpoint).map(|endpoint| endpoint.dataset)
    }

    /// The parameter with which a batch asks for more records than usual, and their number.
    pub(super) fn larger(&self, batch: &Batch) -> Option<(&'static str, u16)> {
        self.dataset(batch.endpoint).filter(|_| batch.enlarged)?.quality.larger()
    }
}
