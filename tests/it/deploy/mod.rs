//! The deploy files agree with the code, with each other and with `deploy/limits.json`.
//!
//! The tests need none of their tools (Docker, gcloud, Terraform, Kubernetes).

mod cloud_run;
mod container;
mod limits;
mod script;
mod settings;
mod spinkube;
mod terraform;

use serde_json::Value;

use crate::tidy::files::{read, root};

/// The text of a file below `deploy/`.
fn text(file: &str) -> String {
    read(&root().join("deploy").join(file))
}

/// The documents of a YAML file below `deploy/`.
fn yaml(file: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&text(file)).unwrap_or_else(|error| panic!("deploy/{file}: {error}"))
}

/// The one document of that kind in a YAML file below `deploy/`.
fn document(file: &str, kind: &str) -> Value {
    let found: Vec<_> = yaml(file).into_iter().filter(|document| document["kind"] == kind).collect();
    let [one] = &found[..] else { panic!("deploy/{file} has {} documents of kind {kind}", found.len()) };
    one.clone()
}

/// A limit of one platform.
fn limit(platform: &str, name: &str) -> u64 {
    let limits: Value = serde_json::from_str(&text("limits.json")).expect("limits.json is JSON");
    let limit = limits[platform][name].as_u64();
    limit.unwrap_or_else(|| panic!("deploy/limits.json has no {platform}.{name}"))
}

/// Seconds in the form `900s`.
fn seconds(value: &Value) -> Option<u64> {
    value.as_str()?.strip_suffix('s')?.parse().ok()
}
