//! Which calls may start now.

use super::failing::{NOTHING_IN_ROW, TRIES_MAX};
use super::lane::{Held, Lane};
use super::queue::{Batch, Origin};
use super::stop::{RETRY_LATER, Stop};
use super::{Execution, InFlight, call};
use crate::ports::Instant;
use crate::resilience::breaker::Admission;
use crate::resilience::limits::IN_ROW_MAX;

/// Bytes of pending writes above which no further call starts.
const WAITING_BYTES_MAX: usize = 8 << 20;

/// Calls per attempt for a ticker that was answered before, to judge the suspects.
const CONTROLS_MAX: u32 = 12;

impl Execution<'_> {
    /// Starts every call that may start now.
    pub(super) fn dispatch(&mut self) {
        let now = self.app.world.clock.instant();
        // What has happened is shared with the others, whether or not this run continues. Until then the shared state is
        // about to change: after a probe that was answered the breaker still reads half-open.
        if self.is_stepping(now) {
            return;
        }
        self.hold_refused();
        while self.stop.is_none() && self.has_work() {
            if let Some(stop) = self.reason_to_stop(now) {
                self.stop = Some(stop);
                return;
            }
            if !self.may_call(now) {
                return;
            }
            let Some(batch) = self.next_batch(now) else { break };
            self.send(batch);
        }
        // Whatever the search for a call has changed is shared at once.
        if !self.steps.is_empty() {
            self.is_stepping(now);
        }
    }

    /// Whether anything is left to request.
    pub(super) fn has_work(&self) -> bool {
        !self.queue.is_empty() || self.lanes.iter().any(|lane| !lane.accused.is_empty())
    }

    fn may_call(&self, now: Instant) -> bool {
        let calls_max =
            self.share().map_or(0, |share| share.calls.min(share.lower_to.unwrap_or(share.calls)));
        // After the provider has reported a limit, one call finds out whether it answers again.
        let calls_max = if self.app.breakers.limit(self.run.provider()).in_row > 0 {
            calls_max.min(1)
        } else {
            calls_max
        };
        self.calls.len() < calls_max
            && !self.must_yield(now)
            && self.writer.waiting_bytes() < WAITING_BYTES_MAX
            && self.app.breakers.paused(self.run.provider()).is_zero()
    }

    /// Leaves the work of endpoints whose breaker refuses calls to later attempts.
    fn hold_refused(&mut self) {
        let provider = self.run.provider();
        for at in 0..self.lanes.len() {
            let Some(lane) = self.lanes.get(at) else { return };
            let endpoint = lane.endpoint;
            if lane.is_probing || lane.held.is_some() {
                continue;
            }
            if let Admission::Refuse { retry_after } = self.app.breakers.admit(provider, endpoint) {
                let reason = self.app.breakers.endpoint(provider, endpoint).reason.unwrap_or_default();
                self.hold(endpoint, Held { reason, retry_after, is_breaker: true });
            }
        }
    }

    /// Stops calling an endpoint in this attempt.
    pub(super) fn hold(&mut self, endpoint: &'static str, held: Held) {
        let reason = held.reason.clone();
        if let Some(lane) = self.lanes.iter_mut().find(|lane| lane.endpoint == endpoint) {
            lane.is_probing = false;
            lane.held = Some(held);
            for accused in std::mem::take(&mut lane.accused) {
                self.put_off.push(accused.batch.into_work(Some(accused.fault.words)));
            }
        }
        for batch in self.queue.drain(endpoint) {
            self.put_off.push(batch.into_work(Some(reason.clone())));
        }
    }

    /// The next batch to call, of an endpoint that may be called.
    fn next_batch(&mut self, now: Instant) -> Option<Batch> {
        if let Some(check) = self.next_check() {
            return Some(check);
        }
        let (lanes, calling, breakers) = (&self.lanes, &self.calling, &self.app.breakers);
        let provider = self.run.provider();
        let is_free = |endpoint: &'static str| {
            let passes = breakers.admit(provider, endpoint) == Admission::Pass;
            passes && lanes.iter().any(|lane| lane.endpoint == endpoint && is_free(lane, calling))
        };
        let batch = self.queue.next(now, is_free)?;
        let left = self.deadline.until_hard(now);
        let lane = self.lanes.iter().find(|lane| lane.endpoint == batch.endpoint)?;
        let fitting = lane.pace.fitting(batch.tickers.len().max(1), left);
        if fitting == 0 {
            self.queue.put_back(batch);
            self.stop = Some(Stop::Deadline);
            return None;
        }
        if fitting < batch.tickers.len() {
            let mut tickers = batch.tickers.clone();
            let rest = tickers.split_off(fitting);
            self.queue.put_back(batch.of(rest));
            return Some(batch.of(tickers));
        }
        Some(batch)
    }

    /// A call that finds out whether an endpoint is up, or whether its suspects are at fault.
    fn next_check(&mut self) -> Option<Batch> {
        for at in 0..self.lanes.len() {
            let lane = self.lanes.get(at)?;
            let endpoint = lane.endpoint;
            let is_checked = self.calling.iter().any(|flight| flight.endpoint == endpoint && flight.is_check);
            let passes =
                lane.is_probing || self.app.breakers.admit(self.run.provider(), endpoint) == Admission::Pass;
            if lane.held.is_some() || is_checked || !passes {
                continue;
            }
            if lane.is_checking() {
                match self.check(at) {
                    Some(batch) => return Some(batch),
                    None if self.calling.iter().any(|flight| flight.endpoint == endpoint) => {}
                    None => self.give_up_checking(at),
                }
            } else if self.wants_control(at) {
                if let Some(batch) = self.control(at).filter(|_| self.may_control(at)) {
                    return Some(batch);
                }
            } else if !lane.accused.is_empty()
                && self.queue.count(endpoint) == 0
                && !self.calling.iter().any(|flight| flight.endpoint == endpoint)
            {
                match self.control(at).filter(|_| self.may_control(at)) {
                    Some(batch) => return Some(batch),
                    None => self.judge_without_control(at),
                }
            }
        }
        None
    }

    /// A single ticker of an endpoint in doubt: one that was answered before, or any that has not yet failed alone.
    fn check(&mut self, at: usize) -> Option<Batch> {
        if let Some(control) = self.control(at) {
            return Some(control);
        }
        let jitter = self.app.world.entropy.next_u64();
        let lane = self.lanes.get(at)?;
        self.queue.take_one(lane.endpoint, jitter, |ticker| !lane.diagnosis.has_checked(ticker)).or_else(
            || {
                let has_no_tickers = self
                    .queue
                    .iter()
                    .any(|batch| batch.endpoint == lane.endpoint && batch.tickers.is_empty());
                let batches = if has_no_tickers { self.queue.drain(lane.endpoint) } else { Vec::new() };
                batches.into_iter().next()
            },
        )
    }

    /// A call for the ticker that was answered before, unless that one has failed since.
    fn control(&self, at: usize) -> Option<Batch> {
        let lane = self.lanes.get(at)?;
        let control = lane.control.clone().filter(|_| !lane.control_failed)?;
        let batch = Batch::new(lane.endpoint, vec![control], 1);
        Some(Batch { origin: Origin::Control, ..batch })
    }

    /// Whether work has been deferred so often that the next failure decides: then the endpoint must be known to be up. Or
    /// whether so many tickers were without data that it may be a limit.
    fn wants_control(&self, at: usize) -> bool {
        let Some(lane) = self.lanes.get(at) else { return false };
        if lane.without_data() >= NOTHING_IN_ROW {
            return lane.control.is_some();
        }
        let is_last = |batch: &Batch| batch.endpoint == lane.endpoint && batch.tries >= TRIES_MAX;
        lane.answered == 0 && lane.controls == 0 && lane.control.is_some() && self.queue.iter().any(is_last)
    }

    /// Whether another call for the control ticker may still decide about the suspects; counts it.
    fn may_control(&mut self, at: usize) -> bool {
        let Some(lane) = self.lanes.get_mut(at) else { return false };
        lane.controls += 1;
        lane.controls <= CONTROLS_MAX
    }

    /// All tickers have failed alone, but they are too few to conclude that the provider is down.
    fn give_up_checking(&mut self, at: usize) {
        let Some(lane) = self.lanes.get(at) else { return };
        let endpoint = lane.endpoint;
        if lane.is_probing {
            return self.reopen(endpoint);
        }
        let reason = "the provider returned data for none of these tickers".to_owned();
        self.hold(endpoint, Held { reason, retry_after: RETRY_LATER, is_breaker: false });
    }

    /// Counts the call and sends it.
    fn send(&mut self, mut batch: Batch) {
        let lane = self.lanes.iter().find(|lane| lane.endpoint == batch.endpoint);
        let is_check = batch.is_control() || lane.is_some_and(Lane::is_checking);
        if batch.attempt > 0 {
            self.state.counts.retries += 1;
        }
        batch.answered_before.get_or_insert(lane.map_or(0, |lane| lane.answered));
        batch.attempt += 1;
        self.call_number += 1;
        self.state.counts.calls += 1;
        self.calling.push(InFlight {
            number: self.call_number,
            endpoint: batch.endpoint,
            started: self.app.world.clock.instant(),
            work: (!batch.is_control()).then(|| batch.clone().into_work(None)),
            is_check,
        });
        self.calls.push(call::send(self.app, &self.run, self.call_number, batch));
    }

    /// Why no further call may start, even if there is capacity.
    fn reason_to_stop(&self, now: Instant) -> Option<Stop> {
        if !self.deadline.admits(now) {
            return Some(Stop::Deadline);
        }
        let provider = self.run.provider();
        let left = self.deadline.until_soft(now);
        let paused = self.app.breakers.paused(provider);
        let limit = self.app.breakers.limit(provider);
        let is_enough = limit.in_row >= IN_ROW_MAX && !paused.is_zero();
        if paused >= left || is_enough {
            return Some(Stop::Paused { retry_after: paused, reason: limit.reason.unwrap_or_default() });
        }
        let idle = self.calls.is_empty() && self.writer.is_idle();
        if idle && self.queue.wait(now, |_| true).is_some_and(|wait| wait >= left) {
            return Some(Stop::Deadline);
        }
        None
    }
}

/// Whether a batch of this endpoint may be sent.
fn is_free(lane: &Lane, calling: &[InFlight]) -> bool {
    let in_flight = calling.iter().filter(|flight| flight.endpoint == lane.endpoint).count();
    lane.held.is_none() && !lane.is_checking() && in_flight < lane.pace.calls()
}
