//! The health of a provider's service, derived from what is already known, without asking the service.
//!
//! A service's own `/health` calls its upstream, which costs a request from a quota that may be 25 a day. So health is
//! derived from the latest calls of all instances, from the breaker, and from the latest probe, which runs only when an
//! operator asks for it ([`super::probe`]).

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::probe::StoredProbe;
use crate::provider::activity::Connections;
use crate::provider::breakers::StoredBreaker;
use crate::resilience::breaker::Position;
use crate::run::LastCalls;

/// Source of what is known about a provider's health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Calls of runs.
    Calls,
    /// A probe of the service's `/health`.
    Probe,
}

/// The latest known state of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    pub healthy: bool,
    pub source: Source,
    pub checked_at: DateTime<Utc>,
    pub error: Option<String>,
}

/// The newest information; none if there is none.
pub fn judge(
    known: &LastCalls,
    own: &Connections,
    breaker: &StoredBreaker,
    probe: &StoredProbe,
) -> Option<Health> {
    let good = |at: &DateTime<Utc>| Health::new(Source::Calls, *at, None);
    let bad = |at: &DateTime<Utc>, words: &Option<String>| {
        let words = words.clone().unwrap_or_else(|| "no reason recorded".to_owned());
        Health::new(Source::Calls, *at, Some(words))
    };
    let opened = breaker.changed_at.filter(|_| breaker.shared.position != Position::Closed);
    let of_calls = [
        known.error_time.as_ref().map(|at| bad(at, &known.error)),
        own.last_error_time.as_ref().map(|at| bad(at, &own.last_error)),
        opened.as_ref().map(|at| bad(at, &breaker.shared.reason)),
        // Of two with the same time the last one counts: a successful call outweighs the rest.
        known.success_time.as_ref().map(good),
        own.last_success_time.as_ref().map(good),
    ];
    let of_probe = probe.result.as_ref().map(|result| Health {
        healthy: result.error.is_none(),
        source: Source::Probe,
        checked_at: result.probed_at,
        error: result.error.clone(),
    });
    of_calls.into_iter().chain([of_probe]).flatten().max_by_key(|health| health.checked_at)
}

impl Health {
    fn new(source: Source, checked_at: DateTime<Utc>, error: Option<String>) -> Self {
        Self { healthy: error.is_none(), source, checked_at, error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::probe::ProbeResult;
    use crate::resilience::breaker::BreakerState;

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn calls(success: i64, error: i64) -> LastCalls {
        let time = |second| Some(at(second)).filter(|_| second > 0);
        LastCalls {
            success_time: time(success),
            error_time: time(error),
            error: time(error).map(|_| "down".into()),
        }
    }

    fn probe(second: i64, error: Option<&str>) -> StoredProbe {
        let result = ProbeResult {
            probed_at: at(second),
            latency_ms: 7,
            status_code: Some(200),
            error: error.map(ToOwned::to_owned),
        };
        StoredProbe { result: Some(result), ..StoredProbe::default() }
    }

    fn judged(known: &LastCalls, probe: &StoredProbe) -> Option<(bool, Source, i64)> {
        let health = judge(known, &Connections::default(), &StoredBreaker::default(), probe)?;
        Some((health.healthy, health.source, health.checked_at.timestamp()))
    }

    #[test]
    fn the_newest_word_counts_wherever_it_is_from() {
        let nothing = StoredProbe::default();
        assert_eq!(judged(&LastCalls::default(), &nothing), None);
        assert_eq!(judged(&calls(5, 4), &nothing), Some((true, Source::Calls, 5)));
        assert_eq!(judged(&calls(4, 5), &nothing), Some((false, Source::Calls, 5)));
        assert_eq!(judged(&calls(4, 5), &probe(6, None)), Some((true, Source::Probe, 6)));
        assert_eq!(judged(&calls(7, 5), &probe(6, Some("503"))), Some((true, Source::Calls, 7)));
        let own = Connections { last_success_time: Some(at(9)), ..Connections::default() };
        let health = judge(&calls(4, 5), &own, &StoredBreaker::default(), &nothing).unwrap();
        assert!(health.healthy);
    }

    #[test]
    fn a_breaker_that_opened_after_the_last_success_says_why() {
        let shared = BreakerState {
            position: Position::Open,
            reason: Some("500: down".into()),
            ..BreakerState::default()
        };
        let breaker = StoredBreaker { shared, changed_at: Some(at(8)), ..StoredBreaker::default() };
        let probe = StoredProbe::default();
        let health = judge(&calls(4, 0), &Connections::default(), &breaker, &probe).unwrap();
        assert_eq!((health.healthy, health.error.as_deref()), (false, Some("500: down")));
        let closed = StoredBreaker { shared: BreakerState::closed(), ..breaker };
        assert!(judge(&calls(4, 0), &Connections::default(), &closed, &probe).unwrap().healthy);
    }
}
