//! The state of all jobs and breakers in Firestore, in one read.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::{Either, select, try_join3};

use super::Ops;
use super::coverage::{self, DatasetCoverage};
use super::probe::{self, StoredProbe};
use crate::base::cached::Lifetime;
use crate::base::ports::TransportError;
use crate::catalogue::{self, Job, PerProvider, Provider};
use crate::firestore::document::Document;
use crate::firestore::{DocumentPath, FirestoreError, Value};
use crate::ledger::pauses::Pause;
use crate::ledger::statistics::{JobStatistics, JobTotals};
use crate::ledger::summary::RunSummary;
use crate::provider::breakers::StoredBreaker;
use crate::run::LastCalls;

/// How long a copy of the facts is used: more frequent scrapes and page loads cost no reads.
const FRESH: Duration = Duration::from_secs(5);
/// Longest wait for Firestore: an operator must learn quickly that it does not respond.
const TIMEOUT: Duration = Duration::from_secs(8);

/// The document that counts notifications, next to those of the alerts.
pub const NOTIFICATIONS: &str = "notifications";

/// The statistics of all jobs, in the catalogue's order, and all breakers.
#[derive(Clone, Debug)]
pub struct Facts {
    pub jobs: Vec<JobTotals>,
    /// The latest pause of each job that has had one.
    pub pauses: BTreeMap<String, Pause>,
    pub breakers: PerProvider<StoredBreaker>,
    /// The latest probes.
    pub probes: PerProvider<StoredProbe>,
    /// The coverage of each dataset's last final day.
    pub coverage: Vec<DatasetCoverage>,
    /// Notifications by outcome and target, such as `told_slack`.
    pub notifications: BTreeMap<String, u64>,
    /// How long Firestore took to answer.
    pub latency: Duration,
}

/// What is known about one job, as input for the alerts.
#[derive(Clone, Debug)]
pub struct JobFacts {
    pub job: &'static Job,
    pub statistics: JobStatistics,
    /// Since when it has been overdue.
    pub overdue_since: Option<DateTime<Utc>>,
    /// The latest pause.
    pub pause: Option<Pause>,
    /// Newest first.
    pub recent_runs: Vec<RunSummary>,
}

impl Facts {
    /// Facts that are at most a few seconds old.
    pub async fn of(ops: &Ops) -> Result<std::sync::Arc<Self>, FirestoreError> {
        let fetch =
            || async { Self::now(ops).await.map(|facts| (facts, Lifetime { fresh: FRESH, usable: FRESH })) };
        ops.facts.get(&ops.world, fetch).await
    }

    /// The facts as they are now.
    pub async fn now(ops: &Ops) -> Result<Self, FirestoreError> {
        match select(std::pin::pin!(Self::fetch(ops)), ops.world.clock.sleep(TIMEOUT)).await {
            Either::Left((fetched, _)) => fetched,
            Either::Right(_) => Err(TransportError::Timeout(TIMEOUT).into()),
        }
    }

    async fn fetch(ops: &Ops) -> Result<Self, FirestoreError> {
        let start = ops.world.clock.instant();
        let jobs = catalogue::jobs().map(|job| ops.ledger.statistics(job.name));
        let breakers = Provider::all().into_iter().map(|provider| ops.breakers.document(provider));
        let probes = Provider::all().into_iter().map(|provider| probe::document(ops, provider));
        let notified = DocumentPath::new(&ops.settings.collections.alerts, NOTIFICATIONS);
        let paths: Vec<_> = jobs.chain(breakers).chain(probes).chain([notified]).collect();
        let coverage = coverage::of_all(ops, ops.world.clock.now());
        let (documents, coverage, pauses) =
            try_join3(ops.firestore.get_all(&paths), coverage, ops.ledger.pauses()).await?;
        // No job has the name of a provider.
        let find = |id: &str| documents.iter().find(|document| document.id == id);
        let totals = |name| find(name).map(JobTotals::from_document).unwrap_or_default();
        let breaker =
            |provider: Provider| find(provider.name()).map(StoredBreaker::from_document).unwrap_or_default();
        let probe = |provider: Provider| {
            find(&probe::document_id(provider)).map(StoredProbe::from_document).unwrap_or_default()
        };
        Ok(Self {
            jobs: catalogue::jobs().map(|job| totals(job.name)).collect(),
            pauses,
            breakers: PerProvider::from_fn(breaker),
            probes: PerProvider::from_fn(probe),
            coverage,
            notifications: find(NOTIFICATIONS).map(counts).unwrap_or_default(),
            latency: ops.world.clock.instant().since(start),
        })
    }

    /// What is known about a provider: its breaker, its latest probe, the latest calls of all its jobs.
    pub fn of_provider(&self, provider: Provider) -> (StoredBreaker, StoredProbe, LastCalls) {
        let jobs = catalogue::jobs().zip(&self.jobs).filter(|(job, _)| job.provider == provider);
        let calls = jobs.fold(LastCalls::default(), |known, (_, totals)| known.and(&totals.last_calls));
        (self.breakers.get(provider).clone(), self.probes.get(provider).clone(), calls)
    }
}

/// The whole numbers of a document.
fn counts(document: &Document) -> BTreeMap<String, u64> {
    let count = |(name, value): (&String, &Value)| Some((name.clone(), value.as_i64()?.try_into().ok()?));
    document.fields.iter().filter_map(count).collect()
}
