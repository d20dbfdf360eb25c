//! `GET /status`: everything that an operator asks first, in one response.
//!
//! It reads only Firestore: it responds immediately whatever the state of the providers' services, and an open
//! dashboard costs them nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::{Either, join, select};
use serde::Serialize;

use super::Ops;
use super::alerts::{self, Alert, Rules, Severity};
use super::coverage::DatasetCoverage;
use super::facts::{Facts, JobFacts};
use super::services::{self, ServiceStatus, services};
use crate::base::cached::Lifetime;
use crate::base::ports::{TransportError, millis};
use crate::catalogue::job::SCHEDULE_TIME_ZONE;
use crate::catalogue::{self, Job, Ticks};
use crate::firestore::FirestoreError;
use crate::ledger::pauses::{Pause, PauseView};
use crate::ledger::statistics::{JobStatistics, JobTotals};
use crate::ledger::summary::RunSummary;

/// How long a status is cached, so that many viewers cost no more than one.
const FRESH: Duration = Duration::from_secs(2);
/// Number of runs per job that are examined.
const RECENT_RUNS: usize = 20;
/// Longest wait for the lists of runs.
const RECENT_TIMEOUT: Duration = Duration::from_secs(8);

/// Overall health of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Overall {
    Healthy,
    /// Something needs attention; runs go on.
    Degraded,
    /// Runs fail or are missing.
    Unhealthy,
}

/// The response of `GET /status`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
pub struct StatusReport {
    pub status: Overall,
    pub service: &'static str,
    pub version: &'static str,
    pub time: DateTime<Utc>,
    pub project: String,
    pub database: String,
    /// The time zone of all schedules.
    pub time_zone: &'static str,
    pub instance: InstanceStatus,
    /// Statistics of all jobs together.
    pub statistics: JobStatistics,
    pub firestore: FirestoreStatus,
    pub services: Vec<ServiceStatus>,
    pub jobs: Vec<JobStatus>,
    pub alerts: Vec<Alert>,
}

/// The instance that served this request; there may be others.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
pub struct InstanceStatus {
    pub id: String,
    pub started_at: DateTime<Utc>,
    pub requests_in_flight: usize,
    pub memory_bytes: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
pub struct FirestoreStatus {
    pub reachable: bool,
    pub latency_ms: Option<u64>,
    pub error: Option<String>,
}

/// One job.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
pub struct JobStatus {
    pub job: &'static str,
    pub route: &'static str,
    pub provider: &'static str,
    pub scope: &'static str,
    pub summary: &'static str,
    /// Cron expression, in the schedules' time zone.
    pub schedule: &'static str,
    /// The pause that it is in; null if its scheduled times are run.
    pub paused: Option<PauseView>,
    /// Without scheduled times that are skipped; null while it is paused without an end.
    pub next_run_time: Option<DateTime<Utc>>,
    /// Without scheduled times that were skipped.
    pub last_due_time: Option<DateTime<Utc>>,
    pub overdue: bool,
    pub overdue_since: Option<DateTime<Utc>>,
    pub statistics: JobStatistics,
    pub last_success_time: Option<DateTime<Utc>>,
    /// Percentage of the ended recent runs that succeeded, fully or partially; without those that wait for their data or were cancelled.
    pub success_percent: Option<f64>,
    /// Newest first, without skipped ones.
    pub recent_runs: Vec<RunSummary>,
}

impl StatusReport {
    /// The status, at most a few seconds old.
    pub async fn of(ops: &Ops) -> Arc<Self> {
        let fetch = || async {
            Ok::<_, std::convert::Infallible>((
                Self::look(ops).await,
                Lifetime { fresh: FRESH, usable: FRESH },
            ))
        };
        match ops.status.get(&ops.world, fetch).await {
            Ok(status) => status,
            Err(never) => match never {},
        }
    }

