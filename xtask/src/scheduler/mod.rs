//! `cargo xtask scheduler`: the catalogue's jobs in Cloud Scheduler, and beside them the watch.

mod schedule;

use std::collections::BTreeSet;

use anyhow::Result;
use orchestrator::catalogue::job::{Job, SCHEDULE_TIME_ZONE};
use orchestrator::catalogue::jobs;
use serde_json::{Value, json};

use crate::cli::SchedulerArgs;
use crate::gcloud::{Call, Mode};
use crate::limits::Limits;
use crate::progress;

/// The watch as Cloud Scheduler calls it: every minute of every day, without retries, because the next one comes soon.
const WATCH: Entry = Entry {
    name: "orchestrator-watch",
    summary: "The watch: alerts and notifications",
    route: "/watch",
    schedule: "* * * * *",
};

/// What Cloud Scheduler calls, and when.
struct Entry {
    name: &'static str,
    summary: &'static str,
    route: &'static str,
    schedule: &'static str,
}

/// Creates the missing jobs and updates the others. Jobs with other names are not changed.
pub fn run(args: &SchedulerArgs) -> Result<()> {
    let mode = args.mode.chosen();
    let limits = Limits::read(args.platform)?;
    let present = present(args, mode)?;
    let verb = |name: &str| if present.contains(name) { "update" } else { "create" };
    for job in jobs() {
        call(job, verb(job.name), &limits, args)?.perform(mode)?;
    }
    watch(verb(WATCH.name), &limits, args).perform(mode)?;
    let names: Vec<_> = jobs().map(|job| job.name).chain([WATCH.name]).collect();
    progress::step(&format!(
        "{} jobs and the watch, {} of them new{}",
        names.len() - 1,
        names.iter().filter(|name| !present.contains(**name)).count(),
        if mode == Mode::DryRun { "; nothing was changed" } else { "" }
    ));
    Ok(())
}

/// The names of the jobs that exist.
fn present(args: &SchedulerArgs, mode: Mode) -> Result<BTreeSet<String>> {
    let list = Call::new(["scheduler", "jobs", "list"])
        .with("project", &args.project)
        .with("location", &args.location)
        .with("format", "value(name)");
    let names = list.ask(mode)?.unwrap_or_default();
    let last_segment = |line: &str| line.rsplit('/').next().unwrap_or_default().to_owned();
    Ok(names.lines().map(last_segment).collect())
}

/// The command that makes one job match the catalogue.
fn call(job: &Job, verb: &str, limits: &Limits, args: &SchedulerArgs) -> Result<Call> {
    let window = schedule::retry_window(job.schedule)?;
    let entry = Entry { name: job.name, summary: job.summary, route: job.route, schedule: job.schedule };
    Ok(target(&entry, &body(job), verb, limits, args)
        .with("max-retry-attempts", schedule::retries(window, limits))
        .with("max-retry-duration", format_args!("{}s", window.as_secs()))
        .with("min-backoff", format_args!("{}s", limits.min_backoff))
        .with("max-backoff", format_args!("{}s", limits.max_backoff))
        .with("max-doublings", limits.max_doublings))
}

/// The command for the watch.
fn watch(verb: &str, limits: &Limits, args: &SchedulerArgs) -> Call {
    target(&WATCH, &json!({}), verb, limits, args).with("max-retry-attempts", 0)
}

/// What is called when, and as whom.
fn target(entry: &Entry, body: &Value, verb: &str, limits: &Limits, args: &SchedulerArgs) -> Call {
    let base = args.url.trim_end_matches('/');
    // Cloud Scheduler's default, application/octet-stream, would be accepted too.
    let headers = if verb == "create" { "headers" } else { "update-headers" };
    Call::new(["scheduler", "jobs", verb, "http", entry.name])
        .with("project", &args.project)
        .with("location", &args.location)
        .with("description", entry.summary)
        .with("schedule", entry.schedule)
        .with("time-zone", SCHEDULE_TIME_ZONE)
        .with("uri", format_args!("{base}{}", entry.route))
        .with("http-method", "post")
        .with(headers, "Content-Type=application/json")
        .with("message-body", body)
        .with("oidc-service-account-email", &args.service_account)
        .with("oidc-token-audience", args.audience.as_deref().unwrap_or(base))
        .with("attempt-deadline", format_args!("{}s", limits.attempt_deadline))
}

fn body(job: &Job) -> Value {
    json!({"scope": job.scope.name(), "job": job.name})
}

/// The jobs as data, for Terraform, which deploys to Cloud Run.
#[cfg(test)]
fn data() -> Result<Value> {
    let limits = Limits::read(crate::limits::Platform::CloudRun)?;
    let jobs = jobs().map(|job| {
        let window = schedule::retry_window(job.schedule)?;
        Ok(json!({
            "name": job.name,
            "description": job.summary,
            "route": job.route,
            "schedule": job.schedule,
            "body": body(job),
            "retries": schedule::retries(window, &limits),
            "retry_duration_seconds": window.as_secs(),
        }))
    });
    let jobs: Vec<_> = jobs.collect::<Result<_>>()?;
    let watch = json!({
        "name": WATCH.name,
        "description": WATCH.summary,
        "route": WATCH.route,
        "schedule": WATCH.schedule,
    });
    Ok(json!({"time_zone": SCHEDULE_TIME_ZONE, "jobs": jobs, "watch": watch}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

    #[test]
    fn the_simulated_scheduler_calls_the_same_watch() {
        assert_eq!((WATCH.name, WATCH.route), (sim::scheduler::WATCH, sim::scheduler::WATCH_ROUTE));
        assert_eq!(schedule::shortest_gap(WATCH.schedule).unwrap(), sim::scheduler::WATCH_INTERVAL);
    }

    #[test]
    fn terraforms_jobs_match_the_catalogue() {
        let path = workspace::root().join("deploy/terraform/jobs.json");
        let expected = format!("{:#}\n", data().unwrap());
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        if found != expected && std::env::var_os("UPDATE").is_some() {
            return std::fs::write(&path, expected).unwrap();
        }
        assert_eq!(found, expected, "update it with `UPDATE=1 cargo test -p xtask scheduler`");
    }
}
