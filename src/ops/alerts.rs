//! What an operator must know now. `deploy/monitoring/` has the same rules for Prometheus and Cloud Monitoring.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use super::coverage::DatasetCoverage;
use super::facts::JobFacts;
use super::health::Source;
use super::services::ServiceStatus;
use crate::catalogue::{Job, Ticks};
use crate::ledger::pauses::Pause;
use crate::ledger::summary::RunSummary;
use crate::ops::settings::AlertConfig;
use crate::resilience::breaker::Position;
use crate::run::{Source as Trigger, Status};

/// How far back failures, doubtful records and restatements count.
const WITHIN: TimeDelta = TimeDelta::hours(24);

/// How long a job may be paused before an alert reminds of it.
const PAUSE_MAX: TimeDelta = TimeDelta::hours(24);

/// How far behind the clock may be that a manual run was created with. A run created this much before a scheduled time
/// covers that time: jobs are never scheduled that closely.
const CLOCKS_APART: TimeDelta = TimeDelta::minutes(1);

/// A condition that an operator should look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
pub struct Alert {
    pub alert: &'static str,
    pub severity: Severity,
    pub job: Option<&'static str>,
    pub provider: Option<&'static str>,
    pub dataset: Option<&'static str>,
    pub message: String,
    pub since: Option<DateTime<Utc>>,
    /// The runbook section that explains it.
    pub runbook: String,
}

/// Severity of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    Warning,
    Critical,
}

/// The thresholds at which alerts fire, and the ticks that are run.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    pub config: &'a AlertConfig,
    pub ticks: &'a Ticks,
}

impl Alert {
    fn new(alert: &'static str, severity: Severity, message: String) -> Self {
        let runbook = runbook(alert);
        Self { alert, severity, job: None, provider: None, dataset: None, message, since: None, runbook }
    }

    /// What it is about. It stays the same while its message and severity change.
    pub fn key(&self) -> String {
        match self.job.or(self.dataset).or(self.provider) {
            Some(of) => format!("{}_{of}", self.alert),
            None => self.alert.to_owned(),
        }
    }

    /// Firestore does not respond: nothing can run, and nothing else is known.
    pub fn firestore_unreachable(reason: &str) -> Self {
        Self::new(
            "FirestoreUnreachable",
            Severity::Critical,
            format!("firestore is not responding: {reason}"),
        )
    }

    /// Firestore lacks an index: jobs run, but runs cannot be listed.
    pub fn firestore_index(error: &str) -> Self {
        Self { severity: Severity::Warning, message: error.to_owned(), ..Self::firestore_unreachable("") }
    }
}

/// The runbook section that explains an alert.
pub fn runbook(alert: &str) -> String {
    format!("docs/operations.md#{}", alert.to_ascii_lowercase())
}

/// Since when a job has been overdue; none if it is on time. `covered_until`: the creation time of its newest run that
/// succeeded with all of the job's tickers. Scheduled times that fell into a pause are not missed.
pub fn overdue_since(
    job: &Job,
    covered_until: Option<DateTime<Utc>>,
    pause: Option<&Pause>,
    rules: &Rules<'_>,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let minutes = i64::try_from(rules.config.overdue_minutes.of(job.name)).ok()?;
    let grace = TimeDelta::try_minutes(minutes)?;
    let is_paused = |tick| pause.is_some_and(|pause| pause.covers(tick));
    let due = rules.ticks.last_unless(job, now.checked_sub_signed(grace)?, &is_paused)?;
    let covers = |covered: DateTime<Utc>| due.signed_duration_since(covered) <= CLOCKS_APART;
    (!covered_until.is_some_and(covers)).then_some(due)
}

/// The alerts of one job.
pub(super) fn of_job(facts: &JobFacts, rules: &Rules<'_>, now: DateTime<Utc>) -> Vec<Alert> {
    let job = facts.job;
    let alerts = [
        failing(facts, rules, now),
        slow(facts, rules),
        overdue(facts, now),
        flagged(facts, rules, now),
        restated(facts, rules, now),
        paused(facts, now),
    ];
    let of_job = |alert| Alert { job: Some(job.name), provider: Some(job.provider.name()), ..alert };
    alerts.into_iter().flatten().map(of_job).collect()
}

/// The runs that are about current data, newest first: how long a backfill or a replay takes and how it ends says nothing
/// about a job.
fn current_runs(facts: &JobFacts) -> impl Iterator<Item = &RunSummary> {
    let others = [Trigger::Backfill.name(), Trigger::Replay.name()];
    facts.recent_runs.iter().filter(move |run| !others.contains(&run.trigger.as_str()))
}

