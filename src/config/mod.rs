//! Settings: read as text once, then typed.
//!
//! [`Config::parse`] takes every value of [`keys::KEYS`] and either gives the whole typed
//! configuration or every mistake at once. Each part of the system gets its own small piece.

pub mod keys;
mod read;

use std::fmt;
use std::time::Duration;

use url::Url;

use crate::job::Provider;
use crate::resilience::backoff::Backoff;
use crate::resilience::breaker::BreakerConfig;
use read::Reader;

/// A value that must never be shown: it prints as `[redacted]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// Everything that can be set.
#[derive(Debug)]
pub struct Config {
    pub log_level: tracing::Level,
    pub inbound_auth: InboundAuth,
    pub cors_allow_origins: Vec<http::HeaderValue>,
    pub firestore: FirestoreConfig,
    pub collections: Collections,
    pub providers: [ProviderConfig; 4],
    pub call: CallConfig,
    pub breaker: BreakerConfig,
    pub run: RunConfig,
}

/// Who proves the caller of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InboundAuth {
    /// This component verifies Google's ID token.
    Oidc,
    /// A platform in front has done so.
    Platform,
    /// Nobody: local use.
    None,
}

/// Where Firestore is and how it is reached.
#[derive(Clone, Debug)]
pub struct FirestoreConfig {
    /// `https://HOST/v1`, without a slash at the end.
    pub endpoint: String,
    /// `projects/{project}/databases/{database}`.
    pub database: String,
    pub credentials: Credentials,
    pub timeout: Duration,
    /// Writes a second; none against the emulator.
    pub ramp: Option<RampConfig>,
}

/// As whom Firestore is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// The emulator's `Bearer owner`.
    Emulator,
    AccessToken(Secret),
}

/// How fast writes may grow against the cloud (Firestore's 500/50/5 rule).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RampConfig {
    pub writes_per_second: u32,
    pub step: Duration,
}

/// The names of all collections.
#[derive(Clone, Debug)]
pub struct Collections {
    pub universe: String,
    pub active: String,
    pub prices_daily: String,
    pub prices_intraday: String,
    pub news: String,
    pub fundamentals: String,
    pub earnings: String,
    pub indicators: String,
    pub raw_logs: String,
    pub rejected: String,
    pub runs: String,
    pub breakers: String,
    pub statistics: String,
}

/// One provider's service.
#[derive(Clone, Debug)]
pub struct ProviderConfig {
    /// Without a slash at the end.
    pub base_url: String,
    pub batch_size: usize,
    pub max_concurrency: usize,
}

/// The bounds of one provider call.
#[derive(Clone, Copy, Debug)]
pub struct CallConfig {
    pub connect_timeout: Duration,
    pub timeout: Duration,
    pub max_attempts: u32,
    pub backoff: Backoff,
}

/// The bounds of one run.
#[derive(Clone, Copy, Debug)]
pub struct RunConfig {
    pub deadline: Duration,
    pub lease: Duration,
    pub retention: chrono::TimeDelta,
    pub raw_log_retention: chrono::TimeDelta,
}

/// Every mistake of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<String>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid configuration: {}", self.0.join("; "))
    }
}

impl std::error::Error for ConfigErrors {}

