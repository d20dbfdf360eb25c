//! The providers' services, as a status tells of them.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::health::{self, Source};
use super::probe::{ProbeResult, StoredProbe};
use super::snapshot::Snapshot;
use crate::app::App;
use crate::breakers::StoredBreaker;
use crate::connections::{Connections, LastCalls};
use crate::job::Provider;
use crate::resilience::breaker::Shared;

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
    pub breaker: Shared,
    pub breaker_changed_at: Option<DateTime<Utc>>,
    pub connections: Connections,
}

/// All of them.
pub fn services(app: &App, snapshot: Option<&Snapshot>) -> Vec<ServiceStatus> {
    Provider::ALL.into_iter().map(|provider| service(app, snapshot, provider)).collect()
}

fn service(app: &App, snapshot: Option<&Snapshot>, provider: Provider) -> ServiceStatus {
    let config = app.config.provider(provider);
    let own = app.connections.of(provider);
    let (breaker, probe, known) = match snapshot {
        Some(snapshot) => snapshot.of_provider(provider),
        // Without Firestore, what this instance last knew.
        None => {
            let shared = app.breakers.state(provider);
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
