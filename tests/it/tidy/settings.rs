//! spin.toml declares exactly the settings in the table of settings.

use std::collections::BTreeSet;
use std::fmt::Write;

use orchestrator::catalogue::Provider;
use orchestrator::config::keys::keys;
use toml::{Table, Value};

use super::files::{read, root};
use super::generated::{Marks, check};

fn manifest() -> Table {
    read(&root().join("spin.toml")).parse().expect("spin.toml is TOML")
}

fn table<'a>(table: &'a Table, path: &[&str]) -> &'a Table {
    path.iter().fold(table, |table, name| {
        table
            .get(*name)
            .and_then(Value::as_table)
            .unwrap_or_else(|| panic!("spin.toml has no [{}]", path.join(".")))
    })
}

#[test]
fn spin_toml_declares_exactly_the_settings_and_gives_the_component_each() {
    // One test for both: they update the same file.
    check("spin.toml", &Marks::toml("variables"), &declared());
    check("spin.toml", &Marks::toml("given"), &given());
    check("spin.toml", &Marks::toml("providers"), &addresses());
}

/// The rows of `allowed_outbound_hosts` that follow from the catalogue.
fn addresses() -> String {
    let row = |provider: Provider| format!("    \"{{{{ {}_service_url }}}}\",\n", provider.name());
    Provider::all().map(row).concat() + "    "
}

/// The rows of `[variables]`.
fn declared() -> String {
    keys().iter().fold(String::new(), |mut rows, key| {
        let secret = if key.secret { ", secret = true" } else { "" };
        let (default, description) = (quoted(key.default), quoted(key.description));
        let _ =
            writeln!(rows, "{} = {{ default = {default}{secret}, description = {description} }}", key.name);
        rows
    })
}

/// The rows of `[component.orchestrator.variables]`.
fn given() -> String {
    keys().iter().fold(String::new(), |mut rows, key| {
        let _ = writeln!(rows, "{0} = \"{{{{ {0} }}}}\"", key.name);
        rows
    })
}

/// A string in TOML syntax.
fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

#[test]
fn spin_toml_matches_the_table() {
    let manifest = manifest();
    let variables = table(&manifest, &["variables"]);
    for key in keys() {
        let variable = variables[key.name].as_table().expect("a table");
        let text = |name: &str| variable.get(name).and_then(Value::as_str);
        assert_eq!(text("default"), Some(key.default), "default of {}", key.name);
        assert_eq!(text("description"), Some(key.description), "description of {}", key.name);
        let secret = variable.get("secret").and_then(Value::as_bool).unwrap_or(false);
        assert_eq!(secret, key.secret, "secret of {}", key.name);
    }
}

#[test]
fn names_of_settings_are_unique_and_described() {
    let names: BTreeSet<_> = keys().iter().map(|key| key.name).collect();
    assert_eq!(names.len(), keys().len(), "a setting is in the table twice");
    for key in keys() {
        assert!(!key.description.is_empty(), "{} has no description", key.name);
        assert!(!key.description.ends_with('.'), "the description of {} ends with a full stop", key.name);
        assert!(!key.secret || key.default.is_empty(), "the secret {} has a default", key.name);
    }
}

#[test]
fn spin_toml_names_the_version_of_the_package() {
    let manifest = manifest();
    let version = table(&manifest, &["application"]).get("version").and_then(Value::as_str);
    assert_eq!(version, Some(env!("CARGO_PKG_VERSION")));
}

#[test]
fn the_component_may_call_the_parties_of_the_contract_and_no_other_host() {
    let manifest = manifest();
    let component = table(&manifest, &["component", "orchestrator"]);
    let hosts = component["allowed_outbound_hosts"].as_array().expect("a list");
    let hosts: Vec<_> = hosts.iter().filter_map(Value::as_str).collect();
    // Each follows from one setting; none has a `*`, a range of ports or addresses.
    let services = Provider::all().map(|provider| format!("{{{{ {}_service_url }}}}", provider.name()));
    let others = [
        "http://{{ firestore_emulator_host }}",
        "https://firestore.googleapis.com",
        "{{ google_certs_url }}",
        "{{ google_oauth_url }}",
        "{{ google_metadata_url }}",
        "{{ notify_webhook_origin }}",
        "{{ notify_slack_origin }}",
        "{{ notify_pagerduty_origin }}",
        "{{ heartbeat_origin }}",
    ];
    let expected: Vec<_> = services.iter().map(String::as_str).chain(others).collect();
    assert_eq!(hosts, expected);
}
