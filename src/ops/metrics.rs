//! `GET /metrics`: what all instances have done since the first run, as counted in Firestore.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::alerts::{self, Rules};
use super::exposition::{Exposition, Kind, Labels, seconds};
use super::facts::Facts;
use crate::catalogue::{self, Job};
use crate::config::Collections;
use crate::ledger::pauses::Pause;
use crate::ledger::statistics::{JobTotals, WAITING};
use crate::resilience::breaker::Position;
use crate::resilience::class::Class;
use crate::run::counts::{ATTEMPT_BOUNDS_MS, CALL_BOUNDS_MS};
use crate::run::{Counts, Outcome, Status};

/// The text of all metrics.
pub fn render(facts: &Facts, collections: &Collections, rules: &Rules<'_>, now: DateTime<Utc>) -> String {
    let mut text = Exposition::default();
    let jobs: Vec<_> = catalogue::jobs().zip(&facts.jobs).collect();
    runs(&mut text, &jobs);
    records(&mut text, &jobs, collections);
    calls(&mut text, &jobs);
    documents(&mut text, &jobs);
    counters(&mut text, &jobs);
    breakers(&mut text, facts);
    times(&mut text, &jobs, &facts.pauses, rules, now);
    coverage(&mut text, facts);
    notifications(&mut text, facts);
    thresholds(&mut text, rules);
    text.finish()
}

/// Not `job`: Prometheus uses that label for the scrape target.
const JOB: &str = "job_name";

type Rows<'a> = [(&'static Job, &'a JobTotals)];

/// One counter with one sample per job.
fn per_job(
    text: &mut Exposition,
    rows: &Rows<'_>,
    name: &'static str,
    help: &str,
    value: impl Fn(&JobTotals) -> u64,
) {
    text.metric(name, Kind::Counter, help);
    for (job, totals) in rows {
        text.count(&labels(job), value(totals));
    }
}

fn labels(job: &Job) -> [(&'static str, &'static str); 2] {
    [(JOB, job.name), ("provider", job.provider.name())]
}

fn with<'a>(job: &Job, name: &'static str, value: &'a str) -> [(&'static str, &'a str); 3] {
    [(JOB, job.name), ("provider", job.provider.name()), (name, value)]
}

fn runs(text: &mut Exposition, rows: &Rows<'_>) {
    let help = "Ended runs, by current status; a failed run that is completed later moves to another status.";
    text.metric("orchestrator_runs", Kind::Gauge, help);
    for (job, totals) in rows {
        let known = &totals.statistics;
        let succeeded = known.jobs_successful - known.jobs_partial;
        for (status, count) in [
            (Status::Succeeded, succeeded),
            (Status::Partial, known.jobs_partial),
            (Status::Failed, known.jobs_failed),
            (Status::Cancelled, known.jobs_cancelled),
        ] {
            text.count(&with(job, "status", status.name()), u64::try_from(count).unwrap_or_default());
        }
    }
    let name = "orchestrator_run_attempts_total";
    let help = "Ended attempts of runs, by the status they left the run in; waiting if only for data to be published.";
    text.metric(name, Kind::Counter, help);
    for (job, totals) in rows {
        let ended = [Status::Succeeded, Status::Partial, Status::Failed, Status::Cancelled].map(Status::name);
        for status in ended.into_iter().chain([WAITING]) {
            let count = totals.attempts.get(status).copied().unwrap_or_default();
            text.count(&with(job, "status", status), count);
        }
    }
    let name = "orchestrator_run_attempt_duration_seconds";
    text.metric(name, Kind::Histogram, "Duration of run attempts.");
    for (job, totals) in rows {
        text.histogram(&labels(job), ATTEMPT_BOUNDS_MS, &totals.duration);
    }
    let name = "orchestrator_ticks_skipped_total";
    per_job(
        text,
        rows,
        name,
        "Scheduled times skipped because the market was closed or the job paused.",
        |totals| totals.ticks_skipped,
    );
    let name = "orchestrator_tickers_failed_total";
    per_job(text, rows, name, "Tickers that failed permanently.", |totals| totals.tickers_failed);
    let help = "Tickers at each endpoint of a run, by outcome.";
    text.metric("orchestrator_tickers_total", Kind::Counter, help);
    for (job, totals) in rows {
        let outcomes = Outcome::ALL.into_iter().filter(|outcome| *outcome != Outcome::Pending);
        for (outcome, count) in from_zero(outcomes.map(Outcome::name), &totals.counts.outcomes) {
            text.count(&with(job, "outcome", outcome), count);
        }
    }
}

