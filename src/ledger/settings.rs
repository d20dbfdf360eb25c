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
