//! How the loop handles a failed call.

use std::sync::Arc;
use std::time::Duration;

use super::Execution;
use super::call::{Called, Fault};
use super::lane::{Accused, Held, probe_checks};
use super::queue::{Batch, Origin};
use super::steps::Step;
use super::stop::{RETRY_LATER, Stop};
use crate::google::Token;
use crate::job::Ticker;
use crate::ports::millis;
use crate::resilience::class::Class;
use crate::resilience::diagnosis::Verdict;
use crate::resilience::retry::{Decision, Failure as Failed, decide};
use crate::run::Failure;

/// Attempts of a run in which a single ticker may be deferred.
pub(super) const TRIES_MAX: u32 = 5;
/// Consecutive responses without data that count as a limit.
pub(super) const NOTHING_IN_ROW: usize = 3;
/// Shorter waits requested by a failing provider concern this run only; longer ones are shared with all instances.
const SHARED_WAIT: Duration = Duration::from_secs(30);

impl Execution<'_> {
    pub(super) fn on_fault(&mut self, called: Called, fault: Fault) {
        if fault.class == Class::RateLimited {
            return self.on_refused_for_limit(called, fault);
        }
        self.on_failed(&called, &fault);
        let Called { mut batch, token, .. } = called;
        if batch.is_control() {
            return match fault.class {
                Class::Unauthorized if token.is_some_and(|token| self.renews(token)) => {}
                Class::Unauthorized => self.stop = Some(Stop::Unauthorized { words: fault.words }),
                _ => {}
            };
        }
        if fault.class != Class::Token {
            batch.has_failed = true;
            batch.failed_alone += u32::from(batch.tickers.len() == 1);
        }
        if self.stop.is_some() || self.is_held(batch.endpoint) {
            return self.put_off.push(batch.into_work(Some(fault.words)));
        }
        let answered = self.lane(batch.endpoint).map_or(0, |lane| lane.answered);
        // An attempt may be too short to wait for a second timeout.
        let enough = batch.failed_alone >= 2
            || (batch.failed_alone == 1 && fault.class == Class::Timeout && batch.tries >= 2 * TRIES_MAX);
        if enough && batch.tries >= TRIES_MAX && answered > 0 {
            // It has failed in attempt after attempt in which others were answered.
            return self.fail(&batch.tickers, batch.endpoint, &fault);
        }
        let failure = Failed {
            class: fault.class,
            attempt: batch.attempt,
            attempts_max: batch.attempts_max,
            tickers: batch.tickers.len(),
            retry_after: fault.retry_after,
            answers_others: answered > batch.answered_before.unwrap_or_default(),
            jitter: self.app.world.entropy.next_u64(),
        };
        let decision = decide(&failure, &self.app.config.call.backoff);
        self.carry_out(decision, batch, token, fault);
    }

    fn carry_out(&mut self, decision: Decision, batch: Batch, token: Option<Arc<Token>>, fault: Fault) {
        let now = self.app.world.clock.instant();
        match decision {
            Decision::Retry { after } => {
                if fault.retry_after.is_some_and(|asked| asked >= SHARED_WAIT) {
                    self.on_limited(self.call_number, fault.retry_after, &fault.words);
                }
                self.state.resources.waits_ms.retry += millis(after);
                self.queue.retry(batch, now + after);
            }
            Decision::Split => {
                let alone_max = self.app.config.call.max_attempts;
                self.queue.split(&batch, &fault.named, alone_max);
            }
            Decision::Accuse => {
                let at = self.call_number;
                if let Some(lane) = self.lane(batch.endpoint) {
                    lane.accused.push(Accused { batch, fault, at });
                }
            }
            Decision::Fail => self.fail(&batch.tickers, batch.endpoint, &fault),
            Decision::Postpone => self.postpone(batch, fault.class, &fault.words),
            Decision::Stop if token.is_some_and(|token| self.renews(token)) => self.queue.retry(batch, now),
            Decision::Stop => {
                self.stop = Some(Stop::Unauthorized { words: fault.words.clone() });
                self.put_off.push(batch.into_work(Some(fault.words)));
            }
        }
    }

    /// Counts a failed call against its endpoint and decides what it says about the provider.
    pub(super) fn on_failed(&mut self, called: &Called, fault: &Fault) {
        // A call that did not reach the provider says nothing about it; a probe stays claimed until its time is up.
        if matches!(fault.class, Class::Unauthorized | Class::Token) {
            if let Some(lane) = self.lane(called.batch.endpoint) {
                lane.is_probing = false;
                // Sent again immediately, it would be refused again immediately.
                lane.control_failed |= called.batch.is_control() && fault.class == Class::Token;
            }
            return;
        }
        let config = *self.app.breakers.config();
        let batch = &called.batch;
        let Some(lane) = self.lane(batch.endpoint) else { return };
        if lane.is_probing && fault.class == Class::BadBatch {
            // A refusal is a response: the provider is back.
            lane.is_probing = false;
            lane.diagnosis.clear();
            return self.steps.push_back(Step::Close { endpoint: batch.endpoint });
        }
        if fault.class == Class::Timeout {
            lane.pace.slow_down();
        }
        if batch.is_control() {
            lane.control_failed = true;
            lane.flukes += 1;
        }
        // While the endpoint answers others, a piece of a failed batch fails on its own: if it counted, the search for bad
        // tickers would look like an outage.
        let is_explained = matches!(batch.origin, Origin::Piece | Origin::Recheck)
            && !lane.is_checking()
            && lane.answered > batch.answered_before.unwrap_or_default();
        if is_explained || lane.held.is_some() {
            return;
        }
        lane.failures = lane.failures.saturating_add(1);
        let verdict = lane.diagnosis.failed(&batch.tickers, &config);
        let is_down = if lane.is_probing {
            batch.tickers.is_empty() || lane.diagnosis.checked() >= probe_checks(fault.class)
        } else {
            verdict == Verdict::Down
        };
        if is_down {
            self.on_down(batch.endpoint, fault);
        }
    }

    /// An endpoint is down: for all runs if it fails, for this run only if it refuses every request.
    fn on_down(&mut self, endpoint: &'static str, fault: &Fault) {
        let reason = format!("{}: {}", fault.class.name(), fault.words);
        if fault.class == Class::BadBatch {
            let reason = format!("the provider refuses every ticker ({reason})");
            return self.hold(endpoint, Held { reason, retry_after: RETRY_LATER, is_breaker: false });
        }
        let retry_after = self.app.breakers.config().open;
        self.hold(endpoint, Held { reason: reason.clone(), retry_after, is_breaker: true });
        if let Some(lane) = self.lane(endpoint) {
            // From here on the breaker knows; if counted again, the next attempt would begin in doubt.
            lane.failures = 0;
            lane.diagnosis.clear();
        }
        self.steps.push_back(Step::Open { endpoint, reason });
    }

    /// None of the tickers that the probe may try was answered.
    pub(super) fn reopen(&mut self, endpoint: &'static str) {
        let reason = self.app.breakers.endpoint(self.run.provider(), endpoint).reason.unwrap_or_default();
        let retry_after = self.app.breakers.config().open;
        self.hold(endpoint, Held { reason: reason.clone(), retry_after, is_breaker: true });
        self.steps.push_back(Step::Open { endpoint, reason });
    }

    /// A call that the provider refused because its limit is exhausted: it does not count as an attempt for its tickers.
    fn on_refused_for_limit(&mut self, called: Called, fault: Fault) {
        let window = self.window(&fault.words);
        self.on_limited(called.number, fault.retry_after.or(window), &fault.words);
        let batch = called.batch;
        if batch.is_control() {
            return;
        }
        let tickers = batch.tickers.clone();
        if tickers.is_empty() {
            let again = Batch { attempt: batch.attempt.saturating_sub(1), ..batch };
            if self.stop.is_some() || self.is_held(again.endpoint) {
                self.put_off.push(again.into_work(Some(fault.words)));
            } else {
                self.queue.put_back(again);
            }
            return;
        }
        self.ask_again(&batch, tickers, &fault.words, false);
    }

    /// The reset time of the limit, according to the refusal's message.
    fn window(&self, words: &str) -> Option<Duration> {
        match self.run.provider().trouble(words) {
            crate::job::Trouble::Limited(window) => Some(self.limit_pause(window)),
            _ => None,
        }
    }

    /// The reset time of a limit whose message stands for this window.
    pub(super) fn limit_pause(&self, window: Duration) -> Duration {
        window * u32::try_from(self.app.config.call.limit_window.as_secs()).unwrap_or(u32::MAX) / 60
    }

    /// The provider has reported a limit: all runs pause, then continue with one call at a time.
    pub(super) fn on_limited(&mut self, call: u64, asked: Option<Duration>, reason: &str) {
        let is_late = call <= self.limited_at;
        self.limited_at = self.call_number;
        for lane in &mut self.lanes {
            lane.pace.limited();
        }
        let waiting = self.steps.iter().any(|step| matches!(step, Step::LimitHit { .. }));
        if !(is_late && waiting) {
            self.steps.push_back(Step::LimitHit { asked, reason: reason.to_owned(), is_late });
        }
    }

    /// Without an answered ticker, nobody can tell whether the suspects or the provider are at fault. A refusal in the
    /// provider's own words is believed if it concerns few tickers; a failure is not.
    pub(super) fn judge_without_control(&mut self, at: usize) {
        let Some(lane) = self.lanes.get_mut(at) else { return };
        let (never_answered, lane_failed) = (lane.control.is_none(), lane.control_failed);
        for Accused { batch, fault, .. } in std::mem::take(&mut lane.accused) {
            if lane_failed || fault.class == Class::RateLimited {
                // The provider may be down at the moment, or its limit exhausted: nobody is judged.
                self.put_off.push(batch.into_work(Some(fault.words)));
            } else if fault.class == Class::BadBatch && never_answered {
                self.fail(&batch.tickers, batch.endpoint, &fault);
            } else {
                self.postpone(batch, fault.class, &fault.words);
            }
        }
    }

    /// Whether a call whose ID token was not accepted is worth a retry: the token may have been invalidated
    /// early, so a new one is requested once per attempt. Calls that were sent alongside the first refused one
    /// carry the same token.
    fn renews(&mut self, token: Arc<Token>) -> bool {
        match &self.refused_token {
            Some(refused) => Arc::ptr_eq(refused, &token),
            None => {
                let audience = &self.app.config.provider(self.run.provider()).base_url;
                self.app.google.reject_identity(audience, &token);
                self.refused_token = Some(token);
                true
            }
        }
    }

    /// Leaves a batch to the next attempt. A single ticker that the provider has failed on in attempt after
    /// attempt has failed permanently, if the provider answers others.
    pub(super) fn postpone(&mut self, mut batch: Batch, class: Class, reason: &str) {
        // A call that was not sent says nothing about its tickers.
        batch.tries += u32::from(!batch.has_failed && class != Class::Token);
        let answers =
            self.lane(batch.endpoint).is_some_and(|lane| lane.answered > 0) && class != Class::Token;
        if answers && batch.tickers.len() == 1 && batch.tries >= TRIES_MAX {
            let fault = Fault { class, words: reason.to_owned(), retry_after: None, named: Vec::new() };
            self.fail(&batch.tickers, batch.endpoint, &fault);
        } else {
            self.put_off.push(batch.into_work(Some(reason.to_owned())));
        }
    }

    pub(super) fn fail(&mut self, tickers: &[Ticker], endpoint: &str, fault: &Fault) {
        let failure = |ticker| Failure {
            ticker,
            endpoint: endpoint.to_owned(),
            // A ticker without data was taken for limited until others were answered.
            class: (fault.class != Class::RateLimited).then_some(fault.class),
            reason: fault.words.clone(),
        };
        if tickers.is_empty() {
            self.state.failed.push(failure(None));
        }
        self.state.failed.extend(tickers.iter().cloned().map(|ticker| failure(Some(ticker))));
        self.changed = true;
    }
}
