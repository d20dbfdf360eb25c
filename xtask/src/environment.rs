//! The plain environment names of the mission, for programs that know Spin's only.

use orchestrator::config::keys::KEYS;

/// The environment variables to add so that Spin variables follow the plain names.
///
/// `SPIN_VARIABLE_<NAME>` wins where both are set; a plain name set to nothing counts as not set.
pub fn spin_variables(get: impl Fn(&str) -> Option<String>) -> Vec<(String, String)> {
    let mut translated = Vec::new();
    for key in KEYS {
        let Some(plain) = key.env else { continue };
        let spin = spin_name(key.name);
        if get(&spin).is_some() {
            continue;
        }
        if let Some(value) = get(plain).filter(|value| !value.is_empty()) {
            translated.push((spin, value));
        }
    }
    translated
}

/// The setting that lets local callers in, where the environment does not say who may call.
///
/// Only where a Firestore emulator is set: nothing real can be reached through such an instance.
pub fn local_authentication(get: impl Fn(&str) -> Option<String>) -> Option<(String, String)> {
    let is_set = |name: &str| get(name).is_some_and(|value| !value.is_empty());
    let emulator = is_set("FIRESTORE_EMULATOR_HOST") || is_set(&spin_name("firestore_emulator_host"));
    let name = spin_name("inbound_auth");
    (emulator && get(&name).is_none()).then(|| (name, "none".to_owned()))
}

/// Where Spin looks for a variable in the environment.
pub fn spin_name(variable: &str) -> String {
    format!("SPIN_VARIABLE_{}", variable.to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(environment: &[(&str, &str)], expect: &[(&str, &str)]) {
        let get = |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        let translated = spin_variables(get);
        let translated: Vec<_> = translated.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(translated, expect);
    }

    #[test]
    fn plain_names_become_spin_variables() {
        check(
            &[("FIRESTORE_EMULATOR_HOST", "localhost:8080"), ("LOG_LEVEL", "debug"), ("HOME", "x")],
            &[
                ("SPIN_VARIABLE_FIRESTORE_EMULATOR_HOST", "localhost:8080"),
                ("SPIN_VARIABLE_LOG_LEVEL", "debug"),
            ],
        );
    }

    #[test]
    fn spins_own_name_wins_and_an_empty_value_is_none() {
        check(&[("LOG_LEVEL", "debug"), ("SPIN_VARIABLE_LOG_LEVEL", "warn")], &[]);
        check(&[("TIINGO_SERVICE_URL", "")], &[]);
    }

    #[test]
    fn callers_are_let_in_only_beside_an_emulator_and_unless_told_otherwise() {
        let local = |environment: &[(&str, &str)]| {
            let get = |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
            local_authentication(get).map(|(_, value)| value)
        };
        let emulator = ("FIRESTORE_EMULATOR_HOST", "localhost:8080");
        assert_eq!(local(&[emulator]).as_deref(), Some("none"));
        assert_eq!(
            local(&[("SPIN_VARIABLE_FIRESTORE_EMULATOR_HOST", "localhost:8080")]).as_deref(),
            Some("none")
        );
        assert_eq!(local(&[]), None);
        assert_eq!(local(&[emulator, ("SPIN_VARIABLE_INBOUND_AUTH", "oidc")]), None);
    }
}
