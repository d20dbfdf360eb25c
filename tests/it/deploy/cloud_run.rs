//! Cloud Run's service definition.

use std::collections::BTreeMap;

use orchestrator::config::keys;
use serde_json::{Value, json};

use super::settings::{check_production, from_environment};
use super::{document, limit};

fn service() -> Value {
    document("cloud-run/service.yaml", "Service")
}

fn container(service: &Value) -> &Value {
    &service["spec"]["template"]["spec"]["containers"][0]
}

#[test]
fn the_service_has_the_required_size() {
    let service = service();
    let revision = &service["spec"]["template"];
    assert_eq!(revision["spec"]["containerConcurrency"], 100);
    assert_eq!(revision["spec"]["timeoutSeconds"], limit("cloud-run", "platform_timeout_seconds"));
    assert_eq!(container(&service)["resources"]["limits"], json!({"cpu": "2", "memory": "2Gi"}));
    let annotations = &revision["metadata"]["annotations"];
    assert_eq!(annotations["autoscaling.knative.dev/minScale"], "0");
    assert_eq!(annotations["autoscaling.knative.dev/maxScale"], "10");
}

#[test]
fn the_startup_probe_asks_the_component_and_the_liveness_probe_spin() {
    let service = service();
    let (start, live) = (&container(&service)["startupProbe"], &container(&service)["livenessProbe"]);
    assert_eq!(start["httpGet"]["path"], "/health");
    assert_eq!(live["httpGet"]["path"], "/.well-known/spin/health");
    for probe in [start, live] {
        assert!(
            probe["timeoutSeconds"].as_u64() <= probe["periodSeconds"].as_u64(),
            "Cloud Run refuses {probe}"
        );
    }
}

#[test]
fn its_settings_are_valid_and_its_secret_comes_from_the_secret_manager() {
    let service = service();
    let mut environment = BTreeMap::new();
    for entry in container(&service)["env"].as_array().expect("env") {
        let name = entry["name"].as_str().expect("a name").to_owned();
        let setting = name.strip_prefix("SPIN_VARIABLE_").map(str::to_lowercase).unwrap_or_default();
        let secret = keys::find(&setting).is_some_and(|key| key.secret);
        assert_eq!(secret, entry["valueFrom"]["secretKeyRef"].is_object(), "{name}");
        // deploy.sh creates all secrets but the token as a blank line.
        let secret = if setting == "operator_token" { "a-token-of-sixteen-characters" } else { "\n" };
        let value = entry["value"].as_str().unwrap_or(secret);
        environment.insert(name, filled_in(value));
    }
    check_production(&from_environment(&environment), "cloud-run");
    let drain = environment["DRAIN_SECONDS"].parse::<u64>().expect("a number");
    assert!(drain < limit("cloud-run", "stop_grace_seconds"), "killed before it has drained");
}

/// A value as deploy.sh fills it in.
fn filled_in(value: &str) -> String {
    let url = "https://service.example.com";
    let choices =
        [("${INBOUND_AUTH}", "platform"), ("${PROVIDER_AUTH}", "id_token"), ("${LOG_LEVEL}", "info")];
    let names = [("${PROJECT}", "p"), ("${DATABASE}", "(default)"), ("${AUDIENCE}", url)];
    let filled = choices.iter().chain(&names).fold(value.to_owned(), |text, (name, v)| text.replace(name, v));
    let optional = ["${NOTIFY_WEBHOOK_ORIGIN}", "${HEARTBEAT_ORIGIN}", "${DASHBOARD_URL}"];
    let filled = if optional.contains(&filled.as_str()) { String::new() } else { filled };
    if filled.ends_with("_SERVICE_URL}") { url.to_owned() } else { filled }
}
