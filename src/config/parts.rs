//! Reading each piece of the configuration. A piece reads all its settings before it gives up, so that
//! all mistakes are told together.

use std::time::Duration;

use super::read::Reader;
use super::{
    CallConfig, Collections, Credentials, FirestoreConfig, ProviderConfig, RampConfig, RunConfig, Secret,
};
use crate::job::Provider;
use crate::resilience::backoff::Backoff;
use crate::resilience::breaker::BreakerConfig;

pub(super) fn firestore(r: &mut Reader<'_>) -> Option<FirestoreConfig> {
    let project = r.path_segment("google_cloud_project");
    let database = r.path_segment("firestore_database");
    let emulator = r.text("firestore_emulator_host");
    let endpoint = if emulator.is_empty() {
        Some("https://firestore.googleapis.com/v1".to_owned())
    } else {
        r.authority("firestore_emulator_host").map(|host| format!("http://{host}/v1"))
    };
    let credentials = credentials_of(r, !emulator.is_empty());
    let timeout = r.seconds("firestore_timeout_seconds", 1..=300);
    let writes_per_second = r.integer("firestore_ramp_writes_per_second", 1..=100_000);
    let step_minutes = r.integer("firestore_ramp_minutes", 1..=60);
    let ramp = RampConfig {
        writes_per_second: u32::try_from(writes_per_second?).ok()?,
        step: Duration::from_secs(60 * step_minutes?),
    };
    Some(FirestoreConfig {
        endpoint: endpoint?,
        database: format!("projects/{}/databases/{}", project?, database?),
        credentials: credentials?,
        timeout: timeout?,
        ramp: emulator.is_empty().then_some(ramp),
    })
}

fn credentials_of(r: &mut Reader<'_>, emulator: bool) -> Option<Credentials> {
    let token = r.text("gcp_access_token");
    let mode = r.choice(
        "gcp_credentials",
        &[("auto", "auto"), ("emulator", "emulator"), ("access_token", "access_token")],
    )?;
    match mode {
        "emulator" | "auto" if emulator => Some(Credentials::Emulator),
        "emulator" => r.error("gcp_credentials", "`emulator` needs firestore_emulator_host"),
        _ if token.is_empty() => {
            r.error("gcp_access_token", "is empty: Firestore cannot be called without it")
        }
        _ if token.chars().any(|c| !c.is_ascii_graphic()) => {
            r.error("gcp_access_token", "has characters that a header cannot carry")
        }
        _ => Some(Credentials::AccessToken(Secret::new(token))),
    }
}

pub(super) fn collections(r: &mut Reader<'_>) -> Option<Collections> {
    let names = [
        "universe",
        "active",
        "prices_daily",
        "prices_intraday",
        "news",
        "fundamentals",
        "earnings",
        "indicators",
        "raw_logs",
        "rejected",
        "runs",
        "breakers",
        "statistics",
    ]
    .map(|name| r.path_segment(&format!("collection_{name}")));
    let [
        universe,
        active,
        prices_daily,
        prices_intraday,
        news,
        fundamentals,
        earnings,
        indicators,
        raw_logs,
        rejected,
        runs,
        breakers,
        statistics,
    ] = names;
    Some(Collections {
        universe: universe?,
        active: active?,
        prices_daily: prices_daily?,
        prices_intraday: prices_intraday?,
        news: news?,
        fundamentals: fundamentals?,
        earnings: earnings?,
        indicators: indicators?,
        raw_logs: raw_logs?,
        rejected: rejected?,
        runs: runs?,
        breakers: breakers?,
        statistics: statistics?,
    })
}

pub(super) fn provider(r: &mut Reader<'_>, provider: Provider) -> Option<ProviderConfig> {
    let base_url = r.base_url(&format!("{}_service_url", provider.name()));
    let batch_size = r.integer(&format!("batch_size_{}", provider.name()), 1..=1000);
    let max_concurrency = r.integer(&format!("max_concurrency_{}", provider.name()), 1..=64);
    Some(ProviderConfig {
        base_url: base_url?,
        batch_size: usize::try_from(batch_size?).ok()?,
        max_concurrency: usize::try_from(max_concurrency?).ok()?,
    })
}

pub(super) fn call(r: &mut Reader<'_>) -> Option<CallConfig> {
    let connect_timeout = r.milliseconds("service_connect_timeout_ms", 100..=60_000);
    let timeout = r.seconds("service_timeout_seconds", 1..=1800);
    let max_attempts = r.integer("retry_max_attempts", 1..=10);
    let base = r.milliseconds("retry_base_ms", 1..=60_000);
    let max = r.milliseconds("retry_max_ms", 1..=300_000);
    let backoff = match Backoff::try_new(base?, max?) {
        Ok(backoff) => Some(backoff),
        Err(error) => r.error("retry_max_ms", &error.to_string()),
    };
    Some(CallConfig {
        connect_timeout: connect_timeout?,
        timeout: timeout?,
        max_attempts: u32::try_from(max_attempts?).ok()?,
        backoff: backoff?,
    })
}

pub(super) fn breaker(r: &mut Reader<'_>) -> Option<BreakerConfig> {
    let window = r.integer("breaker_window", 1..=1000);
    let min_calls = r.integer("breaker_min_calls", 1..=1000);
    let failure_percent = r.integer("breaker_failure_percent", 1..=100);
    let open = r.seconds("breaker_open_seconds", 1..=3600);
    let open_max = r.seconds("breaker_open_max_seconds", 1..=86_400);
    if let (Some(window), Some(min_calls)) = (window, min_calls)
        && min_calls > window
    {
        r.error::<()>("breaker_min_calls", &format!("{min_calls} is more than breaker_window, {window}"));
    }
    Some(BreakerConfig {
        window: usize::try_from(window?).ok()?,
        min_calls: usize::try_from(min_calls?).ok()?,
        failure_percent: usize::try_from(failure_percent?).ok()?,
        open: open?,
        open_max: open_max?,
    })
}

pub(super) fn run(r: &mut Reader<'_>) -> Option<RunConfig> {
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
