//! The pieces of the configuration, one for each part of the system.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Secret;
use crate::google::assertion::ServiceAccountKey;
use crate::resilience::backoff::Backoff;

/// Who authenticates callers.
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
    /// Email addresses of the service accounts that may call.
    pub scheduler_accounts: BTreeSet<String>,
    /// Accepted audiences.
    pub audiences: Vec<String>,
    pub operator_token: Option<Secret>,
    /// Origins whose pages may make changes.
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
    /// `https://HOST/v1`, without a trailing slash.
    pub endpoint: String,
    pub project: String,
    /// `projects/{project}/databases/{database}`.
    pub database: String,
    pub timeout: Duration,
    /// Write rate limit; none against the emulator.
    pub ramp: Option<RampConfig>,
}

/// Credentials used for Firestore.
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
    /// Without a trailing slash.
    pub base_url: String,
    pub batch_size: usize,
    pub max_concurrency: usize,
}

/// The limits of one provider call.
#[derive(Clone, Copy, Debug)]
pub struct CallConfig {
    /// Whether each call carries an ID token for its service.
    pub id_token: bool,
    pub connect_timeout: Duration,
    pub timeout: Duration,
    pub max_attempts: u32,
    pub backoff: Backoff,
    /// How long a provider's per-minute limit takes to reset.
    pub limit_window: Duration,
}

/// Thresholds of the alerts.
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

/// The limits of one run.
#[derive(Clone, Copy, Debug)]
pub struct RunConfig {
    pub deadline: Duration,
    pub lease: Duration,
    pub retention: chrono::TimeDelta,
    pub raw_log_retention: chrono::TimeDelta,
}
