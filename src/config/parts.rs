//! Reading each piece of the configuration. A piece reads all its settings before failing, so that
//! all errors are reported together.

use std::collections::BTreeSet;
use std::time::Duration;

use super::read::Reader;
use super::{
    AlertConfig, AuthConfig, CallConfig, Collections, Credentials, FirestoreConfig, GoogleConfig,
    InboundAuth, ProviderConfig, RampConfig, RunConfig, Secret,
};
use crate::google::assertion::ServiceAccountKey;
use crate::job::Provider;
use crate::resilience::backoff::Backoff;
use crate::resilience::breaker::BreakerConfig;

pub(super) fn firestore(r: &mut Reader<'_>) -> Option<FirestoreConfig> {
    let project = r.path_segment("google_cloud_project");
    let database = r.path_segment("firestore_database");
    let emulator = r.authority("firestore_emulator_host");
    let on_cloud = emulator.as_ref().is_some_and(String::is_empty);
    let endpoint = emulator.map(|host| match host.as_str() {
        "" => "https://firestore.googleapis.com/v1".to_owned(),
        host => format!("http://{host}/v1"),
    });
    let timeout = r.seconds("firestore_timeout_seconds", 1..=300);
    let writes_per_second = r.integer("firestore_ramp_writes_per_second", 1..=100_000);
    let step_minutes = r.integer("firestore_ramp_minutes", 1..=60);
    let ramp = RampConfig {
        writes_per_second: u32::try_from(writes_per_second?).ok()?,
        step: Duration::from_secs(60 * step_minutes?),
    };
    let project = project?;
    Some(FirestoreConfig {
        endpoint: endpoint?,
        database: format!("projects/{project}/databases/{}", database?),
        project,
        timeout: timeout?,
        ramp: on_cloud.then_some(ramp),
    })
}

/// Who may call.
pub(super) fn auth(r: &mut Reader<'_>, emulator: bool) -> Option<AuthConfig> {
    let inbound = r.choice(
        "inbound_auth",
        &[("oidc", InboundAuth::Oidc), ("platform", InboundAuth::Platform), ("none", InboundAuth::None)],
    );
    let allowed = r.choice("allow_unauthenticated", &[("true", true), ("false", false)]);
    let mut scheduler_accounts = BTreeSet::new();
    scheduler_accounts.extend(r.list("scheduler_service_account"));
    let audiences = r.list("oidc_audience");
    let operator_token = Some(r.text("operator_token")).filter(|token| !token.is_empty());
    let certs_url = r.base_url("google_certs_url");
    let allowed_origins = r.origins("cors_allow_origins");
    if inbound == Some(InboundAuth::None) && !emulator && allowed == Some(false) {
        r.error::<()>(
            "inbound_auth",
            "`none` requires firestore_emulator_host or allow_unauthenticated = true",
        );
    }
    if inbound == Some(InboundAuth::Oidc) && scheduler_accounts.is_empty() {
        r.error::<()>(
            "scheduler_service_account",
            "is empty: inbound_auth = oidc requires at least one account",
        );
    }
    // The request's own address cannot be the default: its Host header is the caller's choice, so a token for
    // another deployment would be valid here.
    if inbound == Some(InboundAuth::Oidc) && audiences.is_empty() {
        r.error::<()>("oidc_audience", "is empty: inbound_auth = oidc requires at least one audience");
    }
    if operator_token.as_ref().is_some_and(|token| token.len() < OPERATOR_TOKEN_BYTES_MIN) {
        r.error::<()>("operator_token", &format!("is shorter than {OPERATOR_TOKEN_BYTES_MIN} characters"));
    }
    Some(AuthConfig {
        inbound: inbound?,
        scheduler_accounts,
        audiences,
        operator_token: operator_token.map(Secret::new),
        allowed_origins: allowed_origins?,
        certs_url: format!("{}/oauth2/v3/certs", certs_url?),
    })
}

/// A shorter token could be guessed.
const OPERATOR_TOKEN_BYTES_MIN: usize = 16;

