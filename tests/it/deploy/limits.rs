//! The time limits are nested, and `docs/deploy.md` shows them.

use std::fmt::Write;
use std::time::Duration;

use orchestrator::base::ports::Instant;
use orchestrator::config::keys;
use orchestrator::resilience::deadline::Deadline;

use super::limit;
use crate::tidy::generated::{Marks, check};

const PLATFORMS: [&str; 3] = ["cloud-run", "spinkube", "akamai"];

/// The rows of the table: limit, what happens, where it is set.
const ROWS: &[(&str, &str, &str)] = &[
    (
        "attempt_deadline_seconds",
        "Cloud Scheduler gives up on an attempt",
        "`cargo xtask scheduler --platform`, `terraform/scheduler.tf`",
    ),
    (
        "platform_timeout_seconds",
        "the platform ends the request",
        "`cloud-run/service.yaml`, `terraform/service.tf`, `spinkube/route.yaml`; Akamai's own",
    ),
    (
        "job_deadline_seconds",
        "the run has handed the rest to the next attempt: 503",
        "the setting of that name",
    ),
    ("service_timeout_seconds", "one provider call is given up", "the setting of that name"),
    (
        "lease_seconds",
        "a run whose owner has gone silent may be taken over; renewed at most once a second",
        "the setting of that name",
    ),
    (
        "stop_grace_seconds",
        "from asking an instance to end until killing it",
        "Cloud Run and Docker 10 s, Kubernetes 30 s; the container drains 2 s less (`DRAIN_SECONDS`)",
    ),
    (
        "min_backoff_seconds",
        "first wait between two attempts",
        "`cargo xtask scheduler --platform`, `terraform/scheduler.tf`",
    ),
    (
        "max_backoff_seconds",
        "longest wait between two attempts",
        "`cargo xtask scheduler --platform`, `terraform/scheduler.tf`",
    ),
    (
        "idle_instance_timeout_seconds",
        "Spin drops an idle instance of the component, and everything cached in it",
        "the container's `/entry`; elsewhere Spin's default, which nothing there can set",
    ),
];

#[test]
fn each_limit_is_within_the_next() {
    for platform in PLATFORMS {
        let inside_out = ["job_deadline_seconds", "platform_timeout_seconds", "attempt_deadline_seconds"];
        let limits = inside_out.map(|name| limit(platform, name));
        assert!(limits.is_sorted_by(|inner, outer| inner < outer), "{platform}: {limits:?}");
        for name in ["service_timeout_seconds", "min_backoff_seconds"] {
            assert!(limit(platform, name) <= limits[0], "{platform}: {name}");
        }
        // Otherwise the first retry after a crash, and every further one, would find the lease still held.
        let backoff = limit(platform, "max_backoff_seconds") * 4;
        assert!(
            limit(platform, "lease_seconds") <= backoff,
            "{platform}: the lease is longer than the retries"
        );
    }
}

#[test]
fn the_defaults_are_cloud_runs_limits() {
    for name in ["job_deadline_seconds", "service_timeout_seconds", "lease_seconds"] {
        let default = keys::find(name).map(|key| key.default.to_owned());
        assert_eq!(default, Some(limit("cloud-run", name).to_string()), "{name}");
    }
}

#[test]
fn the_guide_shows_the_limits() {
    let mut table = String::from("| limit | Cloud Run | SpinKube | Akamai | what happens then | set in |\n");
    table.push_str("|---|---|---|---|---|---|\n");
    for (name, meaning, place) in ROWS {
        let values = PLATFORMS.map(|platform| format!("{} s", limit(platform, name))).join(" | ");
        let _ = writeln!(table, "| `{name}` | {values} | {meaning} | {place} |");
        if *name == "job_deadline_seconds" {
            let cut = PLATFORMS.map(|platform| deadline(platform).until_hard(start()));
            let _ =
                writeln!(table, "| | {} | running calls are cut, the run is closed | follows |", shown(cut));
            let last = PLATFORMS.map(|platform| deadline(platform).until_soft(start()));
            let _ = writeln!(table, "| | {} | no further call is started | follows |", shown(last));
        }
    }
    check("docs/deploy.md", &Marks::markdown("limits"), &table);
}

fn start() -> Instant {
    Instant::from_origin(Duration::ZERO)
}

fn deadline(platform: &str) -> Deadline {
    Deadline::new(start(), Duration::from_secs(limit(platform, "job_deadline_seconds")))
}

fn shown(times: [Duration; 3]) -> String {
    times.map(|time| format!("{} s", time.as_secs_f64())).join(" | ")
}
