//! A setting with separate values for some jobs.

use std::collections::BTreeMap;

/// A number for all jobs, with exceptions for some.
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
