//! The providers' services, as shown in the status.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::Ops;
use super::facts::Facts;
use super::health::{self, Source};
use super::probe::{ProbeResult, StoredProbe};
use crate::catalogue::Provider;
use crate::provider::activity::Connections;
use crate::provider::breakers::StoredBreaker;
use crate::resilience::breaker::BreakerState;
use crate::run::LastCalls;

/// One provider's service.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
pub struct ServiceStatus {
    pub provider: &'static str,
    pub url: String,
    /// According to the latest information; null if there is none.
    pub healthy: Option<bool>,
    /// Source of that information.
    pub source: Option<Source>,
    /// Time of that information.
    pub checked_at: Option<DateTime<Utc>>,
    /// Why it is not healthy.
    pub error: Option<String>,
    /// The latest probe of the service's own `/health`; only operators start probes.
    pub probe: Option<ProbeResult>,
    pub breaker: BreakerState,
    pub breaker_changed_at: Option<DateTime<Utc>>,
    pub connections: Connections,
}

/// All services.
pub fn services(ops: &Ops, facts: Option<&Facts>) -> Vec<ServiceStatus> {
    let service = |provider| service(ops, facts, provider, ops.activity.of(provider));
    Provider::all().into_iter().map(service).collect()
}

/// All services as every instance sees them: without the calls that only this one knows about.
pub fn shared(ops: &Ops, facts: &Facts) -> Vec<ServiceStatus> {
    let service = |provider| service(ops, Some(facts), provider, Connections::default());
    Provider::all().into_iter().map(service).collect()
}

fn service(ops: &Ops, facts: Option<&Facts>, provider: Provider, own: Connections) -> ServiceStatus {
    let config = ops.settings.provider(provider);
    let (breaker, probe, known) = match facts {
        Some(facts) => facts.of_provider(provider),
        // Without Firestore, what this instance last knew.
        None => {
            let shared = ops.breakers.state(provider);
            (
                StoredBreaker { shared, ..StoredBreaker::default() },
                StoredProbe::default(),
                LastCalls::default(),
            )
        }
    };
    let health = health::judge(&known, &own, &breaker, &probe);
    ServiceStatus {
        provider: provider.name(),
        url: config.base_url.clone(),
        healthy: health.as_ref().map(|health| health.healthy),
        source: health.as_ref().map(|health| health.source),
        checked_at: health.as_ref().map(|health| health.checked_at),
        error: health.and_then(|health| health.error),
        probe: probe.result,
        breaker: breaker.shared,
        breaker_changed_at: breaker.changed_at,
        connections: Connections { calls_in_flight_max: config.max_concurrency, ..own },
    }
}
