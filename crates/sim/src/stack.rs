//! All parts together: emulator, providers, seeded watchlist, orchestrator.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::data;
use crate::firestore::proxy::Proxy;
use crate::firestore::{Db, Emulator, unique_project};
use crate::gate::Gate;
use crate::google::Google;
use crate::orchestrator::{Builder, Orchestrator, standard_variables};
use crate::providers::{Pace, Ports, Providers};
use crate::scheduler::Job;
use crate::watchlist::Watchlist;

/// What to build a [`Stack`] from; every part has a default.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// A running emulator; without one, the shared emulator of this process.
    pub emulator: Option<Arc<Emulator>>,
    /// Where the providers listen.
    pub ports: Ports,
    /// How the providers keep time; without it, as they do by themselves.
    pub pace: Option<Pace>,
    /// The project id; without one, a fresh one.
    pub project: Option<String>,
    /// What is seeded; without one, nothing.
    pub watchlist: Option<Watchlist>,
    /// Where the orchestrator finds Google; without one, nowhere.
    pub google: Option<Arc<Google>>,
    /// Asks for access tokens in front of Firestore.
    pub firestore_gate: Option<Gate>,
    /// Whether each provider asks for the ID token of its own address, given out by `google`.
    pub guard_providers: bool,
}

/// A whole system around one orchestrator. Dropped, everything that it started ends.
#[derive(Debug)]
pub struct Stack {
    // First, so that it ends before the parts that it talks to.
    /// The orchestrator under test.
    pub orchestrator: Orchestrator,
    /// The simulated services.
    pub providers: Providers,
    /// The emulator, perhaps shared with other stacks.
    pub emulator: Arc<Emulator>,
    /// What stands in front of the emulator and asks for access tokens, if anything does.
    pub front: Option<Proxy>,
    /// A client for the database that the orchestrator uses.
    pub db: Db,
    /// The project that the database belongs to.
    pub project: String,
    /// What was seeded.
    pub watchlist: Watchlist,
    variables: BTreeMap<String, String>,
}

impl Stack {
    /// Starts all parts and lets the orchestrator work with them.
    ///
    /// `builder` says how the orchestrator runs; its variables win over the standard ones.
    pub async fn start(parts: Parts, builder: Builder) -> Result<Self> {
        let emulator = match parts.emulator {
            Some(emulator) => emulator,
            None => Emulator::shared().await?,
        };
        let providers = Providers::start(parts.ports).await?;
        if let Some(pace) = parts.pace {
            providers.set_pace(pace);
        }
        let project = parts.project.unwrap_or_else(unique_project);
        let db = emulator.db(&project);
        let watchlist = match parts.watchlist {
            Some(watchlist) => {
                watchlist.seed(&db).await?;
                watchlist
            }
            None => Watchlist::new(0, 0).without_indices(),
        };
        let front = match parts.firestore_gate {
            Some(gate) => Some(Proxy::guarded(&emulator, gate).await?),
            None => None,
        };
        let mut variables = standard_variables(&emulator, &providers, &project);
        if let Some(front) = &front {
            variables.insert("firestore_emulator_host".to_owned(), front.host());
        }
        if let Some(google) = &parts.google {
            variables.extend(google.variables());
        }
        if let (true, Some(google)) = (parts.guard_providers, &parts.google) {
            for provider in providers.all() {
                provider.set_gate(google.id_gate(provider.url()));
            }
        }
        let orchestrator = builder.default_variables(variables.clone()).start().await?;
        Ok(Self { orchestrator, providers, emulator, front, db, project, watchlist, variables })
    }

    /// The variables that connect another orchestrator to the same parts.
    pub fn variables(&self) -> BTreeMap<String, String> {
        self.variables.clone()
    }

    /// The documents that a faultless run of `job` with this run time leaves behind, by collection and id.
    pub fn expected(&self, job: &Job, run_time: DateTime<Utc>) -> BTreeMap<(&'static str, String), Value> {
        let tickers = self.watchlist.tickers(job.scope);
        job.endpoints
            .iter()
            .flat_map(|endpoint| {
                let spec = self.providers.get(endpoint.service()).spec();
                data::documents(&spec, *endpoint, &tickers, run_time)
            })
            .collect()
    }
}
