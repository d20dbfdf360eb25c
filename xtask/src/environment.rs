//! The plain environment names, for programs that only know Spin's.

use orchestrator::config::keys::{Key, keys};

/// The settings in the environment, by variable.
///
/// `SPIN_VARIABLE_<NAME>` takes precedence over the plain name; an empty plain name counts as not set.
pub fn settings(get: impl Fn(&str) -> Option<String>) -> Vec<(&'static str, String)> {
    let plain = |key: &Key| key.env.and_then(&get).filter(|value| !value.is_empty());
    let value = |key: &Key| get(&spin_name(key.name)).or_else(|| plain(key));
    keys().iter().filter_map(|key| Some((key.name, value(key)?))).collect()
}

/// The setting that admits local callers, if the environment does not configure authentication.
///
/// Only with a Firestore emulator: nothing real can be reached through such an instance.
pub fn local_authentication(get: impl Fn(&str) -> Option<String>) -> Option<(&'static str, String)> {
    let is_set = |name: &str| get(name).is_some_and(|value| !value.is_empty());
    let emulator = is_set("FIRESTORE_EMULATOR_HOST") || is_set(&spin_name("firestore_emulator_host"));
    let is_configured = get(&spin_name("inbound_auth")).is_some();
    (emulator && !is_configured).then(|| ("inbound_auth", "none".to_owned()))
}

/// The environment variable from which Spin reads a variable.
pub fn spin_name(variable: &str) -> String {
    format!("SPIN_VARIABLE_{}", variable.to_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(environment: &[(&str, &str)], expect: &[(&str, &str)]) {
        let get = |name: &str| environment.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        let settings = settings(get);
        let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(settings, expect);
    }

    #[test]
    fn plain_names_are_settings() {
        check(
            &[("FIRESTORE_EMULATOR_HOST", "localhost:8080"), ("LOG_LEVEL", "debug"), ("HOME", "x")],
            &[("firestore_emulator_host", "localhost:8080"), ("log_level", "debug")],
        );
    }

    #[test]
    fn spins_own_name_takes_precedence_and_an_empty_plain_name_is_not_set() {
        check(&[("LOG_LEVEL", "debug"), ("SPIN_VARIABLE_LOG_LEVEL", "warn")], &[("log_level", "warn")]);
        check(&[("TIINGO_SERVICE_URL", "")], &[]);
        check(&[("SPIN_VARIABLE_FIRESTORE_EMULATOR_HOST", "")], &[("firestore_emulator_host", "")]);
    }

    #[test]
    fn callers_are_admitted_only_with_an_emulator_and_unless_configured_otherwise() {
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
