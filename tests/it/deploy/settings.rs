//! The settings of each deployment are a valid configuration.

use std::collections::BTreeMap;

use orchestrator::auth::settings::InboundAuth;
use orchestrator::catalogue::Provider;
use orchestrator::config::keys::keys;
use orchestrator::settings::Config;

/// Settings by variable.
pub type Settings = BTreeMap<String, String>;

/// Reads settings from environment names, both plain and Spin's; ignores others, such as `PORT`.
pub fn from_environment(environment: &BTreeMap<String, String>) -> Settings {
    let setting = |(name, value): (&String, &String)| {
        let key = match name.strip_prefix("SPIN_VARIABLE_") {
            Some(variable) => keys().iter().find(|key| key.name.eq_ignore_ascii_case(variable)),
            None => keys().iter().find(|key| key.env == Some(name)),
        };
        let unknown = name.starts_with("SPIN_VARIABLE_") && key.is_none();
        assert!(!unknown, "unknown setting {name}");
        Some((key?.name.to_owned(), value.clone()))
    };
    environment.iter().filter_map(setting).collect()
}

/// Parses the settings; fails with all mistakes.
pub fn parse(settings: &Settings) -> Config {
    for name in settings.keys() {
        assert!(keys().iter().any(|key| key.name == name), "unknown setting {name}");
    }
    Config::parse(|name| settings.get(name).cloned()).unwrap_or_else(|error| panic!("{error}"))
}

/// Checks production settings: callers are authenticated, and the limits are those of the platform.
pub fn check_production(settings: &Settings, platform: &str) {
    let config = parse(settings);
    assert_ne!(config.auth.inbound, InboundAuth::None, "{platform}: callers are not authenticated");
    assert!(config.firestore.ramp.is_some(), "{platform}: an emulator is set");
    let limit = |name: &str| super::limit(platform, name);
    assert_eq!(config.run.deadline.as_secs(), limit("job_deadline_seconds"), "{platform}");
    assert_eq!(config.run.lease.as_secs(), limit("lease_seconds"), "{platform}");
    assert_eq!(config.call.timeout.as_secs(), limit("service_timeout_seconds"), "{platform}");
}

#[test]
fn akamais_settings_are_valid_and_have_its_limits() {
    let lines = super::text("akamai/variables.env");
    let rows = lines.lines().filter(|line| !line.starts_with('#')).map(|line| line.split_once('='));
    let row = |row: Option<(&str, &str)>| {
        let (name, value) = row.expect("name=value");
        (name.to_owned(), value.to_owned())
    };
    let mut settings: Settings = rows.map(row).collect();
    // What docs/deploy.md passes on the command line, with a token instead of a key file.
    for (name, value) in [
        ("google_cloud_project", "p"),
        ("scheduler_service_account", "s@p.iam.gserviceaccount.com"),
        ("oidc_audience", "https://orchestrator.p.internal"),
        ("gcp_credentials", "access_token"),
        ("gcp_access_token", "token"),
    ] {
        settings.insert(name.to_owned(), value.to_owned());
    }
    check_production(&settings, "akamai");
}

#[test]
fn local_development_needs_only_the_runtime_configuration() {
    let text = crate::tidy::files::read(&crate::tidy::files::root().join("runtime-config.toml"));
    let file: toml::Table = text.parse().expect("runtime-config.toml is TOML");
    let providers = file["variables_provider"].as_array().expect("an array of tables");
    let kinds: Vec<_> = providers.iter().map(|provider| provider["type"].as_str()).collect();
    assert_eq!(
        kinds,
        [Some("env"), Some("static")],
        "Spin asks the environment last unless it is named first"
    );
    let values = providers[1]["values"].as_table().expect("values");
    let value =
        |(name, value): (&String, &toml::Value)| (name.clone(), value.as_str().expect("a string").to_owned());
    let config = parse(&values.iter().map(value).collect());
    assert_eq!(config.firestore.endpoint, "http://localhost:8080/v1");
    let services = Provider::all().map(|provider| config.provider(provider).base_url.clone());
    assert_eq!(services, Provider::all().map(|provider| provider.spec().service_url));
    assert_eq!(file["outbound_http"]["connection_pooling"].as_bool(), Some(true));
}
