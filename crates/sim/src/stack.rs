//! The whole system: Firestore, providers, seeded watchlist, orchestrator.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::data;
use crate::firestore::proxy::Proxy;
use crate::firestore::{Db, Firestore, unique_project};
use crate::gate::Gate;
use crate::google::Google;
use crate::orchestrator::{Builder, Orchestrator, standard_variables};
use crate::providers::{Pace, Ports, Providers};
use crate::scheduler::Job;
use crate::watchlist::Watchlist;

/// What to build a [`Stack`] from; every part has a default.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// A running Firestore; by default the one that this process shares.
    pub firestore: Option<Arc<Firestore>>,
    /// Where the providers listen.
    pub ports: Ports,
    /// The providers' pace; by default their own.
    pub pace: Option<Pace>,
    /// The project id; by default a new one.
    pub project: Option<String>,
    /// The watchlist to seed; by default none.
    pub watchlist: Option<Watchlist>,
    /// The Google that the orchestrator uses; by default none.
    pub google: Option<Arc<Google>>,
    /// A gate in front of Firestore.
    pub firestore_gate: Option<Gate>,
    /// Whether each provider requires an ID token for its own address, issued by `google`.
    pub guard_providers: bool,
}

/// A whole system around one orchestrator. Everything that it started ends when it is dropped.
#[derive(Debug)]
pub struct Stack {
    // First, so that it is dropped before the parts that it calls.
    /// The orchestrator under test.
    pub orchestrator: Orchestrator,
    /// The simulated services.
    pub providers: Providers,
    /// Firestore, possibly shared with other stacks.
    pub firestore: Arc<Firestore>,
    /// The proxy in front of Firestore that requires access tokens, if there is one.
    pub front: Option<Proxy>,
    /// A client for the database that the orchestrator uses.
    pub db: Db,
    /// The project that the database belongs to.
    pub project: String,
    /// The seeded watchlist.
    pub watchlist: Watchlist,
    variables: BTreeMap<String, String>,
}

impl Stack {
    /// Starts all parts and connects the orchestrator to them.
    ///
    /// `builder` configures the orchestrator; its variables override the standard ones.
    pub async fn start(parts: Parts, builder: Builder) -> Result<Self> {
        let firestore = match parts.firestore {
            Some(firestore) => firestore,
            None => Firestore::shared().await?,
        };
        let providers = Providers::start(parts.ports).await?;
        if let Some(pace) = parts.pace {
            providers.set_pace(pace);
        }
        let project = parts.project.unwrap_or_else(unique_project);
        let db = firestore.db(&project);
        let watchlist = match parts.watchlist {
            Some(watchlist) => {
                watchlist.seed(&db).await?;
                watchlist
            }
            None => Watchlist::new(0, 0).without_indices(),
        };
        let front = match parts.firestore_gate {
            Some(gate) => Some(Proxy::guarded(&firestore.host(), gate).await?),
            None => None,
        };
        let mut variables = standard_variables(&firestore.host(), &providers, &project);
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
        Ok(Self { orchestrator, providers, firestore, front, db, project, watchlist, variables })
    }

    /// The variables that connect another orchestrator to the same parts.
    pub fn variables(&self) -> BTreeMap<String, String> {
        self.variables.clone()
    }

    /// The documents that a run of `job` without faults writes, by collection and id.
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
