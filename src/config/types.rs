//! The pieces of the configuration, one for each part of the system.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Secret;
use crate::catalogue::{Collection, Dataset};
use crate::google::assertion::ServiceAccountKey;
use crate::resilience::backoff::Backoff;

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

/// How callers prove who they are.
#[derive(Clone, Debug)]
pub struct AuthConfig {
    pub inbound: InboundAuth,
    /// E-mails of the service accounts that may call.
    pub scheduler_accounts: BTreeSet<String>,
    /// Audiences that are ours.
    pub audiences: Vec<String>,
    pub operator_token: Option<Secret>,
    /// Origins whose pages may change something.
    pub allowed_origins: Vec<http::HeaderValue>,
    /// Where Google's keys are.
    pub certs_url: String,
}

/// Where Google's tokens come from; base URLs.
#[derive(Clone, Debug)]
pub struct GoogleConfig {
    pub oauth_url: String,
    pub metadata_url: String,
}

/// Where Firestore is and how it is reached.
#[derive(Clone, Debug)]
pub struct FirestoreConfig {
    /// `https://HOST/v1`, without a slash at the end.
    pub endpoint: String,
    pub project: String,
    /// `projects/{project}/databases/{database}`.
    pub database: String,
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
    ServiceAccountKey(Box<ServiceAccountKey>),
    /// The metadata server of Cloud Run or GKE.
    Metadata,
}

impl Credentials {
    /// The name in settings and logs.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Emulator => "emulator",
            Self::AccessToken(_) => "access_token",
            Self::ServiceAccountKey(_) => "service_account_key",
            Self::Metadata => "metadata",
        }
    }
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
    pub raw_logs: String,
    pub rejected: String,
    pub runs: String,
    pub breakers: String,
    pub statistics: String,
    /// Those of datasets, by the key of each in the catalogue.
    pub(super) records: BTreeMap<&'static str, String>,
}

impl Collections {
    /// The collection of a dataset's records.
    pub fn of(&self, dataset: &Dataset) -> &str {
        let Collection { key, default, .. } = dataset.collection;
        self.records.get(key).map_or(default, String::as_str)
    }

    /// Whether a collection holds records of a dataset.
    pub fn has_records(&self, collection: &str) -> bool {
        self.records.values().any(|name| name == collection)
    }
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
    /// Whether each call carries an ID token for its service.
    pub id_token: bool,
    pub connect_timeout: Duration,
    pub timeout: Duration,
    pub max_attempts: u32,
    pub backoff: Backoff,
    /// Time in which a provider's limit by the minute renews itself.
    pub limit_window: Duration,
}

/// When an operator is told.
#[derive(Clone, Debug)]
pub struct AlertConfig {
    pub failure_percent: PerJob,
    pub failure_runs_min: usize,
    pub run_seconds: PerJob,
    pub overdue_minutes: PerJob,
}

/// A number for all jobs, and others for some.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerJob {
    pub default: u64,
    pub jobs: BTreeMap<&'static str, u64>,
}

impl PerJob {
    pub fn of(&self, job: &str) -> u64 {
        self.jobs.get(job).copied().unwrap_or(self.default)
    }
}

/// The bounds of one run.
#[derive(Clone, Copy, Debug)]
pub struct RunConfig {
    pub deadline: Duration,
    pub lease: Duration,
    pub retention: chrono::TimeDelta,
    pub raw_log_retention: chrono::TimeDelta,
}
