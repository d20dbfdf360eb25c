//! Which calls may start now.

use super::backlog::Backlog;
use super::calls::{Calls, Purpose};
use super::lane::{Held, Lane};
use super::queue::Batch;
use super::reply::Reply;
use super::{Execution, call};
use crate::base::ports::Instant;
use crate::resilience::breaker::Admission;
use crate::resilience::limits::IN_ROW_MAX;
use crate::run::stop::{RETRY_LATER, StopReason};

/// Bytes of pending writes above which no further call starts.
pub(super) const WAITING_BYTES_MAX: usize = 8 << 20;

impl Execution<'_> {
    /// Starts every call that may start now.
    pub(super) fn dispatch(&mut self) {
        if self.recalls.is_some() {
            return self.recall_in_time();
        }
        let now = self.engine.world.clock.instant();
        // Events are shared with other runs whether or not this run continues. Until that is done the shared state is
        // outdated: after an answered probe the breaker still reads half-open.
        if self.is_stepping(now) {
            return;
        }
        self.hold_refused();
        while self.stop.is_none() && self.backlog.has_work() {
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
        // Changes made while searching for a call are shared immediately.
        if self.steps.has_waiting() {
            self.is_stepping(now);
        }
    }

    fn may_call(&self, now: Instant) -> bool {
        let calls_max =
            self.share().map_or(0, |share| share.calls.min(share.lower_to.unwrap_or(share.calls)));
        // After the provider has reported a limit, a single call checks whether it answers again.
        let calls_max = if self.engine.breakers.limit(self.run.provider()).in_row > 0 {
            calls_max.min(1)
        } else {
            calls_max
        };
        self.calls.len() < calls_max
            && !self.must_yield(now)
            && self.writer.waiting_bytes() < WAITING_BYTES_MAX
            && !self.coverage.is_full()
            && self.engine.breakers.paused(self.run.provider()).is_zero()
            && self.gives_way(now).is_zero()
    }

    /// Leaves the work of endpoints whose breaker refuses calls to later attempts.
    fn hold_refused(&mut self) {
        let job = self.run.job;
        for endpoint in job.endpoints.iter().map(|endpoint| endpoint.path) {
            if !self.lane(endpoint).is_some_and(Lane::is_calling) {
                continue;
            }
            if let Admission::Refuse { retry_after } = self.engine.breakers.admit(job.provider, endpoint) {
                let reason = self.engine.breakers.endpoint(job.provider, endpoint).reason.unwrap_or_default();
                self.hold(endpoint, Held { reason, retry_after, is_breaker: true });
            }
        }
    }

    /// Stops calling an endpoint in this attempt.
    pub(super) fn hold(&mut self, endpoint: &str, held: Held) {
        self.backlog.defer_endpoint(endpoint, &held.reason);
        if let Some(lane) = self.lane_mut(endpoint) {
            lane.hold(held);
        }
    }

    /// The next batch to call, for an endpoint that may be called.
    fn next_batch(&mut self, now: Instant) -> Option<Batch> {
        if let Some(check) = self.next_check() {
            return Some(check);
        }
        let (lanes, calls, breakers) = (&self.lanes, &self.calls, &self.engine.breakers);
        let provider = self.run.provider();
        let is_free = |endpoint: &'static str| {
            let passes = breakers.admit(provider, endpoint) == Admission::Pass;
            passes && lanes.iter().any(|lane| lane.endpoint == endpoint && is_free(lane, calls))
        };
        let batch = self.backlog.queue.next(now, is_free)?;
        let left = self.deadline.until_hard(now);
        let lane = self.lanes.iter().find(|lane| lane.endpoint == batch.endpoint)?;
        let fitting = lane.pace.fitting(batch.tickers.len().max(1), left);
        if fitting == 0 {
            self.backlog.queue.put_back(batch);
            self.stop = Some(StopReason::Deadline);
            return None;
        }
        if fitting < batch.tickers.len() {
            let mut tickers = batch.tickers.clone();
            let rest = tickers.split_off(fitting);
            self.backlog.queue.put_back(batch.of(rest));
            return Some(batch.of(tickers));
        }
        Some(batch)
    }

    /// A call that checks whether an endpoint is up, or whether its suspects are at fault.
    fn next_check(&mut self) -> Option<Batch> {
        let job = self.run.job;
        for endpoint in job.endpoints.iter().map(|endpoint| endpoint.path) {
            let lane = self.lane(endpoint)?;
            let passes =
                lane.is_probing() || self.engine.breakers.admit(job.provider, endpoint) == Admission::Pass;
            if lane.is_held() || self.calls.is_checking(endpoint) || !passes {
                continue;
            }
            let is_silent = self.calls.count(endpoint) == 0;
            let Backlog { queue, suspects, .. } = &self.backlog;
            if lane.is_checking() {
                match self.check(endpoint) {
                    Some(batch) => return Some(batch),
                    None if is_silent => self.give_up_checking(endpoint),
                    None => {}
                }
            } else if lane.wants_control(suspects.without_data(endpoint), queue) {
                if let Some(batch) = self.control(endpoint) {
                    return Some(batch);
                }
            } else if is_silent && suspects.count(endpoint) > 0 && queue.count(endpoint) == 0 {
                match self.recheck(endpoint).or_else(|| self.control(endpoint)) {
                    Some(batch) => return Some(batch),
                    None => self.judge_without_control(endpoint),
                }
            }
        }
        None
    }

    /// A single ticker of an endpoint in doubt: one that was answered before, or any that has not yet failed alone.
    fn check(&mut self, endpoint: &'static str) -> Option<Batch> {
        let lane = self.lanes.iter().find(|lane| lane.endpoint == endpoint)?;
        if let Some(control) = lane.control_batch() {
            return Some(control);
        }
        let jitter = self.engine.world.entropy.next_u64();
        let queue = &mut self.backlog.queue;
        queue.take_one(endpoint, jitter, |ticker| !lane.diagnosis.has_checked(ticker)).or_else(|| {
            let is_whole = |batch: &Batch| batch.endpoint == endpoint && batch.tickers.is_empty();
            let batches = if queue.iter().any(is_whole) { queue.drain(endpoint) } else { Vec::new() };
            batches.into_iter().next()
        })
    }

    /// Picks a ticker without data instead of the one that was answered before. The choice is random, so that a limit
    /// that admits every other call favors neither of them.
    fn recheck(&mut self, endpoint: &str) -> Option<Batch> {
        let can_control = self.lane(endpoint)?.can_control();
        let takes_turn = can_control && self.engine.world.entropy.next_u64().is_multiple_of(2);
        let suspect = takes_turn.then(|| self.backlog.suspects.take_one_without_data(endpoint)).flatten()?;
        Some(Batch { attempt: 0, ..suspect.batch })
    }

    /// A call for the ticker that was answered before, while such calls may still decide about the suspects.
    fn control(&mut self, endpoint: &str) -> Option<Batch> {
        let lane = self.lane_mut(endpoint)?;
        lane.control_batch().filter(|_| lane.may_control())
    }

    /// All tickers have failed alone, but they are too few to conclude that the provider is down.
    fn give_up_checking(&mut self, endpoint: &'static str) {
        if self.lane(endpoint).is_some_and(Lane::is_probing) {
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
        self.state.counts.calls += 1;
        let purpose = Purpose {
            endpoint: batch.endpoint,
            work: (!batch.is_control()).then(|| batch.clone().into_work(None)),
            is_check,
        };
        let now = self.engine.world.clock.instant();
        self.calls.start(purpose, now, |number| call::send(self.engine, &self.run, number, batch));
    }

    /// Why no further call may start, even if there is capacity.
    fn reason_to_stop(&self, now: Instant) -> Option<StopReason> {
        if !self.deadline.admits(now) {
            return Some(StopReason::Deadline);
        }
        let provider = self.run.provider();
        let left = self.deadline.until_soft(now);
        let paused = self.engine.breakers.paused(provider);
        let limit = self.engine.breakers.limit(provider);
        let is_enough = limit.in_row >= IN_ROW_MAX && !paused.is_zero();
        if paused >= left || is_enough {
            return Some(StopReason::Paused {
                retry_after: paused,
                reason: limit.reason.unwrap_or_default(),
            });
        }
        let idle = self.calls.is_empty() && self.writer.is_idle();
        if idle && self.gives_way(now) >= left {
            return Some(StopReason::Deadline);
        }
        if idle && self.backlog.queue.wait(now, |_| true).is_some_and(|wait| wait >= left) {
            return Some(StopReason::Deadline);
        }
        None
    }
}

/// Whether a batch of this endpoint may be sent.
fn is_free(lane: &Lane, calls: &Calls<Reply>) -> bool {
    !lane.is_held() && !lane.is_checking() && calls.count(lane.endpoint) < lane.pace.calls()
}
