//! When alerts fire: the settings.

use crate::config::PerJob;
use crate::config::read::Reader;

/// Thresholds of the alerts.
#[derive(Clone, Debug)]
pub struct AlertConfig {
    pub failure_percent: PerJob,
    pub failure_runs_min: usize,
    pub run_seconds: PerJob,
    pub overdue_minutes: PerJob,
    pub flagged_percent: PerJob,
    pub restated_percent: PerJob,
    /// Share of the tickers of a final session that must be stored.
    pub coverage_percent: u64,
}

/// Reads the settings.
pub fn read(r: &mut Reader<'_>) -> Option<AlertConfig> {
    let failure_percent = r.per_job("alert_failure_percent");
    let failure_runs_min = r.integer("alert_failure_runs_min");
    let run_seconds = r.per_job("alert_run_seconds");
    let overdue_minutes = r.per_job("alert_overdue_minutes");
    let flagged_percent = r.per_job("alert_flagged_percent");
    let restated_percent = r.per_job("alert_restated_percent");
    let coverage_percent = r.integer("alert_coverage_percent");
    Some(AlertConfig {
        failure_percent: failure_percent?,
        failure_runs_min: usize::try_from(failure_runs_min?).ok()?,
        run_seconds: run_seconds?,
        overdue_minutes: overdue_minutes?,
        flagged_percent: flagged_percent?,
        restated_percent: restated_percent?,
        coverage_percent: coverage_percent?,
    })
}
