//! The one table of settings; those of providers and their collections follow from the catalogue. `spin.toml` and the
//! README's reference are held to it by the tidy tests.

use std::sync::LazyLock;

use crate::catalogue::{self, Collection, Provider, ProviderSpec};

/// One setting: a Spin variable.
#[derive(Clone, Debug)]
pub struct Key {
    /// Spin variable name; locally `SPIN_VARIABLE_<NAME>`.
    pub name: &'static str,
    pub default: &'static str,
    /// Never printed, never stored.
    pub secret: bool,
    /// The plain environment name that development commands and the container accept too.
    pub env: Option<&'static str>,
    /// What it means, with unit and range.
    pub description: &'static str,
}

/// Every setting, in the order of the reference.
pub fn keys() -> &'static [Key] {
    static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| ROWS.iter().flat_map(Row::keys).collect());
    &KEYS
}

/// The setting of that name, if there is one.
pub fn find(name: &str) -> Option<&'static Key> {
    keys().iter().find(|key| key.name == name)
}

/// A row of the table: one setting, or one for each entry of the catalogue.
enum Row {
    One(Key),
    EachProvider(fn(&ProviderSpec) -> Key),
    EachCollection(fn(&Collection) -> Key),
}

impl Row {
    fn keys(&self) -> Vec<Key> {
        match self {
            Self::One(key) => vec![key.clone()],
            Self::EachProvider(key) => Provider::all().map(|provider| key(provider.spec())).to_vec(),
            Self::EachCollection(key) => catalogue::collections().into_iter().map(key).collect(),
        }
    }
}

const fn key(name: &'static str, default: &'static str, description: &'static str) -> Row {
    Row::One(Key { name, default, secret: false, env: None, description })
}

const fn env(name: &'static str, env: &'static str, default: &'static str, description: &'static str) -> Row {
    Row::One(Key { name, default, secret: false, env: Some(env), description })
}

const fn secret(name: &'static str, description: &'static str) -> Row {
    Row::One(Key { name, default: "", secret: true, env: None, description })
}

/// A setting whose texts follow from the catalogue. They are made once, for as long as the instance lives.
fn made(name: String, default: String, description: String) -> Key {
    Key {
        name: name.leak(),
        default: default.leak(),
        secret: false,
        env: None,
        description: description.leak(),
    }
}

fn service_url(provider: &ProviderSpec) -> Key {
    let description =
        format!("Address of the {} service: scheme://host[:port], without a path", provider.title);
    let key = made(format!("{}_service_url", provider.name), provider.service_url.to_owned(), description);
    Key { env: Some(key.name.to_uppercase().leak()), ..key }
}

fn batch_size(provider: &ProviderSpec) -> Key {
    let description = "Tickers in one call, 1 to 1000".to_owned();
    made(format!("batch_size_{}", provider.name), provider.batch_size.to_string(), description)
}

fn max_concurrency(provider: &ProviderSpec) -> Key {
    let description = "Calls to the provider at once, of all runs and instances together, 1 to 64".to_owned();
    made(format!("max_concurrency_{}", provider.name), provider.max_concurrency.to_string(), description)
}

fn collection(collection: &Collection) -> Key {
    let name = format!("collection_{}", collection.key);
    made(name, collection.default.to_owned(), format!("Collection of {}", collection.holds))
}