    async fn look(ops: &Ops) -> Self {
        let (facts, recent) = join(Facts::of(ops), recent_runs(ops)).await;
        let now = ops.world.clock.now();
        let rules = Rules { config: &ops.settings.alerts, ticks: &ops.settings.ticks };
        let firestore = firestore(facts.as_deref(), recent.as_ref().err());
        let reachable = firestore.reachable;
        let totals = facts.as_ref().map(|facts| facts.jobs.clone()).unwrap_or_default();
        let services = services(ops, facts.as_deref().ok());
        let coverage = facts.as_ref().map(|facts| facts.coverage.clone()).unwrap_or_default();
        let pauses = facts.as_ref().map(|facts| facts.pauses.clone()).unwrap_or_default();
        let jobs = jobs(&totals, pauses, recent.unwrap_or_default(), reachable, &rules, now);
        let alerts = all_alerts(&firestore, &services, &jobs, &coverage, &rules, now);
        let jobs = jobs.into_iter().map(|facts| JobStatus::new(facts, &ops.settings.ticks, now)).collect();
        let worst = alerts.iter().map(|alert| alert.severity).max();
        Self {
            status: match worst {
                None => Overall::Healthy,
                Some(Severity::Warning) => Overall::Degraded,
                Some(Severity::Critical) => Overall::Unhealthy,
            },
            service: "orchestrator",
            version: env!("CARGO_PKG_VERSION"),
            time: now,
            project: ops.settings.project.clone(),
            database: ops.settings.database.rsplit('/').next().unwrap_or_default().to_owned(),
            time_zone: SCHEDULE_TIME_ZONE,
            instance: InstanceStatus {
                id: ops.instance.id.clone(),
                started_at: ops.instance.started_at,
                requests_in_flight: ops.instance.requests_in_flight.load(Ordering::Relaxed),
                memory_bytes: ops.world.machine.memory_bytes(),
            },
            statistics: totals.iter().fold(JobStatistics::default(), |sum, job| sum.and(&job.statistics)),
            firestore,
            services,
            jobs,
            alerts,
        }
    }
}

/// The alerts as all instances see them, from what Firestore says now.
#[derive(Clone, Debug)]
pub struct Judgement {
    pub alerts: Vec<Alert>,
    /// False if the lists of runs are not available: then nothing is known about alerts of jobs.
    pub knows_jobs: bool,
}

impl Judgement {
    /// An error if Firestore does not answer.
    pub async fn now(ops: &Ops) -> Result<Self, FirestoreError> {
        let (facts, recent) = join(Facts::now(ops), recent_runs(ops)).await;
        let facts = facts?;
        let now = ops.world.clock.now();
        let rules = Rules { config: &ops.settings.alerts, ticks: &ops.settings.ticks };
        let firestore = firestore(Ok(&facts), recent.as_ref().err());
        if let (false, Err(error)) = (firestore.reachable, &recent) {
            return Err(error.clone());
        }
        let knows_jobs = recent.is_ok();
        let jobs = match recent {
            Ok(recent) => jobs(&facts.jobs, facts.pauses.clone(), recent, true, &rules, now),
            Err(_) => Vec::new(),
        };
        let alerts =
            all_alerts(&firestore, &services::shared(ops, &facts), &jobs, &facts.coverage, &rules, now);
        Ok(Self { alerts, knows_jobs })
    }
}

/// The latest runs of every job, in the catalogue's order.
async fn recent_runs(ops: &Ops) -> Result<Vec<Vec<RunSummary>>, FirestoreError> {
    let lists =
        futures::future::try_join_all(catalogue::jobs().map(|job| ops.ledger.recent(job.name, RECENT_RUNS)));
    match select(std::pin::pin!(lists), ops.world.clock.sleep(RECENT_TIMEOUT)).await {
        Either::Left((lists, _)) => lists,
        Either::Right(_) => Err(TransportError::Timeout(RECENT_TIMEOUT).into()),
    }
}

fn firestore(facts: Result<&Facts, &FirestoreError>, lists: Option<&FirestoreError>) -> FirestoreStatus {
    let error = facts.err().or(lists);
    FirestoreStatus {
        // A missing index is reported; Firestore still counts as reachable.
        reachable: error.is_none_or(|error| matches!(error, FirestoreError::Index { .. })),
        latency_ms: facts.ok().map(|facts| millis(facts.latency)),
        error: error.map(ToString::to_string),
    }
}

fn jobs(
    totals: &[JobTotals],
    mut pauses: BTreeMap<String, Pause>,
    recent: Vec<Vec<RunSummary>>,
    reachable: bool,
    rules: &Rules<'_>,
    now: DateTime<Utc>,
) -> Vec<JobFacts> {
    let rows = totals.iter().cloned().chain(std::iter::repeat(JobTotals::default()));
    let recent = recent.into_iter().chain(std::iter::repeat(Vec::new()));
    let facts = |((job, totals), recent_runs): ((&'static Job, JobTotals), _)| {
        let JobTotals { statistics, covered_until, .. } = totals;
        let pause = pauses.remove(job.name);
        // Without Firestore it is unknown whether a run has succeeded.
        let overdue_since = reachable
            .then(|| alerts::overdue_since(job, covered_until, pause.as_ref(), rules, now))
            .flatten();
        JobFacts { job, statistics, overdue_since, pause, recent_runs }
    };
    catalogue::jobs().zip(rows).zip(recent).map(facts).collect()
}

impl JobStatus {
    fn new(facts: JobFacts, ticks: &Ticks, now: DateTime<Utc>) -> Self {
        let JobFacts { job, statistics, overdue_since, pause, recent_runs } = facts;
        let is_paused = |tick| pause.as_ref().is_some_and(|pause| pause.covers(tick));
        Self {
            job: job.name,
            route: job.route,
            provider: job.provider.name(),
            scope: job.scope.name(),
            summary: job.summary,
            schedule: job.schedule,
            paused: pause.as_ref().filter(|pause| pause.is_active(now)).map(Pause::view),
            next_run_time: ticks.next_unless(job, now, &is_paused),
            last_due_time: ticks.last_unless(job, now, &is_paused),
            overdue: overdue_since.is_some(),
            overdue_since,
            last_success_time: statistics.last_success_time,
            statistics,
            success_percent: success_percent(&recent_runs),
            recent_runs,
        }
    }
}

fn success_percent(runs: &[RunSummary]) -> Option<f64> {
    let ended = runs.iter().filter(|run| run.has_ended()).count();
    let good = runs.iter().filter(|run| run.run_status.is_success()).count();
    let (good, ended) = (u32::try_from(good).ok()?, u32::try_from(ended).ok()?);
    (ended > 0).then(|| (f64::from(good) * 1000.0 / f64::from(ended)).round() / 10.0)
}

/// The worst first.
fn all_alerts(
    firestore: &FirestoreStatus,
    services: &[ServiceStatus],
    jobs: &[JobFacts],
    coverage: &[DatasetCoverage],
    rules: &Rules<'_>,
    now: DateTime<Utc>,
) -> Vec<Alert> {
    let told = if firestore.reachable { Alert::firestore_index } else { Alert::firestore_unreachable };
    let store = firestore.error.as_deref().map(told);
    let jobs = jobs.iter().flat_map(|facts| alerts::of_job(facts, rules, now));
    let services = services.iter().flat_map(alerts::of_service);
    let datasets = coverage.iter().filter_map(|coverage| alerts::of_dataset(coverage, rules));
    let (mut alerts, warnings): (Vec<_>, Vec<_>) = store
        .into_iter()
        .chain(jobs)
        .chain(services)
        .chain(datasets)
        .partition(|alert| alert.severity == Severity::Critical);
    alerts.extend(warnings);
    alerts
}