pub(super) fn google(r: &mut Reader<'_>) -> Option<GoogleConfig> {
    let oauth_url = r.base_url("google_oauth_url");
    let metadata_url = r.base_url("google_metadata_url");
    Some(GoogleConfig { oauth_url: oauth_url?, metadata_url: metadata_url? })
}

/// Credentials used for Firestore: as configured, or the first that is set.
pub(super) fn credentials(r: &mut Reader<'_>, emulator: bool) -> Option<Credentials> {
    let modes =
        ["auto", "emulator", "access_token", "service_account_key", "metadata"].map(|mode| (mode, mode));
    let token = r.text("gcp_access_token");
    let key = r.text("gcp_service_account_key");
    match r.choice("gcp_credentials", &modes)? {
        "auto" | "emulator" if emulator => Some(Credentials::Emulator),
        "emulator" => r.error("gcp_credentials", "`emulator` requires firestore_emulator_host"),
        "auto" if !token.is_empty() => access_token(r, token),
        "auto" if !key.is_empty() => service_account_key(r, &key),
        "access_token" => access_token(r, token),
        "service_account_key" => service_account_key(r, &key),
        _ => Some(Credentials::Metadata),
    }
}

fn access_token(r: &mut Reader<'_>, token: String) -> Option<Credentials> {
    if token.is_empty() {
        return r.error("gcp_access_token", "is empty: gcp_credentials = access_token requires it");
    }
    if token.chars().any(|c| !c.is_ascii_graphic()) {
        return r.error("gcp_access_token", "contains characters that are not allowed in a header");
    }
    Some(Credentials::AccessToken(Secret::new(token)))
}

fn service_account_key(r: &mut Reader<'_>, json: &str) -> Option<Credentials> {
    let key = match ServiceAccountKey::parse(json) {
        Ok(key) => key,
        Err(reason) => return r.error("gcp_service_account_key", &reason),
    };
    // The runtime allows calls to the configured endpoint only.
    let endpoint = format!("{}/token", r.base_url("google_oauth_url")?);
    if key.token_uri != endpoint {
        let message = format!("has the token_uri {}, but google_oauth_url implies {endpoint}", key.token_uri);
        return r.error("gcp_service_account_key", &message);
    }
    Some(Credentials::ServiceAccountKey(Box::new(key)))
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
    let id_token = r.choice("provider_auth", &[("none", false), ("id_token", true)]);
    let connect_timeout = r.milliseconds("service_connect_timeout_ms", 100..=60_000);
    let timeout = r.seconds("service_timeout_seconds", 1..=1800);
    let max_attempts = r.integer("retry_max_attempts", 1..=10);
    let base = r.milliseconds("retry_base_ms", 1..=60_000);
    let max = r.milliseconds("retry_max_ms", 1..=300_000);
    let backoff = match Backoff::try_new(base?, max?) {
        Ok(backoff) => Some(backoff),
        Err(error) => r.error("retry_max_ms", &error.to_string()),
    };
    let limit_window = r.seconds("limit_window_seconds", 1..=600);
    Some(CallConfig {
        id_token: id_token?,
        connect_timeout: connect_timeout?,
        timeout: timeout?,
        max_attempts: u32::try_from(max_attempts?).ok()?,
        backoff: backoff?,
        limit_window: limit_window?,
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

pub(super) fn alerts(r: &mut Reader<'_>) -> Option<AlertConfig> {
    let failure_percent = r.per_job("alert_failure_percent", 1..=100);
    let failure_runs_min = r.integer("alert_failure_runs_min", 1..=20);
    let run_seconds = r.per_job("alert_run_seconds", 1..=86_400);
    let overdue_minutes = r.per_job("alert_overdue_minutes", 1..=10_080);
    Some(AlertConfig {
        failure_percent: failure_percent?,
        failure_runs_min: usize::try_from(failure_runs_min?).ok()?,
        run_seconds: run_seconds?,
        overdue_minutes: overdue_minutes?,
    })
}