impl Config {
    /// Reads all settings; `lookup` gives the text of a variable, or none where it is unset.
    pub fn parse(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigErrors> {
        let mut reader = Reader::new(&lookup);
        let config = Self::read(&mut reader);
        match (config, reader.finish()) {
            (Some(config), errors) if errors.is_empty() => Ok(config),
            (_, errors) => Err(ConfigErrors(errors)),
        }
    }

    pub fn provider(&self, provider: Provider) -> &ProviderConfig {
        let [tiingo, finnhub, polygon, alphavantage] = &self.providers;
        match provider {
            Provider::Tiingo => tiingo,
            Provider::Finnhub => finnhub,
            Provider::Polygon => polygon,
            Provider::AlphaVantage => alphavantage,
        }
    }

    /// Reads every part before it gives up, so that all mistakes are told together.
    fn read(r: &mut Reader<'_>) -> Option<Self> {
        let log_level = r.choice(
            "log_level",
            &[
                ("error", tracing::Level::ERROR),
                ("warn", tracing::Level::WARN),
                ("warning", tracing::Level::WARN),
                ("info", tracing::Level::INFO),
                ("debug", tracing::Level::DEBUG),
            ],
        );
        let inbound_auth = r.choice(
            "inbound_auth",
            &[("oidc", InboundAuth::Oidc), ("platform", InboundAuth::Platform), ("none", InboundAuth::None)],
        );
        let allowed = r.choice("allow_unauthenticated", &[("true", true), ("false", false)]);
        let emulator = !r.text("firestore_emulator_host").is_empty();
        if inbound_auth == Some(InboundAuth::None) && !emulator && allowed == Some(false) {
            r.error::<()>(
                "inbound_auth",
                "`none` needs firestore_emulator_host or allow_unauthenticated = true",
            );
        }
        let cors_allow_origins = r.origins("cors_allow_origins");
        let firestore = Self::read_firestore(r);
        let collections = Self::read_collections(r);
        let providers = Provider::ALL.map(|provider| Self::read_provider(r, provider));
        let call = Self::read_call(r);
        let breaker = Self::read_breaker(r);
        let run = Self::read_run(r);
        let [Some(tiingo), Some(finnhub), Some(polygon), Some(alphavantage)] = providers else { return None };
        Some(Self {
            log_level: log_level?,
            inbound_auth: inbound_auth?,
            cors_allow_origins: cors_allow_origins?,
            firestore: firestore?,
            collections: collections?,
            providers: [tiingo, finnhub, polygon, alphavantage],
            call: call?,
            breaker: breaker?,
            run: run?,
        })
    }

    fn read_firestore(r: &mut Reader<'_>) -> Option<FirestoreConfig> {
        let project = r.path_segment("google_cloud_project");
        let database = r.path_segment("firestore_database");
        let emulator = r.text("firestore_emulator_host");
        let endpoint = if emulator.is_empty() {
            Some("https://firestore.googleapis.com/v1".to_owned())
        } else {
            r.authority("firestore_emulator_host").map(|host| format!("http://{host}/v1"))
        };
        let credentials = Self::read_credentials(r, !emulator.is_empty());
        let timeout = r.seconds("firestore_timeout_seconds", 1..=300);
        let writes_per_second = r.integer("firestore_ramp_writes_per_second", 1..=100_000);
        let step_minutes = r.integer("firestore_ramp_minutes", 1..=60);
        let ramp = RampConfig {
            writes_per_second: u32::try_from(writes_per_second?).ok()?,
            step: Duration::from_secs(60 * step_minutes?),
        };
        Some(FirestoreConfig {
            endpoint: endpoint?,
            database: format!("projects/{}/databases/{}", project?, database?),
            credentials: credentials?,
            timeout: timeout?,
            ramp: emulator.is_empty().then_some(ramp),
        })
    }

    fn read_credentials(r: &mut Reader<'_>, emulator: bool) -> Option<Credentials> {
        let token = r.text("gcp_access_token");
        let mode = r.choice(
            "gcp_credentials",
            &[("auto", "auto"), ("emulator", "emulator"), ("access_token", "access_token")],
        )?;
        match mode {
            "emulator" | "auto" if emulator => Some(Credentials::Emulator),
            "emulator" => r.error("gcp_credentials", "`emulator` needs firestore_emulator_host"),
            _ if token.is_empty() => {
                r.error("gcp_access_token", "is empty: Firestore cannot be called without it")
            }
            _ if token.chars().any(|c| !c.is_ascii_graphic()) => {
                r.error("gcp_access_token", "has characters that a header cannot carry")
            }
            _ => Some(Credentials::AccessToken(Secret::new(token))),
        }
    }

    fn read_collections(r: &mut Reader<'_>) -> Option<Collections> {
        let names = [
            "universe",
            "active",
            "prices_daily",
            "prices_intraday",
            "news",
            "fundamentals",
            "earnings",
            "indicators",
            "raw_logs",
            "rejected",
            "runs",
            "breakers",
            "statistics",
        ]
        .map(|name| r.path_segment(&format!("collection_{name}")));
        let [
            universe,
            active,
            prices_daily,
            prices_intraday,
            news,
            fundamentals,
            earnings,
            indicators,
            raw_logs,
            rejected,
            runs,
            breakers,
            statistics,
        ] = names;
        Some(Collections {
            universe: universe?,
            active: active?,
            prices_daily: prices_daily?,
            prices_intraday: prices_intraday?,
            news: news?,
            fundamentals: fundamentals?,
            earnings: earnings?,
            indicators: indicators?,
            raw_logs: raw_logs?,
            rejected: rejected?,
            runs: runs?,
            breakers: breakers?,
            statistics: statistics?,
        })
    }

    fn read_provider(r: &mut Reader<'_>, provider: Provider) -> Option<ProviderConfig> {
        let base_url = r.base_url(&format!("{}_service_url", provider.name()));
        let batch_size = r.integer(&format!("batch_size_{}", provider.name()), 1..=1000);
        let max_concurrency = r.integer(&format!("max_concurrency_{}", provider.name()), 1..=64);
        Some(ProviderConfig {
            base_url: base_url?,
            batch_size: usize::try_from(batch_size?).ok()?,
            max_concurrency: usize::try_from(max_concurrency?).ok()?,
        })
    }

    fn read_call(r: &mut Reader<'_>) -> Option<CallConfig> {
        let connect_timeout = r.milliseconds("service_connect_timeout_ms", 100..=60_000);
        let timeout = r.seconds("service_timeout_seconds", 1..=1800);
        let max_attempts = r.integer("retry_max_attempts", 1..=10);
        let base = r.milliseconds("retry_base_ms", 1..=60_000);
        let max = r.milliseconds("retry_max_ms", 1..=300_000);
        let backoff = match Backoff::try_new(base?, max?) {
            Ok(backoff) => Some(backoff),
            Err(error) => r.error("retry_max_ms", &error.to_string()),
        };
        Some(CallConfig {
            connect_timeout: connect_timeout?,
            timeout: timeout?,
            max_attempts: u32::try_from(max_attempts?).ok()?,
            backoff: backoff?,
        })
    }

    fn read_breaker(r: &mut Reader<'_>) -> Option<BreakerConfig> {
        let window = r.integer("breaker_window", 1..=1000);
        let min_calls = r.integer("breaker_min_calls", 1..=1000);
        let failure_percent = r.integer("breaker_failure_percent", 1..=100);
        let open = r.seconds("breaker_open_seconds", 1..=3600);
        let open_max = r.seconds("breaker_open_max_seconds", 1..=86_400);
        if let (Some(window), Some(min_calls)) = (window, min_calls)
            && min_calls > window
        {
            r.error::<()>("breaker_min_calls", &format!("{min_calls} is more than breaker_window, {window}"));
        }
        Some(BreakerConfig {
            window: usize::try_from(window?).ok()?,
            min_calls: usize::try_from(min_calls?).ok()?,
            failure_percent: usize::try_from(failure_percent?).ok()?,
            open: open?,
            open_max: open_max?,
        })
    }

    fn read_run(r: &mut Reader<'_>) -> Option<RunConfig> {
        let deadline = r.seconds("job_deadline_seconds", 5..=3600);
        let lease = r.seconds("lease_seconds", 5..=600);
        let retention = r.integer("run_retention_days", 1..=3650);
        let raw_log_retention = r.integer("raw_log_retention_days", 1..=3650);
        Some(RunConfig {
            deadline: deadline?,
            lease: lease?,
            retention: chrono::TimeDelta::days(i64::try_from(retention?).ok()?),
            raw_log_retention: chrono::TimeDelta::days(i64::try_from(raw_log_retention?).ok()?),
        })
    }
}

/// Whether a text is an absolute http(s) URL with a host and without query, fragment or credentials.
fn parse_base_url(text: &str) -> Result<String, String> {
    let url = Url::parse(text).map_err(|error| format!("`{text}` is no URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(format!("`{text}` must be an http or https URL"));
    }
    if url.query().is_some()
        || url.fragment().is_some()
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return Err("must have no query, fragment or credentials".to_owned());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}
