//! The limits of a run: the settings.

use std::time::Duration;

use crate::config::read::Reader;
use crate::run::publication::PublishConfig;

/// The limits of one run.
#[derive(Clone, Copy, Debug)]
pub struct RunConfig {
    pub deadline: Duration,
    pub lease: Duration,
    pub retention: chrono::TimeDelta,
    pub raw_log_retention: chrono::TimeDelta,
    pub publish: PublishConfig,
    /// Past sessions that are filled where records are missing.
    pub heal_sessions: usize,
    /// Sessions of a ticker that are requested again after a split or dividend.
    pub refetch_sessions: usize,
}

/// Reads the settings.
pub fn read(r: &mut Reader<'_>) -> Option<RunConfig> {
    let deadline = r.seconds("job_deadline_seconds");
    let lease = r.seconds("lease_seconds");
    let retention = r.integer("run_retention_days");
    let raw_log_retention = r.integer("raw_log_retention_days");
    let percent = r.integer("not_published_percent");
    let heal_sessions = r.integer("heal_sessions");
    let refetch_sessions = r.integer("refetch_history_sessions");
    let retry = r.seconds("publish_retry_seconds");
    let patience = r.integer("publish_patience_minutes");
    Some(RunConfig {
        deadline: deadline?,
        lease: lease?,
        retention: chrono::TimeDelta::days(i64::try_from(retention?).ok()?),
        raw_log_retention: chrono::TimeDelta::days(i64::try_from(raw_log_retention?).ok()?),
        publish: PublishConfig {
            percent: usize::try_from(percent?).ok()?,
            retry: retry?,
            patience: Duration::from_secs(patience? * 60),
        },
        heal_sessions: usize::try_from(heal_sessions?).ok()?,
        refetch_sessions: usize::try_from(refetch_sessions?).ok()?,
    })
}
