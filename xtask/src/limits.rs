//! The time limits around a run, `deploy/limits.json`, which all deploy files share.

use std::fs;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde_json::Value;

use crate::workspace;

/// Where the component is deployed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Platform {
    /// Google Cloud Run
    #[default]
    CloudRun,
    /// Kubernetes with the Spin operator
    Spinkube,
    /// Akamai Functions or Fermyon Cloud, 30 s a request
    Akamai,
}

impl Platform {
    fn name(self) -> &'static str {
        match self {
            Self::CloudRun => "cloud-run",
            Self::Spinkube => "spinkube",
            Self::Akamai => "akamai",
        }
    }
}

/// The limits passed to Cloud Scheduler, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The scheduler counts an attempt as failed after this time.
    pub attempt_deadline: u64,
    /// First delay between two attempts.
    pub min_backoff: u64,
    /// Longest delay between two attempts.
    pub max_backoff: u64,
    /// How often the delay doubles.
    pub max_doublings: u64,
}

impl Limits {
    /// Reads the limits of one platform.
    pub fn read(platform: Platform) -> Result<Self> {
        let path = workspace::root().join("deploy/limits.json");
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let all: Value = serde_json::from_str(&text).with_context(|| format!("{}", path.display()))?;
        let limit = |name: &str| {
            let found = all.get(platform.name()).and_then(|limits| limits.get(name)).and_then(Value::as_u64);
            found.with_context(|| format!("deploy/limits.json has no {}.{name}", platform.name()))
        };
        Ok(Self {
            attempt_deadline: limit("attempt_deadline_seconds")?,
            min_backoff: limit("min_backoff_seconds")?,
            max_backoff: limit("max_backoff_seconds")?,
            max_doublings: limit("max_doublings")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_platform_has_its_limits() {
        for platform in Platform::value_variants() {
            let limits = Limits::read(*platform).unwrap();
            // Cloud Scheduler's own limits for HTTP targets.
            assert!((15..=1800).contains(&limits.attempt_deadline), "{platform:?}");
            assert!(limits.min_backoff <= limits.max_backoff, "{platform:?}");
        }
    }
}
