//! Checks the Kubernetes resources against the Spin operator's custom resource definitions
//! (core.spinkube.dev/v1alpha1).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::settings::{Settings, check_production};
use super::{document, limit, seconds, text};

/// The fields of a custom resource used here; any other is a mistake, because it would be dropped silently.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Resource<S> {
    api_version: String,
    #[serde(rename = "kind")]
    _kind: String,
    metadata: Metadata,
    spec: S,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct App {
    image: String,
    executor: String,
    service_account_name: String,
    enable_autoscaling: bool,
    /// Not allowed together with `enableAutoscaling: true`.
    replicas: Option<u32>,
    resources: Resources,
    checks: Checks,
    runtime_config: RuntimeConfig,
    variables: Vec<Variable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resources {
    requests: BTreeMap<String, String>,
    limits: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Checks {
    readiness: Probe,
    liveness: Probe,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Probe {
    http_get: HttpGet,
    #[serde(rename = "initialDelaySeconds")]
    _initial_delay_seconds: u32,
    period_seconds: u32,
    timeout_seconds: u32,
    failure_threshold: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpGet {
    path: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RuntimeConfig {
    load_from_secret: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Variable {
    name: String,
    value_from: ValueFrom,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ValueFrom {
    config_map_key_ref: Option<KeyRef>,
    secret_key_ref: Option<KeyRef>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyRef {
    name: String,
    key: String,
    #[serde(default)]
    optional: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Executor {
    create_deployment: bool,
    deployment_config: DeploymentConfig,
}

/// `runtimeClassName` is not allowed together with `spinImage`, so it is not a field here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DeploymentConfig {
    spin_image: String,
    #[serde(rename = "installDefaultCACerts")]
    install_default_ca_certs: bool,
}

fn resource<S: serde::de::DeserializeOwned>(file: &str, kind: &str) -> Resource<S> {
    let resource: Resource<S> = serde_json::from_value(document(file, kind))
        .unwrap_or_else(|error| panic!("deploy/{file}, {kind}: {error}"));
    assert_eq!(resource.api_version, "core.spinkube.dev/v1alpha1");
    resource
}

fn app() -> Resource<App> {
    resource("spinkube/app.yaml", "SpinApp")
}

#[test]
fn the_app_runs_on_the_executor_with_spin_4_1() {
    let app = app();
    let executor: Resource<Executor> = resource("spinkube/executor.yaml", "SpinAppExecutor");
    assert_eq!(app.spec.executor, executor.metadata.name);
    assert!(executor.spec.create_deployment);
    assert!(executor.spec.deployment_config.install_default_ca_certs, "no https without certificates");
    assert!(executor.spec.deployment_config.spin_image.contains(":v4.1."), "WASI 0.3 needs Spin 4.1");
    assert!(app.spec.image.ends_with(concat!(":", env!("CARGO_PKG_VERSION"))), "{}", app.spec.image);
    let account = document("spinkube/app.yaml", "ServiceAccount");
    assert_eq!(account["metadata"]["name"], app.spec.service_account_name);
}

#[test]
fn its_settings_are_valid_and_its_secrets_are_secrets() {
    let values = document("spinkube/settings.yaml", "ConfigMap");
    let mut settings = Settings::new();
    for Variable { name, value_from } in app().spec.variables {
        match (value_from.config_map_key_ref, value_from.secret_key_ref) {
            (Some(from), None) => {
                assert_eq!((from.name, &from.key), ("orchestrator-settings".into(), &name));
                let value = values["data"][&from.key].as_str();
                let value = value.unwrap_or_else(|| panic!("settings.yaml has no string {name}"));
                settings.insert(name, value.to_owned());
            }
            (None, Some(from)) => {
                assert_eq!((from.name, from.key), ("orchestrator-secrets".into(), name.clone()));
                assert!(from.optional, "{name}: a pod does not start without a secret that is not optional");
                let secret = orchestrator::config::keys::find(&name).is_some_and(|key| key.secret);
                assert!(secret, "{name} is not a secret");
            }
            _ => panic!("{name} must come from exactly one place"),
        }
    }
    let unused: Vec<_> =
        values["data"].as_object().expect("data").keys().filter(|k| !settings.contains_key(*k)).collect();
    assert_eq!(unused, Vec::<&String>::new(), "the app does not take these");
    check_production(&settings, "spinkube");
}

#[test]
fn probes_have_more_than_the_default_second() {
    let Checks { readiness, liveness } = app().spec.checks;
    assert_eq!(readiness.http_get.path, "/health");
    assert_eq!(liveness.http_get.path, "/.well-known/spin/health", "answered by the host itself");
    for probe in [readiness, liveness] {
        assert!(probe.timeout_seconds > 1 && probe.timeout_seconds <= probe.period_seconds);
        assert!(probe.failure_threshold > 1);
    }
}

#[test]
fn an_autoscaler_sets_the_replicas() {
    let app = app();
    assert!(app.spec.enable_autoscaling && app.spec.replicas.is_none());
    // The operator gives the deployment the app's name.
    let hpa = document("spinkube/hpa.yaml", "HorizontalPodAutoscaler");
    let keda = document("spinkube/keda.yaml", "ScaledObject");
    assert_eq!(hpa["spec"]["scaleTargetRef"]["kind"], "Deployment");
    for scaler in [&hpa, &keda] {
        assert_eq!(scaler["spec"]["scaleTargetRef"]["name"], app.metadata.name.as_str());
    }
    let bounds = |scaler: &Value, names: [&str; 2]| names.map(|name| scaler["spec"][name].as_u64());
    assert_eq!(bounds(&hpa, ["minReplicas", "maxReplicas"]), [Some(1), Some(10)]);
    assert_eq!(bounds(&keda, ["minReplicaCount", "maxReplicaCount"]), [Some(1), Some(10)]);
    assert_eq!(
        keda["spec"]["triggers"][1]["metadata"]["timezone"],
        orchestrator::catalogue::job::SCHEDULE_TIME_ZONE
    );
    for quantities in [app.spec.resources.requests, app.spec.resources.limits] {
        assert_eq!(quantities.keys().collect::<Vec<_>>(), ["cpu", "memory"], "utilization needs a request");
    }
}

#[test]
fn the_route_does_not_cut_off_a_run() {
    let route = document("spinkube/route.yaml", "HTTPRoute");
    let rule = &route["spec"]["rules"][0];
    assert_eq!(rule["backendRefs"][0]["name"], app().metadata.name.as_str());
    for name in ["request", "backendRequest"] {
        assert_eq!(seconds(&rule["timeouts"][name]), Some(limit("spinkube", "platform_timeout_seconds")));
    }
}

#[test]
fn the_audience_is_the_address_of_the_route() {
    let route = document("spinkube/route.yaml", "HTTPRoute");
    let host = route["spec"]["hostnames"][0].as_str().expect("a host name");
    let settings = document("spinkube/settings.yaml", "ConfigMap");
    assert_eq!(
        settings["data"]["oidc_audience"],
        format!("https://{host}"),
        "the URL given to Cloud Scheduler by --url"
    );
}

#[test]
fn kustomize_generates_the_file_that_spin_reads() {
    let all = document("spinkube/kustomization.yaml", "Kustomization");
    let generated = &all["secretGenerator"][0];
    // Spin would not start without it: the operator always passes /runtime-config.toml.
    assert_eq!(generated["name"], app().spec.runtime_config.load_from_secret.as_str());
    assert_eq!(generated["files"][0], "runtime-config.toml");
    assert_eq!(all["generatorOptions"]["disableNameSuffixHash"], true);
    for file in all["resources"].as_array().expect("resources") {
        assert!(!text(&format!("spinkube/{}", file.as_str().expect("a path"))).is_empty());
    }
    let config: toml::Table = text("spinkube/runtime-config.toml").parse().expect("TOML");
    assert_eq!(config["outbound_http"]["connection_pooling"].as_bool(), Some(true));
}
