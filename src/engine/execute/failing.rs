//! How the loop handles a failed call.

use std::sync::Arc;
use std::time::Duration;

use super::Execution;
use super::lane::{Consequence, DEFERRALS_MAX, Held};
use super::queue::{Batch, Origin};
use super::reply::{Fault, Reply};
use super::steps::Step;
use super::suspects::Suspect;
use crate::base::ports::millis;
use crate::catalogue::Ticker;
use crate::google::Token;
use crate::resilience::class::Class;
use crate::resilience::retry::{Decision, Failure as Failed, decide};
use crate::run::stop::{RETRY_LATER, StopReason};
use crate::run::{Outcome, Shortfall, Window};

/// Shorter waits requested by a failing provider concern this run only; longer ones are shared with all instances.
const SHARED_WAIT: Duration = Duration::from_secs(30);

impl Execution<'_> {
    pub(super) fn on_fault(&mut self, reply: Reply, fault: Fault) {
        if fault.class == Class::RateLimited {
            return self.on_refused_for_limit(reply, fault);
        }
        self.on_failed(&reply, &fault);
        let Reply { mut batch, token, .. } = reply;
        if batch.is_control() {
            return match fault.class {
                Class::Unauthorized if token.is_some_and(|token| self.renews(token)) => {}
                Class::Unauthorized => self.stop = Some(StopReason::Unauthorized { message: fault.message }),
                _ => {}
            };
        }
        if fault.class != Class::Token {
            batch.has_failed = true;
            batch.failed_alone += u32::from(batch.tickers.len() == 1);
        }
        let is_held = self.is_held(batch.endpoint);
        let answered = self.lane(batch.endpoint).map_or(0, |lane| lane.answered);
        // An attempt may be too short to wait for a second timeout, or even to do anything after the first one: so this
        // comes before the question whether the attempt goes on.
        let enough = batch.failed_alone >= 2
            || (batch.failed_alone == 1
                && fault.class == Class::Timeout
                && batch.deferrals >= 2 * DEFERRALS_MAX);
        if enough && batch.deferrals >= DEFERRALS_MAX && answered > 0 && !is_held {
            // It has failed in several attempts in which others were answered.
            return self.fail(&batch, &fault);
        }
        if self.stop.is_some() || is_held {
            return self.backlog.defer(batch, Some(fault.message));
        }
        let failure = Failed {
            class: fault.class,
            attempt: batch.attempt,
            attempts_max: batch.attempts_max,
            tickers: batch.tickers.len(),
            retry_after: fault.retry_after,
            answers_others: answered > batch.answered_before.unwrap_or_default(),
            jitter: self.engine.world.entropy.next_u64(),
        };
        let decision = decide(&failure, &self.engine.settings.call.backoff);
        self.carry_out(decision, batch, token, fault);
    }

    fn carry_out(&mut self, decision: Decision, batch: Batch, token: Option<Arc<Token>>, fault: Fault) {
        let now = self.engine.world.clock.instant();
        match decision {
            Decision::Retry { after } => {
                if fault.retry_after.is_some_and(|asked| asked >= SHARED_WAIT) {
                    self.on_limited(self.calls.started(), fault.retry_after, &fault.message);
                }
                self.state.attempt.resources.waits_ms.retry += millis(after);
                self.backlog.queue.retry(batch, now + after);
            }
            Decision::Split => {
                let alone_max = self.engine.settings.call.max_attempts;
                self.backlog.queue.split(&batch, &fault.named, alone_max);
            }
            Decision::Accuse => {
                let at = self.calls.started();
                self.backlog.suspects.add(Suspect { batch, fault, at });
            }
            Decision::Fail => self.fail(&batch, &fault),
            Decision::Defer => self.defer_or_fail(batch, fault.class, &fault.message),
            Decision::Stop if token.is_some_and(|token| self.renews(token)) => {
                self.backlog.queue.retry(batch, now);
            }
            Decision::Stop => {
                self.stop = Some(StopReason::Unauthorized { message: fault.message.clone() });
                self.backlog.defer(batch, Some(fault.message));
            }
        }
    }

    /// Counts a failed call against its endpoint and decides what it says about the provider.
    pub(super) fn on_failed(&mut self, reply: &Reply, fault: &Fault) {
        let config = *self.engine.breakers.config();
        let endpoint = reply.batch.endpoint;
        let Some(lane) = self.lane_mut(endpoint) else { return };
        match lane.on_failed(&reply.batch, fault.class, &config) {
            Consequence::Nothing => {}
            Consequence::IsBack => self.steps.push(Step::Close { endpoint }),
            Consequence::IsDown => self.on_down(endpoint, fault),
        }
    }

    /// An endpoint is down: for all runs if it fails, for this run only if it refuses every request.
    fn on_down(&mut self, endpoint: &'static str, fault: &Fault) {
        let reason = format!("{}: {}", fault.class.name(), fault.message);
        if fault.class == Class::BadBatch {
            let reason = format!("the provider refuses every ticker ({reason})");
            return self.hold(endpoint, Held { reason, retry_after: RETRY_LATER, is_breaker: false });
        }
        let retry_after = self.engine.breakers.config().open;
        self.hold(endpoint, Held { reason: reason.clone(), retry_after, is_breaker: true });
        if let Some(lane) = self.lane_mut(endpoint) {
            lane.forget_failures();
        }
        self.steps.push(Step::Open { endpoint, reason });
    }

    /// None of the tickers that the probe was allowed to try was answered.
    pub(super) fn reopen(&mut self, endpoint: &'static str) {
        let reason = self.engine.breakers.endpoint(self.run.provider(), endpoint).reason.unwrap_or_default();
        let retry_after = self.engine.breakers.config().open;
        self.hold(endpoint, Held { reason: reason.clone(), retry_after, is_breaker: true });
        self.steps.push(Step::Open { endpoint, reason });
    }

    /// A call that the provider refused because its limit is exhausted: it does not count as an attempt for its tickers.
    fn on_refused_for_limit(&mut self, reply: Reply, fault: Fault) {
        let window = self.window(&fault.message);
        self.on_limited(reply.number, fault.retry_after.or(window), &fault.message);
        let batch = reply.batch;
        if batch.is_control() {
            return;
        }
        let tickers = batch.tickers.clone();
        if tickers.is_empty() {
            let again = Batch { attempt: batch.attempt.saturating_sub(1), ..batch };
            if self.stop.is_some() || self.is_held(again.endpoint) {
                self.backlog.defer(again, Some(fault.message));
            } else {
                self.backlog.queue.put_back(again);
            }
            return;
        }
        self.ask_again(&batch, tickers, &fault.message, false);
    }

    /// The reset time of the limit, according to the refusal's message.
    fn window(&self, message: &str) -> Option<Duration> {
        self.run.provider().trouble(message).reset_time().map(|window| self.limit_pause(window))
    }

    /// The reset time of a limit whose message implies this window.
    pub(super) fn limit_pause(&self, window: Duration) -> Duration {
        window * u32::try_from(self.engine.settings.call.limit_window.as_secs()).unwrap_or(u32::MAX) / 60
    }

    /// The provider has reported a limit: all runs pause, then continue with one call at a time.
    pub(super) fn on_limited(&mut self, call: u64, asked: Option<Duration>, reason: &str) {
        let is_late = call <= self.limited_at;
        self.limited_at = self.calls.started();
        let (stops, attempts_max) = (self.stop.is_some(), self.engine.settings.call.max_attempts);
        for lane in &mut self.lanes {
            lane.pace.limited();
            // Tickers without data just before this had hit the limit.
            for suspect in self.backlog.suspects.take_without_data(lane.endpoint) {
                lane.flukes += 1;
                let is_new = suspect.batch.deferrals == 0;
                let origin = if is_new { Origin::Planned } else { Origin::Piece };
                let again = Batch { origin, failed_alone: 0, attempt: 0, attempts_max, ..suspect.batch };
                if stops || lane.is_held() {
                    self.backlog.defer(again, Some(reason.to_owned()));
                } else {
                    self.backlog.queue.push(again);
                }
            }
        }
        self.steps.push_limit_hit(asked, reason, is_late);
    }

    /// Unless some ticker is answered, there is no telling whether the suspects or the provider is at fault. A refusal
    /// with the provider's own message is trusted if it concerns few tickers; a failure is not.
    pub(super) fn judge_without_control(&mut self, endpoint: &str) {
        let Some(lane) = self.lane(endpoint) else { return };
        let (never_answered, control_failed) = (lane.control.is_none(), lane.control_failed);
        let suspects = self.backlog.suspects.take_of(endpoint);
        let without_data = suspects.iter().find(|suspect| suspect.is_without_data());
        let reason = without_data.map(|suspect| suspect.fault.message.clone());
        for Suspect { batch, fault, .. } in suspects {
            if control_failed || fault.class == Class::RateLimited {
                // The provider may be down at the moment, or its limit exhausted: no suspect is judged.
                self.backlog.defer(batch, Some(fault.message));
            } else if fault.class == Class::BadBatch && never_answered {
                self.fail(&batch, &fault);
            } else {
                self.defer_or_fail(batch, fault.class, &fault.message);
            }
        }
        if let Some(reason) = reason {
            self.hold(endpoint, Held { reason, retry_after: RETRY_LATER, is_breaker: false });
        }
    }

    /// Whether a call whose ID token was not accepted is worth a retry: the token may have been invalidated
    /// early, so a new one is requested once per attempt. Calls that were sent alongside the first refused one
    /// carry the same token.
    fn renews(&mut self, token: Arc<Token>) -> bool {
        match &self.refused_token {
            Some(refused) => Arc::ptr_eq(refused, &token),
            None => {
                let audience = &self.engine.settings.provider(self.run.provider()).base_url;
                self.engine.google.reject_identity(audience, &token);
                self.refused_token = Some(token);
                true
            }
        }
    }

    /// Leaves a batch to the next attempt. A single ticker that has failed in several attempts has failed permanently,
    /// provided that others are answered.
    pub(super) fn defer_or_fail(&mut self, mut batch: Batch, class: Class, reason: &str) {
        // A call that was not sent says nothing about its tickers.
        batch.deferrals += u32::from(!batch.has_failed && class != Class::Token);
        let answers =
            self.lane(batch.endpoint).is_some_and(|lane| lane.answered > 0) && class != Class::Token;
        if answers && batch.tickers.len() == 1 && batch.deferrals >= DEFERRALS_MAX {
            let fault = Fault { class, message: reason.to_owned(), retry_after: None, named: Vec::new() };
            self.fail(&batch, &fault);
        } else {
            self.backlog.defer(batch, Some(reason.to_owned()));
        }
    }

    pub(super) fn fail(&mut self, batch: &Batch, fault: &Fault) {
        self.fail_tickers(&batch.tickers, batch.endpoint, batch.window, fault);
    }

    pub(super) fn fail_tickers(
        &mut self,
        tickers: &[Ticker],
        endpoint: &str,
        window: Option<Window>,
        fault: &Fault,
    ) {
        let failure = |ticker| Shortfall {
            ticker,
            endpoint: endpoint.to_owned(),
            window,
            outcome: Outcome::Failed,
            // A ticker without data counted as limited until others were answered.
            class: (fault.class != Class::RateLimited).then_some(fault.class),
            reason: fault.message.clone(),
        };
        if tickers.is_empty() {
            self.state.shortfalls.push(failure(None));
        }
        self.state.shortfalls.extend(tickers.iter().cloned().map(|ticker| failure(Some(ticker))));
        self.lease.note_progress();
    }
}
