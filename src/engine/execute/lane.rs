//! One endpoint of a run: how its calls are going, and what this run may request from it.

use std::time::Duration;

use super::queue::{Batch, Origin, Queue};
use crate::catalogue::Ticker;
use crate::resilience::breaker::BreakerConfig;
use crate::resilience::class::Class;
use crate::resilience::diagnosis::{Diagnosis, Verdict};
use crate::resilience::pace::Pace;

/// Attempts of a run in which a single ticker may be deferred.
pub(super) const DEFERRALS_MAX: u32 = 5;
/// Consecutive responses without data that count as a limit.
pub(super) const NOTHING_IN_ROW: usize = 3;
/// Calls for a ticker that was answered before, in one attempt, to judge the suspects.
const CONTROLS_MAX: u32 = 12;

/// What is known about an endpoint.
pub(super) struct Lane {
    pub endpoint: &'static str,
    pub diagnosis: Diagnosis,
    pub pace: Pace,
    /// Calls answered in this attempt.
    pub answered: u64,
    /// Calls that failed but whose retry was answered: bad luck.
    pub flukes: u64,
    /// Calls that failed since the last response, or since the attempt began.
    pub failures: u32,
    /// A ticker that was answered before.
    pub control: Option<Ticker>,
    /// Whether the control ticker has failed since the last response.
    pub control_failed: bool,
    /// Calls for the control ticker that were made to judge the suspects.
    controls: u32,
    step: BreakerStep,
}

/// This run's relation to the endpoint's breaker.
#[derive(Clone, Debug, PartialEq, Eq)]
enum BreakerStep {
    /// It calls if the breaker allows it.
    Calling,
    /// It probes whether the provider is back, while the breaker is half-open.
    Probing,
    /// It makes no more calls in this attempt.
    Held(Held),
}

/// Why an endpoint is no longer called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub reason: String,
    /// The reason given to the caller; none if the breaker has it.
    pub retry_after: Duration,
    pub is_breaker: bool,
}

/// A response, reduced to what it says about the endpoint's state.
pub(super) struct Answered {
    pub tickers: usize,
    pub latency: Duration,
    /// Earlier failed calls for the same tickers.
    pub flukes: u32,
    /// A ticker with data.
    pub control: Option<Ticker>,
}

/// What follows from a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Consequence {
    Nothing,
    /// The probe has shown that the provider is back.
    IsBack,
    /// The endpoint is down.
    IsDown,
}

impl Lane {
    pub(super) fn new(
        endpoint: &'static str,
        diagnosis: Diagnosis,
        calls_max: usize,
        control: Option<Ticker>,
    ) -> Self {
        Self {
            endpoint,
            diagnosis,
            pace: Pace::new(calls_max),
            answered: 0,
            flukes: 0,
            failures: 0,
            control,
            control_failed: false,
            controls: 0,
            step: BreakerStep::Calling,
        }
    }

    /// Whether only single tickers may be requested now, one after the other.
    pub(super) fn is_checking(&self) -> bool {
        self.is_probing() || self.diagnosis.is_in_doubt()
    }

    pub(super) fn is_probing(&self) -> bool {
        self.step == BreakerStep::Probing
    }

    /// Why its work is left to a later attempt.
    pub(super) fn held(&self) -> Option<&Held> {
        match &self.step {
            BreakerStep::Held(held) => Some(held),
            BreakerStep::Calling | BreakerStep::Probing => None,
        }
    }

    pub(super) fn is_held(&self) -> bool {
        self.held().is_some()
    }

    /// Whether it calls if the breaker allows it: it neither probes nor has a reason to stop calling.
    pub(super) fn is_calling(&self) -> bool {
        self.step == BreakerStep::Calling
    }

    /// This run owns the probe of the half-open breaker. A probe that comes too late expires by itself.
    pub(super) fn begin_probe(&mut self) {
        if self.is_held() {
            return;
        }
        self.step = BreakerStep::Probing;
        self.diagnosis.clear();
        self.diagnosis.doubt();
    }

    /// Makes no more calls in this attempt.
    pub(super) fn hold(&mut self, held: Held) {
        self.step = BreakerStep::Held(held);
    }

