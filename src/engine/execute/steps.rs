//! The steps that change the state that all runs share: breakers, the provider's pause, the list of its callers.
//!
//! Steps run one at a time, and no call starts while a step is in flight, because its result decides about the calls.

use std::collections::VecDeque;
use std::future::pending;
use std::time::Duration;

use crate::base::ports::{BoxFuture, Instant};
use crate::catalogue::Provider;
use crate::firestore::FirestoreError;
use crate::provider::breakers::Breakers;
use crate::resilience::slots::TURN;

/// Wait before the next step after one that failed.
const FAILED_PAUSE: Duration = Duration::from_secs(1);

/// A step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Read the shared state.
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
    /// Claim the probe that checks whether the provider is back.
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

/// A completed step, and whether it succeeded if it was a claim.
pub(super) type Stepped = (Step, Result<bool, FirestoreError>);

/// What a step needs to know about its run.
pub(super) struct Caller {
    pub breakers: Breakers,
    pub provider: Provider,
    pub owner: String,
    pub run_id: String,
    pub probe_time: Duration,
}

impl Step {
    pub(super) async fn take(&self, caller: Caller) -> Result<bool, FirestoreError> {
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

/// The steps of a run, and when it next renews its place in the list of callers.
pub(super) struct Steps {
    waiting: VecDeque<Step>,
    under_way: Option<BoxFuture<'static, Stepped>>,
    next_upkeep: Instant,
}

impl Steps {
    pub(super) fn new(now: Instant) -> Self {
        Self { waiting: VecDeque::new(), under_way: None, next_upkeep: now }
    }

    pub(super) fn push(&mut self, step: Step) {
        self.waiting.push_back(step);
    }

    /// The provider has reported a limit. A late response adds nothing while the same step is still waiting.
    pub(super) fn push_limit_hit(&mut self, asked: Option<Duration>, reason: &str, is_late: bool) {
        let waits = self.waiting.iter().any(|step| matches!(step, Step::LimitHit { .. }));
        if !(is_late && waits) {
            self.push(Step::LimitHit { asked, reason: reason.to_owned(), is_late });
        }
    }

    /// Removes the next step.
    pub(super) fn pop(&mut self) -> Option<Step> {
        self.waiting.pop_front()
    }

    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Whether every step is done.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.under_way.is_none()
    }

    pub(super) fn begin(&mut self, step: BoxFuture<'static, Stepped>) {
        self.under_way = Some(step);
    }

    /// Waits for the step in flight; forever if there is none.
    pub(super) async fn taken(&mut self) -> Stepped {
        match &mut self.under_way {
            Some(step) => step.await,
            None => pending().await,
        }
    }

    /// The step in flight has completed; if it failed, upkeep waits a little.
    pub(super) fn on_taken(&mut self, has_failed: bool, now: Instant) {
        self.under_way = None;
        if has_failed {
            self.next_upkeep = now + FAILED_PAUSE;
        }
    }

    /// Time until the run may renew its place in the list of callers.
    pub(super) fn upkeep_wait(&self, now: Instant) -> Duration {
        self.next_upkeep.since(now)
    }
}

/// The run's turn to call the provider.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// When its turn began; none if it may not call.
    began: Option<Instant>,
    /// Whether it has registered the number of concurrent calls it wants.
    has_asked: bool,
}

impl Turn {
    /// The run has moved to the end of the list, with the number of calls that it wants.
    pub(super) fn ask(&mut self) {
        *self = Self { began: None, has_asked: true };
    }

    /// The run may call; its turn begins unless it already has.
    pub(super) fn begin(&mut self, now: Instant) {
        self.began.get_or_insert(now);
    }

    pub(super) fn has_asked(&self) -> bool {
        self.has_asked
    }

    /// Whether its turn is over in favor of waiting runs.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.began.is_some_and(|began| now.since(began) >= TURN)
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use futures::FutureExt;

    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_origin(Duration::from_secs(seconds))
    }

    fn pop_limits(steps: &mut Steps) -> Vec<bool> {
        let late = |step| match step {
            Step::LimitHit { is_late, .. } => is_late,
            other => panic!("{other:?}"),
        };
        std::iter::from_fn(|| steps.pop()).map(late).collect()
    }

    #[test]
    fn a_limit_that_is_still_to_be_told_is_told_once() {
        let mut steps = Steps::new(at(0));
        for is_late in [false, true, true] {
            steps.push_limit_hit(None, "less", is_late);
        }
        assert_eq!(pop_limits(&mut steps), [false]);
        steps.push_limit_hit(None, "less", true);
        assert_eq!(pop_limits(&mut steps), [true], "the other one was told already");
        steps.push_limit_hit(None, "less", false);
        steps.push_limit_hit(None, "less", false);
        assert_eq!(pop_limits(&mut steps), [false, false], "a new limit each time");
    }

    #[test]
    fn everything_is_told_when_no_step_waits_or_is_under_way() {
        let mut steps = Steps::new(at(0));
        assert!(steps.is_idle() && steps.taken().now_or_never().is_none());
        steps.push(Step::LimitOver);
        assert!(steps.has_waiting() && !steps.is_idle());
        let step = steps.pop().unwrap();
        steps.begin(Box::pin(ready((step, Ok(true)))));
        assert!(steps.is_under_way() && !steps.is_idle());
        assert!(matches!(steps.taken().now_or_never(), Some((Step::LimitOver, Ok(true)))));
        steps.on_taken(false, at(1));
        assert!(steps.is_idle() && steps.upkeep_wait(at(1)).is_zero());
    }

    #[test]
    fn after_a_step_that_failed_upkeep_waits_a_little() {
        let mut steps = Steps::new(at(0));
        steps.on_taken(true, at(5));
        assert_eq!(steps.upkeep_wait(at(5)), FAILED_PAUSE);
        assert!(steps.upkeep_wait(at(6)).is_zero());
    }

    #[test]
    fn a_turn_lasts_from_the_first_call_that_is_allowed() {
        let mut turn = Turn::default();
        assert!(!turn.is_over(at(60)), "it has not begun");
        turn.begin(at(60));
        turn.begin(at(65));
        assert!(!turn.is_over(at(60) + TURN - Duration::from_millis(1)));
        assert!(turn.is_over(at(60) + TURN));
        turn.ask();
        assert!(turn.has_asked() && !turn.is_over(at(600)), "at the end of the list a new one is waited for");
    }
}
