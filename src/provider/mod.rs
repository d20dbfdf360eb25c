//! The provider services: what is sent to them, and what their responses mean.

pub mod activity;
pub mod breakers;
pub mod settings;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Map, Value as Json};

use crate::base::ports::OutboundRequest;
use crate::catalogue::{Job, Scope, Ticker, WindowParameters};
use crate::provider::settings::{CallConfig, ProviderConfig};
use crate::run::Window;

/// Maximum bytes of a response that are read; a batch with a larger response is split.
pub const ANSWER_BYTES_MAX: usize = 32 << 20;

/// One call of a provider.
#[derive(Debug)]
pub struct Call<'a> {
    pub job: &'static Job,
    /// Path below the provider's base URL.
    pub endpoint: &'static str,
    pub scope: Scope,
    pub tickers: &'a [Ticker],
    /// The requested parts of each ticker's data; empty means all.
    pub parts: &'a [String],
    /// RFC 3339.
    pub run_time: &'a str,
    /// The days that are requested, and how the endpoint takes them.
    pub window: Option<(Window, &'static WindowParameters)>,
    /// The parameter that asks for more records than usual, and their number.
    pub larger: Option<(&'static str, u16)>,
}

impl Call<'_> {
    /// The request, to the service at `service`.
    pub fn request(&self, service: &ProviderConfig, call: &CallConfig) -> OutboundRequest {
        let mut body = Map::new();
        let mut set = |name: &str, value: Json| drop(body.insert(name.to_owned(), value));
        set("tickers", self.tickers.iter().map(Ticker::as_str).collect());
        set("scope", self.scope.name().into());
        set("job_id", self.job.name.into());
        set("run_time", self.run_time.into());
        if !self.parts.is_empty() {
            set("indicators", self.parts.into());
        }
        if let Some((window, parameters)) = self.window {
            parameters.parameters(window.from, window.to).for_each(|(name, day)| set(name, day.into()));
        }
        if let Some((parameter, number)) = self.larger {
            set(parameter, number.into());
        }
        OutboundRequest {
            method: Method::POST,
            url: format!("{}{}", service.base_url, self.endpoint),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]),
            // Strings and numbers cannot fail to encode.
            body: Bytes::from(serde_json::to_vec(&body).unwrap_or_default()),
            connect_timeout: call.connect_timeout,
            timeout: call.timeout,
            body_bytes_max: ANSWER_BYTES_MAX,
        }
    }
}
