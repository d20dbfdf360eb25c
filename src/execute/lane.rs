//! One endpoint of a run: how its calls go, and which tickers are suspects.

use std::time::Duration;

use super::call::Fault;
use super::queue::{Batch, Origin};
use crate::job::Ticker;
use crate::resilience::class::Class;
use crate::resilience::diagnosis::Diagnosis;
use crate::resilience::pace::Pace;

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
    /// Calls for the control ticker made to judge the suspects.
    pub controls: u32,
    /// Tickers on which the provider has failed alone: suspects. The provider may have been down at that moment; a response
    /// to a later call shows that it was not.
    pub accused: Vec<Accused>,
    /// Whether this run is probing if the provider is back, while its breaker is half-open.
    pub is_probing: bool,
    /// Why its work is left to a later attempt.
    pub held: Option<Held>,
}

/// A ticker on which the provider has failed alone, often enough.
pub(super) struct Accused {
    pub batch: Batch,
    pub fault: Fault,
    /// Calls of the attempt that had been sent by then.
    pub at: u64,
}

/// Why an endpoint is no longer called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub reason: String,
    /// What the caller is told; none if the breaker knows.
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
            flukes: 0,
            failures: 0,
            control,
            control_failed: false,
            controls: 0,
            accused: Vec::new(),
            is_probing: false,
            held: None,
        }
    }

    /// Whether only single tickers may be requested now, one after the other.
    pub(super) fn is_checking(&self) -> bool {
        self.is_probing || self.diagnosis.is_in_doubt()
    }

    /// Tickers without any data since the last response.
    pub(super) fn without_data(&self) -> usize {
        self.accused.iter().filter(|accused| accused.is_without_data()).count()
    }

    /// Takes them out.
    pub(super) fn take_without_data(&mut self) -> Vec<Accused> {
        let (taken, others) =
            std::mem::take(&mut self.accused).into_iter().partition(Accused::is_without_data);
        self.accused = others;
        taken
    }

    /// Removes the suspects for whom the response to call number `call` shows that the provider is up.
    pub(super) fn take_judged(&mut self, call: u64) -> Vec<Accused> {
        let (judged, open) =
            std::mem::take(&mut self.accused).into_iter().partition(|accused| accused.at < call);
        self.accused = open;
        judged
    }
}

impl Accused {
    /// Whether it is a suspect because it had no data, which may be a limit.
    pub(super) fn is_without_data(&self) -> bool {
        self.fault.class == Class::RateLimited
    }

    /// Whether the ticker is at fault. It has failed alone, the provider has answered others, it has failed again, and
    /// the provider has answered again. A refusal needs no more. A failure may be bad luck each time, so it counts when
    /// a ticker that is innocent would fail so often less than once in [`ERRORS_RARE`] times, by how often calls fail
    /// at this endpoint although nothing is wrong with them.
    pub(super) fn is_guilty(&self, lane: &Lane) -> bool {
        if self.batch.origin != Origin::Recheck {
            return false;
        }
        if matches!(self.fault.class, Class::BadBatch | Class::RateLimited) {
            return true;
        }
        #[expect(clippy::cast_precision_loss, reason = "counts of calls")]
        let (answered, flukes) = (lane.answered as f64, lane.flukes as f64);
        // Jeffreys' estimate of a share: never zero, however few calls there were.
        let share = (flukes + 0.5) / (answered + flukes + 1.0);
        share.powi(i32::try_from(self.batch.failed_alone).unwrap_or(i32::MAX)) * ERRORS_RARE < 1.0
    }
}

/// An innocent ticker may be mistaken for a bad one once in this many times.
const ERRORS_RARE: f64 = 10_000.0;

/// Single tickers that a probe may try before the breaker opens again: if the failure may be the ticker's own, one
/// bad ticker must not keep the breaker open.
pub(super) fn probe_checks(class: Class) -> usize {
    match class {
        Class::Connect | Class::Unauthorized => 1,
        _ => 3,
    }
}