/// The runs of which an attempt has ended within the last day, newest first.
fn of_last_day(facts: &JobFacts, now: DateTime<Utc>) -> impl Iterator<Item = &RunSummary> {
    let within = move |run: &&RunSummary| run.ended_at.is_some_and(|ended| now - ended <= WITHIN);
    current_runs(facts).filter(within)
}

fn failing(facts: &JobFacts, rules: &Rules<'_>, now: DateTime<Utc>) -> Option<Alert> {
    let job = facts.job;
    let ended: Vec<_> = of_last_day(facts, now).filter(|run| run.has_ended()).collect();
    let failed = ended.iter().filter(|run| run.run_status == Status::Failed).count();
    let percent = usize::try_from(rules.config.failure_percent.of(job.name)).ok()?;
    if ended.len() < rules.config.failure_runs_min || failed * 100 <= ended.len() * percent {
        return None;
    }
    let latest = ended.iter().find(|run| run.run_status == Status::Failed)?;
    let reason = latest.stopped.as_deref().unwrap_or("nothing succeeded");
    let message = format!(
        "{failed} of the last {} runs of {} failed, limit {percent} %; latest failure, {}: {reason}",
        ended.len(),
        job.name,
        latest.run_id
    );
    let first = ended.iter().rev().find(|run| run.run_status == Status::Failed);
    let since = first.and_then(|run| run.ended_at);
    Some(Alert { since, ..Alert::new("JobFailing", Severity::Critical, message) })
}

fn slow(facts: &JobFacts, rules: &Rules<'_>) -> Option<Alert> {
    let job = facts.job;
    let latest = current_runs(facts).find(|run| run.ended_at.is_some())?;
    let limit = rules.config.run_seconds.of(job.name);
    if latest.duration_ms <= limit.saturating_mul(1000) {
        return None;
    }
    let message = format!(
        "run {} of {} took {} s, limit {limit} s",
        latest.run_id,
        job.name,
        latest.duration_ms / 1000
    );
    Some(Alert { since: latest.ended_at, ..Alert::new("JobSlow", Severity::Warning, message) })
}

fn overdue(facts: &JobFacts, now: DateTime<Utc>) -> Option<Alert> {
    let due = facts.overdue_since?;
    // A job that has never run may be waiting for its first deployment of the scheduler.
    let (severity, message) = match (facts.statistics.last_success_time, current_runs(facts).next()) {
        (None, None) => (Severity::Warning, format!("{} has never run", facts.job.name)),
        (_, Some(run))
            if run.created_at.is_some_and(|created| created >= due) && run.run_status.is_success() =>
        {
            let message = format!(
                "{} has run for only some of its tickers since it was due: run {}",
                facts.job.name, run.run_id
            );
            (Severity::Critical, message)
        }
        // It knows why there is no data, and comes back by itself: until then there is nothing to do.
        (_, Some(run))
            if run.created_at.is_some_and(|created| created >= due)
                && run.waits_until.is_some_and(|until| until > now) =>
        {
            let reason = run.stopped.as_deref().unwrap_or(run.run_status.name());
            let message = format!(
                "{} waits for its data since it was due; run {}: {reason}",
                facts.job.name, run.run_id
            );
            (Severity::Warning, message)
        }
        (_, Some(run)) if run.created_at.is_some_and(|created| created >= due) => {
            let reason = run.stopped.as_deref().unwrap_or(run.run_status.name());
            let message = format!(
                "{} has not succeeded since it was due; run {}: {reason}",
                facts.job.name, run.run_id
            );
            (Severity::Critical, message)
        }
        _ => (
            Severity::Critical,
            format!("{} has not run since it was due: check whether the scheduler called", facts.job.name),
        ),
    };
    Some(Alert { since: Some(due), ..Alert::new("JobOverdue", severity, message) })
}

fn flagged(facts: &JobFacts, rules: &Rules<'_>, now: DateTime<Utc>) -> Option<Alert> {
    let percent = rules.config.flagged_percent.of(facts.job.name);
    let (message, since) = too_many(facts, now, |run| run.records_flagged, percent, "are doubtful")?;
    Some(Alert { since, ..Alert::new("RecordsFlagged", Severity::Warning, message) })
}

fn restated(facts: &JobFacts, rules: &Rules<'_>, now: DateTime<Utc>) -> Option<Alert> {
    let percent = rules.config.restated_percent.of(facts.job.name);
    let verb = "say something else than before";
    let (message, since) = too_many(facts, now, |run| run.records_revised, percent, verb)?;
    Some(Alert { since, ..Alert::new("RecordsRestated", Severity::Warning, message) })
}

