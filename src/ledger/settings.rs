//! The limits of a run: the settings.

use std::time::Duration;

use crate::config::read::Reader;

/// The limits of one run.
#[derive(Clone, Copy, Debug)]
pub struct RunConfig {
    pub deadline: Duration,
    pub lease: Duration,
    pub retention: chrono::TimeDelta,
    pub raw_log_retention: chrono::TimeDelta,
}

/// Reads the settings.
pub fn read(r: &mut Reader<'_>) -> Option<RunConfig> {
    let deadline = r.seconds("job_deadline_seconds");
    let lease = r.seconds("lease_seconds");
    let retention = r.integer("run_retention_days");
    let raw_log_retention = r.integer("raw_log_retention_days");
    Some(RunConfig {
        deadline: deadline?,
        lease: lease?,
        retention: chrono::TimeDelta::days(i64::try_from(retention?).ok()?),
        raw_log_retention: chrono::TimeDelta::days(i64::try_from(raw_log_retention?).ok()?),
    })
}
