//! `cargo xtask scheduler`: the catalogue's jobs in Cloud Scheduler.

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

/// Creates the missing jobs and updates the others. Jobs with other names are not changed.
pub fn run(args: &SchedulerArgs) -> Result<()> {
    let mode = args.mode.chosen();
    let limits = Limits::read(args.platform)?;
    let present = present(args, mode)?;
    for job in jobs() {
        let verb = if present.contains(job.name) { "update" } else { "create" };
        call(job, verb, &limits, args)?.perform(mode)?;
    }
    progress::step(&format!(
        "{} jobs, {} of them new{}",
        jobs().count(),
        jobs().filter(|job| !present.contains(job.name)).count(),
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
    let base = args.url.trim_end_matches('/');
    let window = schedule::retry_window(job.schedule)?;
    // Cloud Scheduler's default, application/octet-stream, would be accepted too.
    let headers = if verb == "create" { "headers" } else { "update-headers" };
    Ok(Call::new(["scheduler", "jobs", verb, "http", job.name])
        .with("project", &args.project)
        .with("location", &args.location)
        .with("description", job.summary)
        .with("schedule", job.schedule)
        .with("time-zone", SCHEDULE_TIME_ZONE)
        .with("uri", format_args!("{base}{}", job.route))
        .with("http-method", "post")
        .with(headers, "Content-Type=application/json")
        .with("message-body", body(job))
        .with("oidc-service-account-email", &args.service_account)
        .with("oidc-token-audience", args.audience.as_deref().unwrap_or(base))
        .with("attempt-deadline", format_args!("{}s", limits.attempt_deadline))
        .with("max-retry-attempts", schedule::retries(window, limits))
        .with("max-retry-duration", format_args!("{}s", window.as_secs()))
        .with("min-backoff", format_args!("{}s", limits.min_backoff))
        .with("max-backoff", format_args!("{}s", limits.max_backoff))
        .with("max-doublings", limits.max_doublings))
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
    Ok(json!({"time_zone": SCHEDULE_TIME_ZONE, "jobs": jobs}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace;

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