/// Whether more than `percent` of the records that a job took in during the last day, new or not, are such records: in
/// words, and since when.
fn too_many(
    facts: &JobFacts,
    now: DateTime<Utc>,
    such: fn(&RunSummary) -> u64,
    percent: u64,
    verb: &str,
) -> Option<(String, Option<DateTime<Utc>>)> {
    let sum = |count: fn(&RunSummary) -> u64| {
        of_last_day(facts, now).fold(0_u64, |sum, run| sum.saturating_add(count(run)))
    };
    let (count, all) = (sum(such), sum(|run| run.records_stored.saturating_add(run.records_unchanged)));
    if count == 0 || count.saturating_mul(100) <= all.saturating_mul(percent) {
        return None;
    }
    let mut runs = of_last_day(facts, now).filter(|run| such(run) > 0);
    let latest = runs.next()?;
    let message = format!(
        "{count} of {all} records that {} took in during the last 24 hours {verb}, limit {percent} %; latest in {}",
        facts.job.name, latest.run_id
    );
    Some((message, runs.last().unwrap_or(latest).ended_at))
}

/// How long the ticks of a job have been skipped, if they still are.
pub fn paused_for(pause: Option<&Pause>, now: DateTime<Utc>) -> Option<TimeDelta> {
    pause.filter(|pause| pause.is_active(now)).map(|pause| now - pause.window.since)
}

fn paused(facts: &JobFacts, now: DateTime<Utc>) -> Option<Alert> {
    let pause = facts.pause.as_ref()?;
    if paused_for(Some(pause), now)? <= PAUSE_MAX {
        return None;
    }
    let message = format!("{} has been paused for more than a day: {}", facts.job.name, pause.words());
    Some(Alert { since: Some(pause.window.since), ..Alert::new("JobPaused", Severity::Warning, message) })
}

/// The alert of a dataset, if too few tickers of its last final session are stored.
pub(super) fn of_dataset(coverage: &DatasetCoverage, rules: &Rules<'_>) -> Option<Alert> {
    let (summary, name) = (coverage.last_final.as_ref()?, coverage.dataset.name);
    let (counts, limit) = (summary.counts, rules.config.coverage_percent);
    if counts.covered.saturating_mul(100) >= counts.due.saturating_mul(limit) {
        return None;
    }
    // Rounded down: 98.97 % must not look like the limit.
    let permille = counts.covered.saturating_mul(1000) / counts.due.max(1);
    let lacking = [
        (counts.missing, "missing"),
        (counts.failed, "failed"),
        (counts.stale, "stale"),
        (counts.empty, "empty"),
    ];
    let lacking: Vec<_> = lacking
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, state)| format!("{count} {state}"))
        .collect();
    let date = summary.date;
    let message = format!(
        "{}.{} % of the tickers of {name} are stored for {date}, limit {limit} %: {}; \
         GET /coverage/{name}/{date} names them",
        permille / 10,
        permille % 10,
        lacking.join(", ")
    );
    let provider = crate::catalogue::Provider::all()
        .into_iter()
        .find(|provider| provider.datasets().contains(&coverage.dataset))
        .map(crate::catalogue::Provider::name);
    let alert = Alert::new("CoverageLow", Severity::Warning, message);
    Some(Alert { provider, dataset: Some(name), since: summary.changed_at, ..alert })
}

/// The alerts of one provider.
pub(super) fn of_service(service: &ServiceStatus) -> Vec<Alert> {
    let breaker = (service.breaker.position != Position::Closed).then(|| {
        let reason = service.breaker.reason.as_deref().unwrap_or("no reason recorded");
        let message = format!("only probes are sent to {}: {reason}", service.provider);
        Alert { since: service.breaker_changed_at, ..Alert::new("BreakerOpen", Severity::Warning, message) }
    });
    let unhealthy = (service.healthy == Some(false)).then(|| {
        let reason = service.error.as_deref().unwrap_or("no reason given");
        let seen = match service.source {
            Some(Source::Probe) => "failed its probe",
            _ => "failed on its latest call",
        };
        let message = format!("{} {seen}: {reason}", service.provider);
        Alert { since: service.checked_at, ..Alert::new("ProviderUnhealthy", Severity::Warning, message) }
    });
    let of_provider = |alert| Alert { provider: Some(service.provider), ..alert };
    [breaker, unhealthy].into_iter().flatten().map(of_provider).collect()
}

#[cfg(test)]
mod tests;
