//! What all calls of a run have in common.

use chrono::{DateTime, TimeDelta, Utc};

use super::queue::Batch;
use crate::catalogue::{Dataset, Job, Provider, Scope, WindowParameters};
use crate::run::{RunState, Window};

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
    /// An answer that reaches back to this time is whole, however many records it has.
    pub since: Option<DateTime<Utc>>,
}

/// How far back an answer must reach to be whole: a tick before may have failed, and a weekend is 62 hours long.
const REACHES_BACK: TimeDelta = TimeDelta::hours(72);

impl RunContext {
    /// The context of a run.
    pub(super) fn of(job: &'static Job, scope: Scope, run_attempt: u32, state: &RunState) -> Self {
        let tick = state.tick().unwrap_or(state.identity.created_at);
        Self {
            job,
            scope,
            run_id: state.identity.run_id.clone(),
            run_attempt,
            run_time: state.identity.run_time.clone(),
            tick,
            since: Self::since(tick),
        }
    }

    /// Up to when a run of this tick needs no answer to reach.
    fn since(tick: DateTime<Utc>) -> Option<DateTime<Utc>> {
        tick.checked_sub_signed(REACHES_BACK)
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
