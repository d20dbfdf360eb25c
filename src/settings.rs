//! The whole configuration of the service, made of the rooms' pieces.
//!
//! [`Config::parse`] takes every value of [`keys::keys`](crate::config::keys::keys) and returns either the whole typed
//! configuration or all errors at once.

use std::fmt;
use std::time::Duration;

use crate::auth::settings::AuthConfig;
use crate::catalogue::{PerProvider, Provider, Ticks};
use crate::config::read::Reader;
use crate::config::{Collections, calendar, collections};
use crate::firestore::settings::FirestoreConfig;
use crate::google::settings::{Credentials, GoogleConfig};
use crate::ledger::settings::RunConfig;
use crate::notify::settings::NotifyConfig;
use crate::ops::settings::AlertConfig;
use crate::provider::settings::{CallConfig, ProviderConfig};
use crate::resilience::breaker::BreakerConfig;
use crate::{auth, firestore, google, ledger, notify, ops, provider};

/// Everything that can be set.
#[derive(Debug)]
pub struct Config {
    pub log_level: tracing::Level,
    pub auth: AuthConfig,
    pub google: GoogleConfig,
    pub credentials: Credentials,
    pub firestore: FirestoreConfig,
    pub collections: Collections,
    pub providers: PerProvider<ProviderConfig>,
    pub call: CallConfig,
    pub breaker: BreakerConfig,
    /// Minimum time between two probes of one provider, across all instances.
    pub probe_interval: Duration,
    pub run: RunConfig,
    pub alerts: AlertConfig,
    pub notify: NotifyConfig,
    pub ticks: Ticks,
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
        self.providers.get(provider)
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
        let auth = auth::settings::read(r, emulator);
        let google = google::settings::read(r);
        let credentials = google::settings::credentials(r, emulator);
        let firestore = firestore::settings::read(r);
        let collections = collections::read(r);
        let providers = PerProvider::from_fn(|provider| provider::settings::service(r, provider)).complete();
        let call = provider::settings::call(r);
        let breaker = provider::settings::breaker(r);
        let probe_interval = r.seconds("probe_interval_seconds");
        let run = ledger::settings::read(r);
        let alerts = ops::settings::read(r);
        let notify = notify::settings::read(r);
        let ticks = calendar::read(r);
        Some(Self {
            log_level: log_level?,
            auth: auth?,
            google: google?,
            credentials: credentials?,
            firestore: firestore?,
            collections: collections?,
            providers: providers?,
            call: call?,
            breaker: breaker?,
            probe_interval: probe_interval?,
            run: run?,
            alerts: alerts?,
            notify: notify?,
            ticks: ticks?,
        })
    }
}

#[cfg(test)]
pub(crate) mod tests;
