//! What is due even though nothing has happened: the run's place among the provider's other runs (what it must announce
//! to them, and how many calls they leave it), and orders to stop it.

use std::time::Duration;

use super::Execution;
use super::lane::Lane;
use super::steps::{Caller, Step, Stepped};
use super::watch::Looked;
use crate::base::ports::Instant;
use crate::resilience::breaker::Admission;
use crate::resilience::slots::Share;
use crate::run::stop::StopReason;

/// Time beyond a call's own limit after which its probe counts as dead.
const PROBE_SLACK: Duration = Duration::from_secs(5);

impl Execution<'_> {
    /// Begins the next step that is due, if none is in flight; returns whether one is.
    pub(super) fn is_stepping(&mut self, now: Instant) -> bool {
        if self.steps.is_under_way() {
            return true;
        }
        let Some(step) = self.steps.pop().or_else(|| self.upkeep(now)) else { return false };
        let caller = Caller {
            breakers: self.engine.breakers.clone(),
            provider: self.run.provider(),
            owner: self.lease.owner().to_owned(),
            run_id: self.run.run_id.clone(),
            probe_time: self.engine.settings.call.timeout + PROBE_SLACK,
        };
        self.steps.begin(Box::pin(async move {
            let taken = step.take(caller).await;
            (step, taken)
        }));
        true
    }

    /// What is due even though nothing has happened.
    fn upkeep(&self, now: Instant) -> Option<Step> {
        let goes_on = self.stop.is_none() && self.backlog.has_work();
        let is_due = self.steps.upkeep_wait(now).is_zero();
        if !goes_on {
            // Calls in flight keep their place.
            let is_calling = !self.calls.is_empty() && is_due;
            return is_calling.then(|| self.renewal()).flatten();
        }
        let (breakers, provider) = (&self.engine.breakers, self.run.provider());
        let is_waiting = self.share().is_none_or(|share| share.calls == 0);
        if breakers.is_stale(provider, now, is_waiting) {
            return Some(Step::Refresh);
        }
        if !is_due {
            return None;
        }
        self.registration(now).or_else(|| {
            let unclaimed = |lane: &&Lane| {
                lane.is_calling()
                    && breakers.admit(provider, lane.endpoint) == Admission::Probe
                    && self.backlog.queue.count(lane.endpoint) > 0
            };
            let lane = self.lanes.iter().find(unclaimed)?;
            Some(Step::ClaimProbe { endpoint: lane.endpoint })
        })
    }

    /// What this run may do alongside the provider's other runs.
    pub(super) fn share(&self) -> Option<Share> {
        let provider = self.run.provider();
        let limit = self.engine.settings.provider(provider).max_concurrency;
        self.engine.breakers.share(provider, self.lease.owner(), limit)
    }

    fn registration(&self, now: Instant) -> Option<Step> {
        let provider = self.run.provider();
        let limit = self.engine.settings.provider(provider).max_concurrency;
        let wanted = self.backlog.queue.iter().take(limit).count().max(1);
        let Some((registered, _)) = self.engine.breakers.registered(provider, self.lease.owner()) else {
            return Some(Step::Register { calls: wanted, at_the_end: true });
        };
        let Some(share) = self.share() else {
            return Some(Step::Register { calls: wanted, at_the_end: true });
        };
        // Not until its own calls have dropped that far: the others immediately use what they see as free.
        if let Some(calls) = share.lower_to.filter(|calls| self.calls.len() <= *calls) {
            return Some(Step::Register { calls, at_the_end: false });
        }
        if self.must_yield(now) && self.calls.is_empty() {
            return Some(Step::Register { calls: registered, at_the_end: true });
        }
        // At the end of the list, other runs may take precedence over calls that are in flight. The claim registered
        // one call. More are requested once, and again when the other runs have gone.
        let may_grow = !self.turn.has_asked() || share.runs == 1;
        if may_grow && registered < wanted && self.calls.is_empty() {
            return Some(Step::Register { calls: wanted, at_the_end: true });
        }
        self.renewal()
    }

    /// Announces that this run is alive, when it is time to.
    fn renewal(&self) -> Option<Step> {
        let (calls, age) = self.engine.breakers.registered(self.run.provider(), self.lease.owner())?;
        (age >= self.engine.settings.run.lease / 3).then_some(Step::Register { calls, at_the_end: false })
    }

    /// Whether others wait for this run's calls to end.
    pub(super) fn must_yield(&self, now: Instant) -> bool {
        self.turn.is_over(now) && self.share().is_some_and(|share| share.others_wait && share.calls > 0)
    }

    pub(super) fn on_stepped(&mut self, (step, taken): Stepped) {
        let provider = self.run.provider();
        let now = self.engine.world.clock.instant();
        self.steps.on_taken(taken.is_err(), now);
        let ours = match taken {
            Ok(ours) => ours,
            Err(error) => {
                tracing::warn!(provider.name = provider.name(), %error, "the provider's shared state is unreachable");
                return;
            }
        };
        match step {
            Step::ClaimProbe { endpoint } if ours => {
                if let Some(lane) = self.lane_mut(endpoint) {
                    lane.begin_probe();
                }
            }
            Step::Register { at_the_end: true, .. } => self.turn.ask(),
            _ => {}
        }
        if self.share().is_some_and(|share| share.calls > 0) {
            self.turn.begin(now);
        }
    }

    /// Looks for an order to stop the run, unless the entry has just been written.
    pub(super) fn look_if_due(&mut self) {
        let now = self.engine.world.clock.instant();
        if self.watch.is_due(now) {
            self.watch.begin(self.engine.ledger.cancelled(&self.state.identity.run_id), now);
        }
    }

    pub(super) fn on_looked(&mut self, looked: Looked) {
        match looked {
            Ok(Some(order)) => self.lease.note(order),
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(run.id = self.state.identity.run_id, %error, "could not look for an order to stop");
            }
        }
        self.heed_order();
    }

    /// Drops all calls once there is an order to stop the run. What they have brought before is still stored.
    pub(super) fn heed_order(&mut self) {
        let stops = self.stop.as_ref().is_some_and(StopReason::is_final);
        if stops || !self.lease.is_cancelled() {
            return;
        }
        tracing::info!(
            run.id = self.state.identity.run_id,
            calls = self.calls.len(),
            "an order to stop has come"
        );
        self.stop = Some(StopReason::Cancelled);
        for work in self.calls.cut().into_iter().filter_map(|call| call.purpose.work) {
            self.backlog.defer_work(work);
        }
    }
}
