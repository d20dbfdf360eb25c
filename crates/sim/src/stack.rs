//! All parts together: emulator, providers, seeded watchlist, orchestrator.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::data;
use crate::firestore::{Db, Emulator, unique_project};
use crate::orchestrator::{Builder, Orchestrator, standard_variables};
use crate::providers::{Ports, Providers};
use crate::scheduler::Job;
use crate::watchlist::Watchlist;

/// What to build a [`Stack`] from; every part has a default.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// A running emulator; without one, the shared emulator of this process.
    pub emulator: Option<Arc<Emulator>>,
    /// Where the providers listen.
    pub ports: Ports,
    /// The project id; without one, a fresh one.
    pub project: Option<String>,
    /// What is seeded; without one, nothing.
    pub watchlist: Option<Watchlist>,
}

/// A whole system around one orchestrator. Dropped, everything that it started ends.
#[derive(Debug)]
pub struct Stack {
    // First, so that it ends before the parts that it talks to.
    /// The orchestrator under test.
    pub orchestrator: Orchestrator,
    /// The four simulated services.
    pub providers: Providers,
    /// The emulator, perhaps shared with other stacks.
    pub emulator: Arc<Emulator>,
    /// A client for the database that the orchestrator uses.
    pub db: Db,
    /// The project that the database belongs to.
    pub project: String,
    /// What was seeded.
    pub watchlist: Watchlist,
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
        let project = parts.project.unwrap_or_else(unique_project);
        let db = emulator.db(&project);
        let watchlist = match parts.watchlist {
            Some(watchlist) => {
                watchlist.seed(&db).await?;
                watchlist
            }
            None => Watchlist::new(0, 0).without_indices(),
        };
        let orchestrator =
            builder.default_variables(standard_variables(&emulator, &providers, &project)).start().await?;
        Ok(Self { orchestrator, providers, emulator, db, project, watchlist })
    }

    /// The variables that connect another orchestrator to the same parts.
    pub fn variables(&self) -> BTreeMap<String, String> {
        standard_variables(&self.emulator, &self.providers, &self.project)
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
