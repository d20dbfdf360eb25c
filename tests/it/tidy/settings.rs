//! spin.toml declares exactly the settings of the one table.

use std::collections::BTreeSet;

use orchestrator::config::keys::KEYS;
use toml::{Table, Value};

use super::files::{read, root};

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
fn spin_toml_declares_exactly_the_settings() {
    let manifest = manifest();
    let variables = table(&manifest, &["variables"]);
    let declared: BTreeSet<_> = variables.keys().map(String::as_str).collect();
    let known: BTreeSet<_> = KEYS.iter().map(|key| key.name).collect();
    assert_eq!(declared, known, "spin.toml [variables] and config::keys::KEYS differ");
    for key in KEYS {
        let variable = variables[key.name].as_table().expect("a table");
        let default = variable.get("default").and_then(Value::as_str);
        assert_eq!(default, Some(key.default), "default of {}", key.name);
        let secret = variable.get("secret").and_then(Value::as_bool).unwrap_or(false);
        assert_eq!(secret, key.secret, "secret of {}", key.name);
    }
}

#[test]
fn the_component_is_given_every_setting() {
    let manifest = manifest();
    let given = table(&manifest, &["component", "orchestrator", "variables"]);
    let expected: Table = KEYS
        .iter()
        .map(|key| (key.name.to_owned(), Value::String(format!("{{{{ {} }}}}", key.name))))
        .collect();
    assert_eq!(given, &expected, "spin.toml [component.orchestrator.variables]");
}

#[test]
fn names_of_settings_are_unique_and_described() {
    let names: BTreeSet<_> = KEYS.iter().map(|key| key.name).collect();
    assert_eq!(names.len(), KEYS.len(), "a setting stands in the table twice");
    for key in KEYS {
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