/// The table: one row a line.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    env("google_cloud_project", "GOOGLE_CLOUD_PROJECT", "", "Google Cloud project that owns the Firestore database (required)"),
    env("firestore_database", "FIRESTORE_DATABASE", "(default)", "Firestore database id"),
    env("firestore_emulator_host", "FIRESTORE_EMULATOR_HOST", "", "host:port of a Firestore emulator; empty means Google Cloud"),
    Row::EachProvider(service_url),
    env("log_level", "LOG_LEVEL", "info", "Least severity that is logged: error, warn, info, debug"),
    key("inbound_auth", "oidc", "Who proves the caller: oidc (this component), platform (Cloud Run IAM or another front), none (local only)"),
    key("scheduler_service_account", "", "E-mails of the service accounts that may call, comma separated; needed for inbound_auth = oidc"),
    key("oidc_audience", "", "Audiences that callers' ID tokens may have, comma separated: the one that Cloud Scheduler's jobs are told; needed for inbound_auth = oidc"),
    secret("operator_token", "Token with which people reach the service beside the scheduler; empty means none"),
    key("allow_unauthenticated", "false", "Allows inbound_auth = none without an emulator: true or false"),
    key("gcp_credentials", "auto", "As whom Firestore is called: auto (the first that is set of the following), emulator, access_token, service_account_key, metadata"),
    secret("gcp_access_token", "OAuth access token for Firestore, for gcp_credentials = access_token"),
    secret("gcp_service_account_key", "JSON key of a service account, for gcp_credentials = service_account_key"),
    key("provider_auth", "none", "As whom the providers are called: none, or id_token for each service's URL"),
    key("google_certs_url", "https://www.googleapis.com", "Address of Google's published keys: scheme://host[:port], without a path"),
    key("google_oauth_url", "https://oauth2.googleapis.com", "Address of Google's token endpoint: scheme://host[:port], without a path"),
    key("google_metadata_url", "http://metadata.google.internal", "Address of the metadata server: scheme://host[:port], without a path"),
    key("job_deadline_seconds", "840", "Time one request may work on a run before it hands the rest to the next, 5 to 3600"),
    key("lease_seconds", "60", "Time after which a silent owner of a run counts as dead, 5 to 600"),
    key("service_timeout_seconds", "300", "Longest wait for the whole answer of a provider call, 1 to 1800"),
    key("service_connect_timeout_ms", "5000", "Longest wait for a provider's connection, 100 to 60000"),
    key("firestore_timeout_seconds", "60", "Longest wait for the whole answer of a Firestore call, 1 to 300"),
    key("retry_max_attempts", "4", "Tries of one call in all, 1 to 10"),
    key("retry_base_ms", "500", "Bound of the first random wait before a retry; doubles with each, 1 to 60000"),
    key("retry_max_ms", "20000", "Bound that the random wait never exceeds, 1 to 300000"),
    Row::EachProvider(batch_size),
    Row::EachProvider(max_concurrency),
    key("limit_window_seconds", "60", "Time in which a provider's limit by the minute renews itself, where the provider does not say when to come again, 1 to 600; longer limits in proportion"),
    key("breaker_window", "20", "Latest calls of a run to an endpoint by which the provider is doubted, 1 to 1000"),
    key("breaker_min_calls", "10", "Calls below which the provider is never doubted, 1 to 1000"),
    key("breaker_failure_percent", "50", "Share of failed calls in the window that raises a doubt: then five single tickers that fail open the breaker, 1 to 100"),
    key("breaker_open_seconds", "60", "First time a breaker stays open; doubles with each failed probe, 1 to 3600"),
    key("breaker_open_max_seconds", "600", "Longest time a breaker stays open, 1 to 86400"),
    key("probe_interval_seconds", "300", "Shortest time between two looks at the health of one provider's service, by all instances together, 60 to 86400; a look costs it an upstream request"),
    key("firestore_ramp_writes_per_second", "500", "Writes a second at the start of a run against Google Cloud, 1 to 100000; the emulator is never slowed"),
    key("firestore_ramp_minutes", "5", "Minutes after which the writes a second grow by half, 1 to 60"),
    key("run_retention_days", "90", "Days until a run's ledger entry expires, 1 to 3650"),
    key("raw_log_retention_days", "90", "Days until a raw log expires, 1 to 3650"),
    key("alert_failure_percent", "50", "Share of a job's runs of the last 24 hours (of its latest 20 at most) that may fail before an alert fires, 1 to 100; `50, polygon-news-universe=80` sets one job apart"),
    key("alert_failure_runs_min", "3", "Fewer runs than this in 24 hours never fire that alert, 1 to 20"),
    key("alert_run_seconds", "600", "Duration of a job's latest run above which an alert fires, 1 to 86400; can be set apart for single jobs"),
    key("alert_overdue_minutes", "30", "Minutes after a scheduled time by which a run must have succeeded, 1 to 10080; can be set apart for single jobs"),
    key("cors_allow_origins", "", "Origins whose pages may call from a browser, comma separated"),
    key("collection_universe", "react_universeSymbols", "Collection of the watchlist"),
    key("collection_active", "react_activeSymbols", "Collection of the active positions"),
    Row::EachCollection(collection),
    key("collection_raw_logs", "api_usage_logs", "Collection of raw provider responses"),
    key("collection_rejected", "rejected_records", "Collection of records that break their schema"),
    key("collection_runs", "ingestion_runs", "Collection of the run ledger"),
    key("collection_breakers", "ingestion_breakers", "Collection of the breakers' shared state"),
    key("collection_statistics", "ingestion_statistics", "Collection of the statistics of each job"),
];
