//! Which calls may start now.

use std::time::Duration;

use super::stop::Stop;
use super::{Execution, Turn, call};
use crate::firestore::FirestoreError;
use crate::ports::{BoxFuture, Instant};
use crate::resilience::breaker::Admission;

/// Bytes of writes that may wait before no further call starts.
const WAITING_BYTES_MAX: usize = 8 << 20;

/// Time beyond a call's own limit after which its probe counts as dead.
const PROBE_SLACK: Duration = Duration::from_secs(5);

impl Execution<'_> {
    /// Starts every call that may start now.
    pub(super) fn dispatch(&mut self) {
        let now = self.app.world.clock.instant();
        while self.stop.is_none() && !self.queue.is_empty() {
            if let Some(stop) = self.reason_to_stop(now) {
                self.stop = Some(stop);
                return;
            }
            if self.must_ask(now) {
                self.breaker_turn = Some(self.refresh());
                return;
            }
            if self.must_probe() {
                self.breaker_turn = Some(self.claim_probe());
                return;
            }
            if !self.may_call(now) {
                return;
            }
            let Some(mut batch) = self.queue.next(now) else { return };
            if self.probing {
                // One ticker is enough to learn whether the provider is back; which one is left to chance,
                // so that a poisonous one does not keep the breaker open for ever.
                self.queue.shrink(&mut batch, self.app.world.entropy.next_u64());
            }
            if batch.attempt == 0 {
                batch.answered_before = self.answered;
            } else {
                self.state.counts.retries += 1;
            }
            batch.attempt += 1;
            self.call_number += 1;
            self.state.counts.calls += 1;
            self.calling.push((self.call_number, batch.clone().into_work(None)));
            self.calls.push(call::send(self.app, &self.run, self.call_number, batch));
        }
    }

    fn may_call(&self, now: Instant) -> bool {
        let config = self.app.config.provider(self.run.provider());
        let calls_max = if self.probing { 1 } else { config.max_concurrency };
        self.calls.len() < calls_max
            && self.breaker_turn.is_none()
            && self.writer.waiting_bytes() < WAITING_BYTES_MAX
            && self.app.breakers.paused(self.run.provider(), now).is_zero()
    }

    /// Whether what this instance knows of the breaker is too old to call by.
    fn must_ask(&self, now: Instant) -> bool {
        !self.probing && self.breaker_turn.is_none() && self.app.breakers.is_stale(self.run.provider(), now)
    }

    fn refresh(&self) -> BoxFuture<'static, Result<Turn, FirestoreError>> {
        let (breakers, provider) = (self.app.breakers.clone(), self.run.provider());
        Box::pin(async move {
            breakers.refresh(provider).await?;
            Ok(Turn::Refreshed)
        })
    }

    /// Whether the breaker's time is up and nobody has tried the provider yet.
    fn must_probe(&self) -> bool {
        !self.probing
            && self.breaker_turn.is_none()
            && self.app.breakers.admit(self.run.provider()) == Admission::Probe
    }

    fn claim_probe(&self) -> BoxFuture<'static, Result<Turn, FirestoreError>> {
        let (breakers, provider) = (self.app.breakers.clone(), self.run.provider());
        let (run_id, time) = (self.run.run_id.clone(), self.app.config.call.timeout + PROBE_SLACK);
        Box::pin(async move { Ok(Turn::Probe(breakers.claim_probe(provider, &run_id, time).await?)) })
    }

    /// Why no further call may start, whatever is free.
    fn reason_to_stop(&self, now: Instant) -> Option<Stop> {
        if !self.deadline.admits(now) {
            return Some(Stop::Deadline);
        }
        let provider = self.run.provider();
        // While the breaker is being turned, what it says is about to change: after a successful probe it still
        // reads half-open until it is closed, and the prober must not stop for that.
        if let Admission::Refuse { retry_after } = self.app.breakers.admit(provider)
            && !self.probing
            && self.breaker_turn.is_none()
        {
            let reason = self.app.breakers.state(provider).reason.unwrap_or_default();
            return Some(Stop::Breaker { retry_after, reason });
        }
        let left = self.deadline.until_soft(now);
        let paused = self.app.breakers.paused(provider, now);
        if paused >= left {
            return Some(Stop::Paused { retry_after: paused });
        }
        let idle = self.calls.is_empty() && self.writer.is_idle();
        if idle && self.queue.wait(now).is_some_and(|wait| wait >= left) {
            return Some(Stop::Deadline);
        }
        None
    }
}
