//! The one table of settings; those of providers and their collections follow from the catalogue. The tidy tests check
//! `spin.toml` and the reference of settings against it.

use std::ops::RangeInclusive;
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
    /// The plain environment name that development commands and the container also accept.
    pub env: Option<&'static str>,
    /// The numbers that it may have; none where it is not a number.
    pub range: Option<RangeInclusive<u64>>,
    /// What it means, with unit and range.
    pub description: &'static str,
}

/// Every setting, in the order of the reference.
pub fn keys() -> &'static [Key] {
    static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| ROWS.iter().flat_map(Row::keys).collect());
    &KEYS
}

/// The setting with that name, if any.
pub fn find(name: &str) -> Option<&'static Key> {
    keys().iter().find(|key| key.name == name)
}

/// A row of the table: one setting, or one for each entry of the catalogue.
enum Row {
    One(Key),
    /// A number, with `{range}` in its description.
    Number(Key),
    EachProvider(fn(&ProviderSpec) -> Key),
    EachCollection(fn(&Collection) -> Key),
}

impl Row {
    fn keys(&self) -> Vec<Key> {
        match self {
            Self::One(key) => vec![key.clone()],
            Self::Number(key) => vec![with_range(key.clone())],
            Self::EachProvider(key) => Provider::all().map(|provider| key(provider.spec())).to_vec(),
            Self::EachCollection(key) => catalogue::collections().into_iter().map(key).collect(),
        }
    }
}

const fn key(name: &'static str, default: &'static str, description: &'static str) -> Row {
    Row::One(Key { name, default, secret: false, env: None, range: None, description })
}

const fn env(name: &'static str, env: &'static str, default: &'static str, description: &'static str) -> Row {
    Row::One(Key { name, default, secret: false, env: Some(env), range: None, description })
}

const fn secret(name: &'static str, description: &'static str) -> Row {
    Row::One(Key { name, default: "", secret: true, env: None, range: None, description })
}

const fn number(
    name: &'static str,
    default: &'static str,
    range: RangeInclusive<u64>,
    description: &'static str,
) -> Row {
    Row::Number(Key { name, default, secret: false, env: None, range: Some(range), description })
}

/// Writes the range into the description.
fn with_range(key: Key) -> Key {
    let Some(range) = &key.range else { return key };
    let range = format!("{} to {}", range.start(), range.end());
    Key { description: key.description.replace("{range}", &range).leak(), ..key }
}

/// A setting whose texts follow from the catalogue. They are made once per instance.
fn made(name: String, default: String, description: String) -> Key {
    Key {
        name: name.leak(),
        default: default.leak(),
        secret: false,
        env: None,
        range: None,
        description: description.leak(),
    }
}

fn service_url(provider: &ProviderSpec) -> Key {
    let description =
        format!("Base URL of the {} service: scheme://host[:port], without a path", provider.title);
    let key = made(format!("{}_service_url", provider.name), provider.service_url.to_owned(), description);
    Key { env: Some(key.name.to_uppercase().leak()), ..key }
}

fn batch_size(provider: &ProviderSpec) -> Key {
    let description = "Tickers per call, {range}".to_owned();
    let key = made(format!("batch_size_{}", provider.name), provider.batch_size.to_string(), description);
    with_range(Key { range: Some(1..=1000), ..key })
}

fn max_concurrency(provider: &ProviderSpec) -> Key {
    let description = "Concurrent calls to the provider, across all runs and instances, {range}".to_owned();
    let name = format!("max_concurrency_{}", provider.name);
    let key = made(name, provider.max_concurrency.to_string(), description);
    with_range(Key { range: Some(1..=64), ..key })
}

fn collection(collection: &Collection) -> Key {
    let name = format!("collection_{}", collection.key);
    made(name, collection.default.to_owned(), format!("Collection of {}", collection.holds))
}

