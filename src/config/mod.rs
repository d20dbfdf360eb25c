//! Settings: read as text once, then typed.
//!
//! [`Config::parse`] reads every value of [`keys::KEYS`] and returns either the whole typed
//! configuration or all errors at once. Each part of the system gets its own small piece.

mod address;
pub mod keys;
mod parts;
mod read;
mod types;

use std::fmt;
use std::time::Duration;

use crate::job::Provider;
use crate::resilience::breaker::BreakerConfig;
use read::Reader;
pub use types::{
    AlertConfig, AuthConfig, CallConfig, Collections, Credentials, FirestoreConfig, GoogleConfig,
    InboundAuth, PerJob, ProviderConfig, RampConfig, RunConfig,
};

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
    pub auth: AuthConfig,
    pub google: GoogleConfig,
    pub credentials: Credentials,
    pub firestore: FirestoreConfig,
    pub collections: Collections,
    pub providers: [ProviderConfig; 4],
    pub call: CallConfig,
    pub breaker: BreakerConfig,
    /// Minimum time between two probes of one provider, across all instances.
    pub probe_interval: Duration,
    pub run: RunConfig,
    pub alerts: AlertConfig,
}

/// All errors of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<String>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid configuration: {}", self.0.join("; "))
    }
}

impl std::error::Error for ConfigErrors {}

impl Config {
    /// Reads all settings; `lookup` returns the value of a variable, or none if it is unset.
    pub fn parse(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigErrors> {
        let mut reader = Reader::new(&lookup);
        let config = Self::read(&mut reader);
        match (config, reader.finish()) {
            (Some(config), errors) if errors.is_empty() => Ok(config),
            (_, errors) => Err(ConfigErrors(errors)),
        }
    }

    pub fn provider(&self, provider: Provider) -> &ProviderConfig {
        provider.pick(self.providers.each_ref())
    }

    /// Reads every part before failing, so that all errors are reported together.
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
        let emulator = !r.text("firestore_emulator_host").is_empty();
        let auth = parts::auth(r, emulator);
        let google = parts::google(r);
        let credentials = parts::credentials(r, emulator);
        let firestore = parts::firestore(r);
        let collections = parts::collections(r);
        let providers = Provider::ALL.map(|provider| parts::provider(r, provider));
        let call = parts::call(r);
        let breaker = parts::breaker(r);
        let probe_interval = r.seconds("probe_interval_seconds", 60..=86_400);
        let run = parts::run(r);
        let alerts = parts::alerts(r);
        let [Some(tiingo), Some(finnhub), Some(polygon), Some(alphavantage)] = providers else { return None };
        Some(Self {
            log_level: log_level?,
            auth: auth?,
            google: google?,
            credentials: credentials?,
            firestore: firestore?,
            collections: collections?,
            providers: [tiingo, finnhub, polygon, alphavantage],
            call: call?,
            breaker: breaker?,
            probe_interval: probe_interval?,
            run: run?,
            alerts: alerts?,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
