//! For operators: what the service has done, its health, and what is wrong.

pub mod alerts;
pub mod coverage;
pub mod exposition;
pub mod facts;
pub mod health;
pub mod metrics;
pub mod probe;
pub mod services;
pub mod settings;
pub mod status;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use crate::base::cached::Cached;
use crate::base::instance::Instance;
use crate::base::world::World;
use crate::catalogue::{PerProvider, Provider, Ticks};
use crate::config::Collections;
use crate::firestore::{Firestore, FirestoreError};
use crate::google::Google;
use crate::ledger::Ledger;
use crate::ledger::coverage::Coverage;
use crate::ledger::settings::RunConfig;
use crate::ops::settings::AlertConfig;
use crate::provider::activity::ConnectionBook;
use crate::provider::breakers::Breakers;
use crate::provider::settings::{CallConfig, ProviderConfig};
use facts::Facts;
use status::StatusReport;

/// Reads everything and changes nothing except probes.
pub struct Ops {
    pub settings: Settings,
    pub world: World,
    pub instance: Instance,
    firestore: Firestore,
    ledger: Ledger,
    coverage: Coverage,
    breakers: Breakers,
    google: Arc<Google>,
    activity: Arc<ConnectionBook>,
    facts: Cached<Facts, FirestoreError>,
    status: Cached<StatusReport, Infallible>,
}

/// The configuration that it needs.
#[derive(Clone, Debug)]
pub struct Settings {
    pub alerts: AlertConfig,
    pub ticks: Ticks,
    pub call: CallConfig,
    pub run: RunConfig,
    pub collections: Collections,
    pub providers: PerProvider<ProviderConfig>,
    /// Minimum time between two probes of one provider, across all instances.
    pub probe_interval: Duration,
    pub project: String,
    /// `projects/{project}/databases/{database}`.
    pub database: String,
}

impl Settings {
    fn provider(&self, provider: Provider) -> &ProviderConfig {
        self.providers.get(provider)
    }
}

impl Ops {
    /// An order has changed what this instance shows.
    pub fn forget(&self) {
        self.facts.forget();
        self.status.forget();
    }

    #[expect(clippy::too_many_arguments, reason = "the handles that it works with")]
    pub fn new(
        settings: Settings,
        world: World,
        instance: Instance,
        firestore: Firestore,
        ledger: Ledger,
        coverage: Coverage,
        breakers: Breakers,
        google: Arc<Google>,
        activity: Arc<ConnectionBook>,
    ) -> Self {
        let (facts, status) = (Cached::default(), Cached::default());
        Self {
            settings,
            world,
            instance,
            firestore,
            ledger,
            coverage,
            breakers,
            google,
            activity,
            facts,
            status,
        }
    }
}
