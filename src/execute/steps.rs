//! How a run handles the state that all runs share: breakers, the provider's pause, its place among the callers.
//!
//! One step at a time, and no call starts while a step is in flight: what it changes decides about the calls.

use std::time::Duration;

use super::Execution;
use crate::breakers::Breakers;
use crate::firestore::FirestoreError;
use crate::job::Provider;
use crate::ports::{BoxFuture, Instant};
use crate::resilience::breaker::Admission;
use crate::resilience::slots::{Share, TURN};

/// Time beyond a call's own limit after which its probe counts as dead.
const PROBE_SLACK: Duration = Duration::from_secs(5);
/// Wait before the next step after one that failed.
const FAILED_PAUSE: Duration = Duration::from_secs(1);

/// A step to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Read what the others know.
    Refresh,
    /// Announce that this run is alive and wants this many concurrent calls; at the end of the list if more than before.
    Register {
        calls: usize,
        at_the_end: bool,
    },
    Open {
        endpoint: &'static str,
        reason: String,
    },
    /// Become the one that probes whether the provider is back.
    ClaimProbe {
        endpoint: &'static str,
    },
    Close {
        endpoint: &'static str,
    },
    /// The provider has reported a limit.
    LimitHit {
        asked: Option<Duration>,
        reason: String,
        is_late: bool,
    },
    LimitOver,
}

/// A completed step, and for a claim whether it is ours.
pub(super) type Stepped = (Step, Result<bool, FirestoreError>);

/// What a step needs to know about its run.
struct Caller {
    breakers: Breakers,
    provider: Provider,
    owner: String,
    run_id: String,
    probe_time: Duration,
}

impl Step {
    async fn take(&self, caller: Caller) -> Result<bool, FirestoreError> {
        let Caller { breakers, provider, owner, run_id, probe_time } = caller;
        match self {
            Self::Refresh => breakers.reload(provider).await?,
            Self::Register { calls, at_the_end } => {
                breakers.register(provider, &owner, *calls, *at_the_end).await?;
            }
            Self::Open { endpoint, reason } => breakers.open(provider, endpoint, &run_id, reason).await?,
            Self::ClaimProbe { endpoint } => {
                return breakers.claim_probe(provider, endpoint, &run_id, probe_time).await;
            }
            Self::Close { endpoint } => breakers.close(provider, endpoint, &run_id).await?,
            Self::LimitHit { asked, reason, is_late } => {
                breakers.limit_hit(provider, *asked, reason, *is_late).await?;
            }
            Self::LimitOver => breakers.limit_over(provider).await?,
        }
        Ok(true)
    }
}

impl Execution<'_> {
    /// Begins the next step that is due, if none is in flight; returns whether one is.
    pub(super) fn is_stepping(&mut self, now: Instant) -> bool {
        if self.stepping.is_some() {
            return true;
        }
        let Some(step) = self.steps.pop_front().or_else(|| self.upkeep(now)) else { return false };
        let caller = Caller {
            breakers: self.app.breakers.clone(),
            provider: self.run.provider(),
            owner: self.fence.owner().to_owned(),
            run_id: self.run.run_id.clone(),
            probe_time: self.app.config.call.timeout + PROBE_SLACK,
        };
        self.stepping = Some(Box::pin(async move {
            let taken = step.take(caller).await;
            (step, taken)
        }) as BoxFuture<'static, Stepped>);
        true
    }

    /// What is due even though nothing has happened.
    fn upkeep(&self, now: Instant) -> Option<Step> {
        let goes_on = self.stop.is_none() && self.has_work();
        if !goes_on {
            // Calls in flight keep their place.
            let is_calling = !self.calls.is_empty() && now >= self.next_upkeep;
            return is_calling.then(|| self.renewal()).flatten();
        }
        let (breakers, provider) = (&self.app.breakers, self.run.provider());
        let is_waiting = self.share().is_none_or(|share| share.calls == 0);
        if breakers.is_stale(provider, now, is_waiting) {
            return Some(Step::Refresh);
        }
        if now < self.next_upkeep {
            return None;
        }
        self.registration(now).or_else(|| {
            let unclaimed = |lane: &&super::lane::Lane| {
                !lane.is_probing
                    && lane.held.is_none()
                    && breakers.admit(provider, lane.endpoint) == Admission::Probe
                    && self.queue.count(lane.endpoint) > 0
            };
            let lane = self.lanes.iter().find(unclaimed)?;
            Some(Step::ClaimProbe { endpoint: lane.endpoint })
        })
    }

    /// What this run may do alongside the provider's other runs.
    pub(super) fn share(&self) -> Option<Share> {
        let provider = self.run.provider();
        let limit = self.app.config.provider(provider).max_concurrency;
        self.app.breakers.share(provider, self.fence.owner(), limit)
    }

    fn registration(&self, now: Instant) -> Option<Step> {
        let provider = self.run.provider();
        let limit = self.app.config.provider(provider).max_concurrency;
        let wanted = self.queue.iter().take(limit).count().max(1);
        let Some((registered, _)) = self.app.breakers.registered(provider, self.fence.owner()) else {
            return Some(Step::Register { calls: wanted, at_the_end: true });
        };
        let Some(share) = self.share() else {
            return Some(Step::Register { calls: wanted, at_the_end: true });
        };
        // Not before its own calls have become so few: the others take up at once what they see free.
        if let Some(calls) = share.lower_to.filter(|calls| self.calls.len() <= *calls) {
            return Some(Step::Register { calls, at_the_end: false });
        }
        if self.must_yield(now) && self.calls.is_empty() {
            return Some(Step::Register { calls: registered, at_the_end: true });
        }
        // At the end of the list others may come before calls that are on their way.
        // The claim asked for one call. More is asked for once, and again when the others have gone.
        let may_grow = !self.has_asked || share.runs == 1;
        if may_grow && registered < wanted && self.calls.is_empty() {
            return Some(Step::Register { calls: wanted, at_the_end: true });
        }
        self.renewal()
    }

    /// Announces that this run is alive, when it is time to.
    fn renewal(&self) -> Option<Step> {
        let (calls, age) = self.app.breakers.registered(self.run.provider(), self.fence.owner())?;
        (age >= self.app.config.run.lease / 3).then_some(Step::Register { calls, at_the_end: false })
    }

    /// Whether others wait for this run's calls to end.
    pub(super) fn must_yield(&self, now: Instant) -> bool {
        let had_its_turn = self.turn_began.is_some_and(|began| now.since(began) >= TURN);
        had_its_turn && self.share().is_some_and(|share| share.others_wait && share.calls > 0)
    }

    pub(super) fn on_stepped(&mut self, (step, taken): Stepped) {
        self.stepping = None;
        let provider = self.run.provider();
        let now = self.app.world.clock.instant();
        let ours = match taken {
            Ok(ours) => ours,
            Err(error) => {
                self.next_upkeep = now + FAILED_PAUSE;
                tracing::warn!(provider.name = provider.name(), %error, "the provider's shared state is unreachable");
                return;
            }
        };
        match step {
            Step::ClaimProbe { endpoint } if ours => {
                if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.endpoint == endpoint) {
                    lane.is_probing = true;
                    lane.diagnosis.clear();
                    lane.diagnosis.doubt();
                }
            }
            Step::Register { at_the_end: true, .. } => {
                self.turn_began = None;
                self.has_asked = true;
            }
            _ => {}
        }
        if self.turn_began.is_none() && self.share().is_some_and(|share| share.calls > 0) {
            self.turn_began = Some(now);
        }
    }
}