fn records(text: &mut Exposition, rows: &Rows<'_>, collections: &Collections) {
    let mut family = |name, help: &str, counts: fn(&JobTotals) -> &BTreeMap<String, u64>| {
        text.metric(name, Kind::Counter, help);
        for (job, totals) in rows {
            let own = job.endpoints.iter().map(|endpoint| collections.of(endpoint.dataset));
            for (collection, count) in from_zero(own, counts(totals)) {
                text.count(&with(job, "collection", collection), count);
            }
        }
    };
    let name = "orchestrator_records_stored_total";
    family(name, "Records stored, by collection.", |totals| &totals.counts.collections);
    let help = "Records rejected because they violate their schema, by the collection they were meant for.";
    family("orchestrator_records_rejected_total", help, |totals| &totals.counts.rejected);
}

/// Counts by name, with zeros for names without a count yet: a counter that first appears above zero has no rate.
fn from_zero<'a, 'b: 'a>(
    names: impl Iterator<Item = &'b str>,
    counts: &'a BTreeMap<String, u64>,
) -> BTreeMap<&'a str, u64> {
    let mut all = BTreeMap::new();
    all.extend(names.map(|name| -> (&'a str, u64) { (name, 0) }));
    all.extend(counts.iter().map(|(name, count)| (name.as_str(), *count)));
    all
}

fn calls(text: &mut Exposition, rows: &Rows<'_>) {
    let name = "orchestrator_provider_calls_total";
    text.metric(
        name,
        Kind::Counter,
        "Ended provider calls, by class; ok is a success, all others are failures.",
    );
    for (job, totals) in rows {
        let classes = Class::ALL.into_iter().map(Class::name).chain(["ok"]);
        for (class, count) in from_zero(classes, &totals.counts.classes) {
            text.count(&with(job, "class", class), count);
        }
    }
    let name = "orchestrator_provider_call_duration_seconds";
    text.metric(name, Kind::Histogram, "Duration of provider calls.");
    for (job, totals) in rows {
        text.histogram(&labels(job), CALL_BOUNDS_MS, &totals.counts.latency);
    }
}

fn documents(text: &mut Exposition, rows: &Rows<'_>) {
    let help = "Documents read from and written to Firestore by runs, the ledger's own included.";
    text.metric("orchestrator_firestore_documents_total", Kind::Counter, help);
    for (job, totals) in rows {
        text.count(&with(job, "kind", "read"), totals.counts.documents_read);
        text.count(&with(job, "kind", "written"), totals.counts.documents_written);
    }
}

/// The counters that are one number, by their rows.
fn counters(text: &mut Exposition, rows: &Rows<'_>) {
    for counter in Counts::COUNTERS {
        if let Some((name, help)) = counter.metric {
            per_job(text, rows, name, help, |totals| (counter.get)(&totals.counts));
        }
    }
}

fn breakers(text: &mut Exposition, facts: &Facts) {
    let help = "Position of the circuit breaker: 1 for the current one, 0 for the others.";
    text.metric("orchestrator_breaker_position", Kind::Gauge, help);
    for (provider, breaker) in facts.breakers.iter() {
        for position in Position::ALL {
            let labels: Labels<'_> = &[("provider", provider.name()), ("position", position.name())];
            text.count(labels, u64::from(breaker.shared.position == position));
        }
    }
    let help = "Transitions of the circuit breaker, by the new position.";
    text.metric("orchestrator_breaker_transitions_total", Kind::Counter, help);
    for (provider, breaker) in facts.breakers.iter() {
        for position in Position::ALL {
            let labels: Labels<'_> = &[("provider", provider.name()), ("position", position.name())];
            text.count(labels, breaker.transitions.get(position.name()).copied().unwrap_or_default());
        }
    }
}

fn times(
    text: &mut Exposition,
    rows: &Rows<'_>,
    pauses: &BTreeMap<String, Pause>,
    rules: &Rules<'_>,
    now: DateTime<Utc>,
) {
    let known = |name, help: &str, value: &dyn Fn(&JobTotals) -> Option<f64>, text: &mut Exposition| {
        text.metric(name, Kind::Gauge, help);
        for (job, totals) in rows {
            if let Some(value) = value(totals) {
                text.sample(&labels(job), value);
            }
        }
    };
    let name = "orchestrator_job_seconds_since_last_success";
    let help = "Seconds since a run of the job last succeeded, fully or partially; absent if none has.";
    let since = |totals: &JobTotals| {
        let age = (now - totals.statistics.last_success_time?).to_std().unwrap_or_default();
        Some(age.as_secs_f64())
    };
    known(name, help, &since, text);
    let name = "orchestrator_job_last_duration_seconds";
    let last = |totals: &JobTotals| totals.last_duration_ms.map(seconds);
    known(name, "Duration of the latest run attempt.", &last, text);
    text.metric(
        "orchestrator_job_overdue",
        Kind::Gauge,
        "1 if no run has succeeded for the latest scheduled time that is due.",
    );
    for (job, totals) in rows {
        let pause = pauses.get(job.name);
        let overdue = alerts::overdue_since(job, totals.covered_until, pause, rules, now).is_some();
        text.count(&labels(job), u64::from(overdue));
    }
    let help = "Seconds for which the job's scheduled times have been skipped by an operator's order; 0 if they are run.";
    text.metric("orchestrator_job_paused_seconds", Kind::Gauge, help);
    for (job, _) in rows {
        let paused = alerts::paused_for(pauses.get(job.name), now).and_then(|paused| paused.to_std().ok());
        text.sample(&labels(job), paused.unwrap_or_default().as_secs_f64());
    }
}

/// Datasets without a planned run on that day have no sample.
fn coverage(text: &mut Exposition, facts: &Facts) {
    let help = "Share of the tickers of the last final session that are stored, of those that the provider's quota allowed.";
    text.metric("orchestrator_coverage_ratio", Kind::Gauge, help);
    for known in &facts.coverage {
        if let Some(ratio) = known.ratio() {
            text.sample(&[("dataset", known.dataset.name)], ratio);
        }
    }
}

/// Counted where the alerts are stored, because every watch may be another instance's.
fn notifications(text: &mut Exposition, facts: &Facts) {
    let help = "Notifications about alerts, by target: told, or failed and tried again by a later watch.";
    text.metric("orchestrator_notifications_total", Kind::Counter, help);
    for target in ["webhook", "slack", "pagerduty"] {
        for outcome in ["told", "failed"] {
            let count = facts.notifications.get(&format!("{outcome}_{target}")).copied().unwrap_or_default();
            text.count(&[("target", target), ("outcome", outcome)], count);
        }
    }
}

/// The settings of alerts, for rules that compare a metric with them.
fn thresholds(text: &mut Exposition, rules: &Rules<'_>) {
    let config = rules.config;
    text.metric(
        "orchestrator_alert_failure_ratio",
        Kind::Gauge,
        "Ratio of failed attempts above which JobFailing fires.",
    );
    for job in catalogue::jobs() {
        text.sample(&labels(job), super::exposition::float(config.failure_percent.of(job.name)) / 100.0);
    }
    text.metric(
        "orchestrator_alert_coverage_ratio",
        Kind::Gauge,
        "Share of stored tickers below which CoverageLow fires.",
    );
    text.sample(&[], super::exposition::float(config.coverage_percent) / 100.0);
    let help = "Minimum number of attempts in 24 hours for JobFailing to fire.";
    text.metric("orchestrator_alert_failure_runs_min", Kind::Gauge, help);
    text.count(&[], u64::try_from(config.failure_runs_min).unwrap_or(u64::MAX));
    let help = "Ratio of doubtful records above which RecordsFlagged fires.";
    text.metric("orchestrator_alert_flagged_ratio", Kind::Gauge, help);
    for job in catalogue::jobs() {
        text.sample(&labels(job), super::exposition::float(config.flagged_percent.of(job.name)) / 100.0);
    }
    let help = "Ratio of restated records above which RecordsRestated fires.";
    text.metric("orchestrator_alert_restated_ratio", Kind::Gauge, help);
    for job in catalogue::jobs() {
        text.sample(&labels(job), super::exposition::float(config.restated_percent.of(job.name)) / 100.0);
    }
    text.metric(
        "orchestrator_alert_run_seconds",
        Kind::Gauge,
        "Duration of an attempt above which JobSlow fires.",
    );
    for job in catalogue::jobs() {
        text.count(&labels(job), config.run_seconds.of(job.name));
    }
}
