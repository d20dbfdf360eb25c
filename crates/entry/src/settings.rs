//! From plain environment names to Spin's.

/// The names that count without Spin's prefix. A test checks them against the component's table of settings.
pub const PLAIN_NAMES: &[&str] = &[
    "GOOGLE_CLOUD_PROJECT",
    "FIRESTORE_DATABASE",
    "FIRESTORE_EMULATOR_HOST",
    // providers:start
    "TIINGO_SERVICE_URL",
    "FINNHUB_SERVICE_URL",
    "POLYGON_SERVICE_URL",
    "ALPHAVANTAGE_SERVICE_URL",
    // providers:end
    "LOG_LEVEL",
];

const PREFIX: &str = "SPIN_VARIABLE_";

/// The settings to pass to Spin in addition to its own names.
///
/// Spin's own name takes precedence over the plain one; an empty value counts as not set.
pub fn settings(get: impl Fn(&str) -> Option<String>) -> Vec<(String, String)> {
    let plain = |name: &str| get(name).filter(|value| !value.is_empty());
    let setting = |name: &&str| {
        let spin_name = format!("{PREFIX}{name}");
        let value = if get(&spin_name).is_some() { None } else { plain(name) };
        Some((spin_name, value?))
    };
    PLAIN_NAMES.iter().filter_map(setting).collect()
}

/// The setting that lets callers in without a token, if the environment does not say who may call.
///
/// Only if a Firestore emulator is set: nothing real can be reached through such an instance.
pub fn local_authentication(get: impl Fn(&str) -> Option<String>) -> Option<(String, String)> {
    let is_set = |name: &str| get(name).is_some_and(|value| !value.is_empty());
    let emulator = is_set("FIRESTORE_EMULATOR_HOST") || is_set(&format!("{PREFIX}FIRESTORE_EMULATOR_HOST"));
    let inbound_auth = format!("{PREFIX}INBOUND_AUTH");
    let is_configured = get(&inbound_auth).is_some();
    (emulator && !is_configured).then(|| (inbound_auth, "none".to_owned()))
}

#[cfg(test)]
mod tests {
    use orchestrator::config::keys::keys;

    use super::*;

    #[test]
    fn the_plain_names_are_those_of_the_table_of_settings() {
        let names: Vec<_> = keys().iter().filter_map(|key| key.env).collect();
        let mut ours = PLAIN_NAMES.to_vec();
        let mut theirs = names.clone();
        ours.sort_unstable();
        theirs.sort_unstable();
        assert_eq!(ours, theirs);
        // Otherwise the prefix alone would not turn it into Spin's name.
        assert!(keys().iter().all(|key| key.env.is_none_or(|env| env.eq_ignore_ascii_case(key.name))));
    }

    #[test]
    fn spins_own_name_takes_precedence_and_an_empty_plain_name_is_not_set() {
        let of = |environment: &[(&str, &str)]| {
            settings(|name| environment.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
        };
        assert_eq!(of(&[("LOG_LEVEL", "debug")]), [("SPIN_VARIABLE_LOG_LEVEL".into(), "debug".into())]);
        assert_eq!(of(&[("LOG_LEVEL", "debug"), ("SPIN_VARIABLE_LOG_LEVEL", "warn")]), []);
        assert_eq!(of(&[("TIINGO_SERVICE_URL", "")]), []);
    }
}
