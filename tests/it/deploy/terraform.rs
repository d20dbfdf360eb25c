//! Terraform reads jobs, limits and indexes from the shared files and otherwise agrees with `service.yaml`.
//!
//! Terraform itself validates the files; this test looks for the assignments that matter, one per line.

use serde_json::Value;

use super::{document, text};

/// The lines of all files with single blanks, so that alignment does not matter.
fn lines() -> Vec<String> {
    ["scheduler.tf", "service.tf", "locals.tf", "firestore.tf", "accounts.tf"]
        .iter()
        .flat_map(|file| {
            text(&format!("terraform/{file}")).lines().map(ToOwned::to_owned).collect::<Vec<_>>()
        })
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

fn require(expected: &[&str]) {
    let lines = lines();
    for line in expected {
        assert!(lines.iter().any(|found| found == line), "deploy/terraform has no line `{line}`");
    }
}

#[test]
fn jobs_limits_and_indexes_come_from_the_shared_files() {
    require(&[
        r#"scheduler = jsondecode(file("${path.module}/jobs.json"))"#,
        r#"limits = jsondecode(file("${path.module}/../limits.json"))["cloud-run"]"#,
        r#"firestore = jsondecode(file("${path.module}/../../firestore.indexes.json"))"#,
        "for_each = local.jobs",
        "schedule = local.scheduler.watch.schedule",
        r#"uri = "${google_cloud_run_v2_service.orchestrator.uri}${local.scheduler.watch.route}""#,
        "for_each = local.notifications",
        "for_each = local.indexes",
        "for_each = local.fields",
        r#"timeout = "${local.limits.platform_timeout_seconds}s""#,
        r#"attempt_deadline = "${local.limits.attempt_deadline_seconds}s""#,
        r#"min_backoff_duration = "${local.limits.min_backoff_seconds}s""#,
        r#"max_backoff_duration = "${local.limits.max_backoff_seconds}s""#,
        "SPIN_VARIABLE_JOB_DEADLINE_SECONDS = tostring(local.limits.job_deadline_seconds)",
        "SPIN_VARIABLE_SERVICE_TIMEOUT_SECONDS = tostring(local.limits.service_timeout_seconds)",
        "SPIN_VARIABLE_LEASE_SECONDS = tostring(local.limits.lease_seconds)",
        r#"headers = { "Content-Type" = "application/json" }"#,
        // IAM authenticates callers and requires the service's own address as the audience.
        r#"SPIN_VARIABLE_INBOUND_AUTH = "platform""#,
        "audience = google_cloud_run_v2_service.orchestrator.uri",
    ]);
}

#[test]
fn the_service_has_the_same_size_as_the_scripts() {
    let service = document("cloud-run/service.yaml", "Service");
    let revision = &service["spec"]["template"];
    let container = &revision["spec"]["containers"][0];
    let number = |value: &Value| value.as_u64().expect("a number");
    let quoted = |value: &Value| value.as_str().expect("a string").to_owned();
    let annotations = &revision["metadata"]["annotations"];
    let scale = |name: &str| quoted(&annotations[format!("autoscaling.knative.dev/{name}")]);
    for line in [
        format!("max_instance_request_concurrency = {}", number(&revision["spec"]["containerConcurrency"])),
        format!("min_instance_count = {}", scale("minScale")),
        format!("max_instance_count = {}", scale("maxScale")),
        format!("cpu = \"{}\"", quoted(&container["resources"]["limits"]["cpu"])),
        format!("memory = \"{}\"", quoted(&container["resources"]["limits"]["memory"])),
        format!("path = \"{}\"", quoted(&container["startupProbe"]["httpGet"]["path"])),
        format!("path = \"{}\"", quoted(&container["livenessProbe"]["httpGet"]["path"])),
        format!("failure_threshold = {}", number(&container["startupProbe"]["failureThreshold"])),
        format!("container_port = {}", number(&container["ports"][0]["containerPort"])),
    ] {
        require(&[&line]);
    }
}

#[test]
fn both_ways_set_the_same_environment() {
    let service = document("cloud-run/service.yaml", "Service");
    let entries =
        service["spec"]["template"]["spec"]["containers"][0]["env"].as_array().expect("env").clone();
    let lines = lines();
    // Needed only if the service authenticates its callers itself, which Terraform does not offer.
    let left_out = ["SPIN_VARIABLE_SCHEDULER_SERVICE_ACCOUNT", "SPIN_VARIABLE_OIDC_AUDIENCE"];
    for name in
        entries.iter().filter_map(|entry| entry["name"].as_str()).filter(|name| !left_out.contains(name))
    {
        let (assigned, named) = (format!("{name} = "), format!("name = \"{name}\""));
        assert!(
            lines.iter().any(|line| line.starts_with(&assigned) || *line == named),
            "Terraform lacks {name}"
        );
    }
}