/// The table: one row per line.
#[rustfmt::skip]
const ROWS: &[Row] = &[
    env("google_cloud_project", "GOOGLE_CLOUD_PROJECT", "", "Google Cloud project that owns the Firestore database (required)"),
    env("firestore_database", "FIRESTORE_DATABASE", "(default)", "Firestore database ID"),
    env("firestore_emulator_host", "FIRESTORE_EMULATOR_HOST", "", "host:port of a Firestore emulator; empty means Google Cloud"),
    Row::EachProvider(service_url),
    env("log_level", "LOG_LEVEL", "info", "Minimum severity to log: error, warn, info, debug"),
    key("inbound_auth", "oidc", "Who authenticates callers: oidc (this component), platform (Cloud Run IAM or another proxy in front), none (nobody; local only)"),
    key("scheduler_service_account", "", "Email addresses of the service accounts that may call, comma-separated; required for inbound_auth = oidc"),
    key("oidc_audience", "", "Accepted audiences of callers' ID tokens, comma-separated: the one configured in the Cloud Scheduler jobs; required for inbound_auth = oidc"),
    secret("operator_token", "Token that operators call the service with, at least 16 characters; empty means that only the service accounts may call"),
    key("allow_unauthenticated", "false", "Whether to allow inbound_auth = none without an emulator: true or false"),
    key("gcp_credentials", "auto", "Credentials used for Firestore: auto (the first of the following that is set), emulator, access_token, service_account_key, metadata"),
    secret("gcp_access_token", "OAuth access token for Firestore, for gcp_credentials = access_token"),
    secret("gcp_service_account_key", "JSON key of a service account, for gcp_credentials = service_account_key"),
    key("provider_auth", "none", "Credentials used for the provider services: none, or id_token (an ID token for each service's URL)"),
    key("google_certs_url", "https://www.googleapis.com", "Base URL of Google's public keys: scheme://host[:port], without a path"),
    key("google_oauth_url", "https://oauth2.googleapis.com", "Base URL of Google's token endpoint: scheme://host[:port], without a path"),
    key("google_metadata_url", "http://metadata.google.internal", "Base URL of the metadata server: scheme://host[:port], without a path"),
    number("job_deadline_seconds", "840", 5..=3600, "How long one request may work on a run before the next request continues it, {range}"),
    number("not_published_percent", "50", 1..=100, "Share of empty and stale tickers, in percent, at which a scheduled run takes the data for not published yet and waits, {range}"),
    number("publish_retry_seconds", "900", 1..=3_600, "How long a run waits before it requests data again that was not published, {range}"),
    number("heal_sessions", "5", 0..=60, "How many past sessions the watch fills by itself where records are missing, {range}; 0 means none"),
    number("refetch_history_sessions", "252", 0..=2_520, "How many sessions of a ticker are requested again after a split or dividend, because its adjusted prices have changed, {range}; 0 means none"),
    number("publish_patience_minutes", "240", 0..=1_440, "How long after its scheduled time a run waits for data that is not published, {range}; 0 means not at all"),
    number("lease_seconds", "60", 5..=600, "How long a run's owner may be silent before another request may take over the run, {range}"),
    number("service_timeout_seconds", "300", 1..=1800, "Timeout of a provider call, up to the end of the response, {range}"),
    number("service_connect_timeout_ms", "5000", 100..=60_000, "Timeout for connecting to a provider, {range}"),
    number("firestore_timeout_seconds", "60", 1..=300, "Timeout of a Firestore call, up to the end of the response, {range}"),
    number("retry_max_attempts", "4", 1..=10, "Maximum attempts per call, including the first, {range}"),
    number("retry_base_ms", "500", 1..=60_000, "Upper limit of the first retry delay, in milliseconds, {range}; doubles with each retry"),
    number("retry_max_ms", "20000", 1..=300_000, "Upper limit of every retry delay, in milliseconds, {range}"),
    Row::EachProvider(batch_size),
    Row::EachProvider(max_concurrency),
    number("limit_window_seconds", "60", 1..=600, "How long a provider's per-minute limit takes to reset, if the provider does not say when to retry, {range}; longer limits scale in proportion"),
    number("breaker_window", "20", 1..=1000, "Number of a run's latest calls to an endpoint over which the failure rate is measured, {range}"),
    number("breaker_min_calls", "10", 1..=1000, "Minimum number of calls before the failure rate counts, {range}"),
    number("breaker_failure_percent", "50", 1..=100, "Failure rate, in percent, at which tickers are requested one at a time, {range}; if five of them fail, the breaker opens"),
    number("breaker_open_seconds", "60", 1..=3600, "How long a breaker stays open at first, {range}; doubles with each failed probe"),
    number("breaker_open_max_seconds", "600", 1..=86_400, "Longest time a breaker stays open, {range}"),
    number("probe_interval_seconds", "300", 60..=86_400, "Minimum time between two health probes of one provider's service, across all instances, {range}; each probe costs an upstream request"),
    number("firestore_ramp_writes_per_second", "500", 1..=100_000, "Writes per second at the start of a run against Google Cloud, {range}; the emulator is never throttled"),
    number("firestore_ramp_minutes", "5", 1..=60, "Minutes after which the write rate may grow by half, {range}"),
    number("run_retention_days", "90", 1..=3650, "Days until a run's ledger entry expires, {range}"),
    number("raw_log_retention_days", "90", 1..=3650, "Days until a raw log expires, {range}"),
    number("alert_failure_percent", "50", 1..=100, "Percentage of a job's runs in the last 24 hours (the latest 20 at most) that may fail before an alert fires, {range}; `50, polygon-news-universe=80` sets another value for one job"),
    number("alert_failure_runs_min", "3", 1..=20, "Minimum number of runs in the last 24 hours for the failure alert to fire, {range}"),
    number("alert_run_seconds", "600", 1..=86_400, "Duration of a job's latest run above which an alert fires, {range}; can be set per job"),
    number("alert_overdue_minutes", "30", 1..=10_080, "Minutes after its scheduled time within which a run must succeed, {range}; can be set per job"),
    key("closed_days", "skip", "What to do with the scheduler's ticks of jobs that follow sessions (prices, quotes, indicators) while the market is closed: skip or run"),
    number("alert_flagged_percent", "5", 1..=100, "Percentage of the records that a job took in during the last 24 hours that may be doubtful before an alert fires, {range}; 100 means that it never fires; can be set per job"),
    number("alert_restated_percent", "100, tiingo-daily-prices=5", 1..=100, "Percentage of the records that a job took in during the last 24 hours that may say something else than before until an alert fires, {range}; 100 means that it never fires; can be set per job"),
    key("calendar_overrides", "", "Days on which the exchange departs from its usual calendar, comma-separated: `2027-01-08=closed, 2026-12-31=13:00` (closes early), `2027-01-15=open` (a whole session)"),
    number("alert_coverage_percent", "99", 1..=100, "Share of the tickers of a dataset's last final session that must be stored, in percent, {range}; below it, an alert fires"),
    secret("notify_webhook", "Address that alerts are sent to as CloudEvents; empty means none"),
    key("notify_webhook_origin", "", "Origin of notify_webhook, scheme://host[:port]: the component may call no other"),
    secret("notify_slack", "Address of a Slack incoming webhook that alerts are sent to; empty means none"),
    key("notify_slack_origin", "https://hooks.slack.com", "Origin of notify_slack, scheme://host[:port]"),
    secret("notify_pagerduty", "Routing key of a PagerDuty integration (Events API v2) that alerts are sent to; empty means none"),
    key("notify_pagerduty_origin", "https://events.pagerduty.com", "Where PagerDuty takes events, scheme://host[:port]"),
    secret("heartbeat_url", "Address that each successful watch calls, so that a monitor outside notices when it stops; empty means none"),
    key("heartbeat_origin", "", "Origin of heartbeat_url, scheme://host[:port]"),
    key("dashboard_url", "", "Address at which people open the dashboard, for links in notifications"),
    key("cors_allow_origins", "", "Origins whose pages may call from a browser, comma-separated"),
    key("collection_universe", "react_universeSymbols", "Collection of the watchlist"),
    key("collection_active", "react_activeSymbols", "Collection of the active positions"),
    Row::EachCollection(collection),
    key("collection_raw_logs", "api_usage_logs", "Collection of raw provider responses"),
    key("collection_rejected", "rejected_records", "Collection of records that violate their schema"),
    key("collection_runs", "ingestion_runs", "Collection of the run ledger"),
    key("collection_breakers", "ingestion_breakers", "Collection of the shared circuit breaker state"),
    key("collection_statistics", "ingestion_statistics", "Collection of per-job statistics"),
    key("collection_coverage", "ingestion_coverage", "Collection of the coverage: which data there is for which day"),
    key("collection_alerts", "ingestion_alerts", "Collection of the alerts that were told, and to whom"),
    key("collection_orders", "ingestion_orders", "Collection of the orders: what people have told the service to do, and why"),
    key("collection_pauses", "ingestion_pauses", "Collection of the pauses of jobs"),
    key("collection_revisions", "record_revisions", "Collection of what records were before they changed"),
];