    /// Whether it was probing.
    fn end_probe(&mut self) -> bool {
        let was_probing = self.is_probing();
        if was_probing {
            self.step = BreakerStep::Calling;
        }
        was_probing
    }

    /// The endpoint is up; returns whether that ends a probe.
    pub(super) fn on_answered(&mut self, answer: Answered, config: &BreakerConfig) -> bool {
        self.answered += 1;
        self.failures = 0;
        self.diagnosis.answered(config);
        self.pace.answered(answer.tickers, answer.latency);
        if answer.control.is_some() {
            self.control = answer.control;
            self.control_failed = false;
        }
        self.flukes += u64::from(answer.flukes);
        self.end_probe()
    }

    /// A call for a batch has failed.
    pub(super) fn on_failed(&mut self, batch: &Batch, class: Class, config: &BreakerConfig) -> Consequence {
        // A call that did not reach the provider says nothing about it; a probe stays claimed until it expires.
        if matches!(class, Class::Unauthorized | Class::Token) {
            self.end_probe();
            // If requested again immediately, it would be refused again immediately.
            self.control_failed |= batch.is_control() && class == Class::Token;
            return Consequence::Nothing;
        }
        if class == Class::BadBatch && self.end_probe() {
            // A refusal is a response.
            self.diagnosis.clear();
            return Consequence::IsBack;
        }
        if class == Class::Timeout {
            self.pace.slow_down();
        }
        if batch.is_control() {
            self.control_failed = true;
            self.flukes += 1;
        }
        // While the endpoint answers others, a piece of a failed batch fails on its own: if it counted, the search for bad
        // tickers would look like an outage.
        let is_explained = matches!(batch.origin, Origin::Piece | Origin::Recheck)
            && !self.is_checking()
            && self.answered > batch.answered_before.unwrap_or_default();
        if is_explained || self.is_held() {
            return Consequence::Nothing;
        }
        self.failures = self.failures.saturating_add(1);
        let verdict = self.diagnosis.failed(&batch.tickers, config);
        let is_down = if self.is_probing() {
            batch.tickers.is_empty() || self.diagnosis.checked() >= probe_checks(class)
        } else {
            verdict == Verdict::Down
        };
        if is_down { Consequence::IsDown } else { Consequence::Nothing }
    }

    /// Forgets the failures that the breaker has recorded; counted again, they would make the next attempt start in
    /// doubt.
    pub(super) fn forget_failures(&mut self) {
        self.failures = 0;
        self.diagnosis.clear();
    }

    /// A call for the ticker that was answered before, unless that one has failed since.
    pub(super) fn control_batch(&self) -> Option<Batch> {
        let control = self.control.clone().filter(|_| !self.control_failed)?;
        Some(Batch { origin: Origin::Control, ..Batch::new(self.endpoint, vec![control], 1) })
    }

    /// Whether work has been deferred so often that the next failure decides, in which case the endpoint must be known
    /// to be up; or whether so many tickers were without data that a limit may be the reason.
    pub(super) fn wants_control(&self, without_data: usize, queue: &Queue) -> bool {
        if without_data >= NOTHING_IN_ROW {
            return self.can_control();
        }
        let is_last = |batch: &Batch| batch.endpoint == self.endpoint && batch.deferrals >= DEFERRALS_MAX;
        self.answered == 0 && self.controls == 0 && self.control.is_some() && queue.iter().any(is_last)
    }

    /// Whether there is a control ticker that may be requested once more.
    pub(super) fn can_control(&self) -> bool {
        self.control.is_some() && !self.control_failed && self.controls < CONTROLS_MAX
    }

    /// Calls for the control ticker have led to something: there may be as many again.
    pub(super) fn refill_controls(&mut self) {
        self.controls = 0;
    }

    /// Whether a further call for the control ticker may still decide about the suspects; counts it.
    pub(super) fn may_control(&mut self) -> bool {
        self.controls += 1;
        self.controls <= CONTROLS_MAX
    }
}

/// Single tickers that a probe may try before the breaker opens again: if the failure may be the ticker's own, one
/// bad ticker must not keep the breaker open.
fn probe_checks(class: Class) -> usize {
    match class {
        Class::Connect | Class::Unauthorized => 1,
        _ => 3,
    }
}

#[cfg(test)]
mod tests;
