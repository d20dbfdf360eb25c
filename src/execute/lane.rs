//! One endpoint of a run: how its calls go, and whom the provider has accused.

use std::time::Duration;

use super::call::Fault;
use super::queue::Batch;
use crate::job::Ticker;
use crate::resilience::class::Class;
use crate::resilience::diagnosis::Diagnosis;
use crate::resilience::pace::Pace;

/// What is known of an endpoint.
pub(super) struct Lane {
    pub endpoint: &'static str,
    pub diagnosis: Diagnosis,
    pub pace: Pace,
    /// Calls that were answered in this attempt.
    pub answered: u64,
    /// Calls that failed since the last answer, or since the attempt began.
    pub failures: u32,
    /// A ticker that was answered before.
    pub control: Option<Ticker>,
    /// Whether the control ticker has failed since the last answer.
    pub control_failed: bool,
    /// Tickers on which the provider has failed alone. It may have been down just then: an answer to a call that went
    /// out later shows that it was not.
    pub accused: Vec<Accused>,
    /// Whether this run tries whether the provider is back, while its breaker is half-open.
    pub is_probing: bool,
    /// Why its work is left to a later attempt.
    pub held: Option<Held>,
}

/// A ticker on which the provider has failed alone, often enough.
pub(super) struct Accused {
    pub batch: Batch,
    pub fault: Fault,
    /// Calls of the attempt that had gone out by then.
    pub at: u64,
}

/// Why an endpoint is not called any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub reason: String,
    /// What the caller is told; none where the breaker knows.
    pub retry_after: Duration,
    pub is_breaker: bool,
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
            failures: 0,
            control,
            control_failed: false,
            accused: Vec::new(),
            is_probing: false,
            held: None,
        }
    }

    /// Whether only single tickers may be asked now, one after the other.
    pub(super) fn is_checking(&self) -> bool {
        self.is_probing || self.diagnosis.is_in_doubt()
    }

    /// Takes out the accused whom an answer to call number `call` convicts.
    pub(super) fn convicted(&mut self, call: u64) -> Vec<Accused> {
        let (convicted, open) =
            std::mem::take(&mut self.accused).into_iter().partition(|accused| accused.at < call);
        self.accused = open;
        convicted
    }
}

/// Single tickers that a probe may try before the breaker opens again: where the failure may be the ticker's own, one
/// bad ticker must not keep the breaker open.
pub(super) fn probe_checks(class: Class) -> usize {
    match class {
        Class::Connect | Class::Unauthorized => 1,
        _ => 3,
    }
}
