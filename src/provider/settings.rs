//! The limits of provider calls: the settings.

use std::time::Duration;

use crate::catalogue::Provider;
use crate::config::read::Reader;
use crate::resilience::backoff::Backoff;
use crate::resilience::breaker::BreakerConfig;

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

/// Reads the settings of one provider.
pub fn service(r: &mut Reader<'_>, provider: Provider) -> Option<ProviderConfig> {
    let base_url = r.base_url(&format!("{}_service_url", provider.name()));
    let batch_size = r.integer(&format!("batch_size_{}", provider.name()));
    let max_concurrency = r.integer(&format!("max_concurrency_{}", provider.name()));
    Some(ProviderConfig {
        base_url: base_url?,
        batch_size: usize::try_from(batch_size?).ok()?,
        max_concurrency: usize::try_from(max_concurrency?).ok()?,
    })
}

/// Reads the settings of all calls.
pub fn call(r: &mut Reader<'_>) -> Option<CallConfig> {
    let id_token = r.choice("provider_auth", &[("none", false), ("id_token", true)]);
    let connect_timeout = r.milliseconds("service_connect_timeout_ms");
    let timeout = r.seconds("service_timeout_seconds");
    let max_attempts = r.integer("retry_max_attempts");
    let base = r.milliseconds("retry_base_ms");
    let max = r.milliseconds("retry_max_ms");
    let backoff = match Backoff::try_new(base?, max?) {
        Ok(backoff) => Some(backoff),
        Err(error) => r.error("retry_max_ms", &error.to_string()),
    };
    let limit_window = r.seconds("limit_window_seconds");
    Some(CallConfig {
        id_token: id_token?,
        connect_timeout: connect_timeout?,
        timeout: timeout?,
        max_attempts: u32::try_from(max_attempts?).ok()?,
        backoff: backoff?,
        limit_window: limit_window?,
    })
}

/// Reads the settings of the breakers.
pub fn breaker(r: &mut Reader<'_>) -> Option<BreakerConfig> {
    let window = r.integer("breaker_window");
    let min_calls = r.integer("breaker_min_calls");
    let failure_percent = r.integer("breaker_failure_percent");
    let open = r.seconds("breaker_open_seconds");
    let open_max = r.seconds("breaker_open_max_seconds");
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
