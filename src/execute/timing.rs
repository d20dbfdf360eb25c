//! When the loop must act even though nothing has happened.

use std::time::Duration;

use super::stop::Stop;
use super::{Execution, Saving};
use crate::ports::{BoxFuture, Instant};

/// Minimum time between two checkpoints.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);
/// Shortest sleep: what is due now is done now, the rest may wait this long.
const SLEEP_MIN: Duration = Duration::from_millis(1);
/// Longest sleep while waiting for a turn to call: then the list of callers is read again.
const SLEEP_WAITING: Duration = Duration::from_millis(50);

impl Execution<'_> {
    /// Sleeps until the next thing is due.
    pub(super) fn timer(&mut self) -> BoxFuture<'static, ()> {
        let now = self.app.world.clock.instant();
        let provider = self.run.provider();
        let mut waits = vec![self.deadline.until_hard(now), self.lease_until.since(now)];
        if self.saving.is_none() {
            waits.push(self.checkpoint_wait(now));
        }
        if self.stop.is_none() && self.has_work() {
            let soft = self.deadline.until_soft(now);
            let upkeep = self.next_upkeep.since(now);
            let paused = self.app.breakers.paused(provider);
            let queued = self.queue.wait(now, |_| true).unwrap_or_default();
            waits.extend([soft, upkeep, paused, queued].into_iter().filter(|wait| !wait.is_zero()));
            if paused.is_zero() && self.stepping.is_none() {
                let is_waiting = self.share().is_none_or(|share| share.calls == 0);
                waits.extend(is_waiting.then_some(SLEEP_WAITING));
            }
        }
        let wait = waits.into_iter().min().unwrap_or(CHECKPOINT_INTERVAL);
        self.app.world.clock.sleep(wait.max(SLEEP_MIN))
    }

    /// Whether running calls must be cut off now.
    pub(super) fn must_cut(&mut self) -> bool {
        let now = self.app.world.clock.instant();
        if now >= self.lease_until && self.stop != Some(Stop::Lost) {
            let reason = "the lease could not be renewed in time".to_owned();
            self.stop = Some(Stop::Ledger { reason });
        }
        matches!(self.stop, Some(Stop::Lost | Stop::Ledger { .. })) || self.deadline.until_hard(now).is_zero()
    }

    /// Records progress, at most once a second, and renews the lease when there is none.
    pub(super) fn checkpoint_if_due(&mut self) {
        let now = self.app.world.clock.instant();
        if self.saving.is_some() || !self.checkpoint_wait(now).is_zero() {
            return;
        }
        let mut state = self.state.clone();
        state.pending = self.pending();
        let future = self.app.ledger.checkpoint(self.fence.clone(), state);
        self.saving = Some(Saving { started: now, future });
        self.last_save = now;
        self.changed = false;
    }

    fn checkpoint_wait(&self, now: Instant) -> Duration {
        let interval = if self.changed { CHECKPOINT_INTERVAL } else { self.app.config.run.lease / 3 };
        (self.last_save + interval).since(now)
    }
}
