//! The provider services: what is sent to them, and what their responses mean.

pub mod activity;
pub mod breakers;
pub mod settings;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method};
use serde::Serialize;

use crate::base::ports::OutboundRequest;
use crate::catalogue::{Job, Scope, Ticker};
use crate::provider::settings::{CallConfig, ProviderConfig};

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
    /// The parameter that asks for more records than usual, and their number.
    pub larger: Option<(&'static str, u16)>,
}

#[derive(Serialize)]
struct Body<'a> {
    tickers: &'a [Ticker],
    scope: &'static str,
    job_id: &'static str,
    run_time: &'a str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    indicators: &'a [String],
}

impl Call<'_> {
    /// The request, to the service at `service`.
    pub fn request(&self, service: &ProviderConfig, call: &CallConfig) -> OutboundRequest {
        let body = Body {
            tickers: self.tickers,
            scope: self.scope.name(),
            job_id: self.job.name,
            run_time: self.run_time,
            indicators: self.parts,
        };
        // Texts cannot fail to encode.
        let mut bytes = serde_json::to_vec(&body).unwrap_or_default();
        if let Some((parameter, number)) = self.larger {
            bytes.pop();
            bytes.extend_from_slice(format!(",\"{parameter}\":{number}}}").as_bytes());
        }
        OutboundRequest {
            method: Method::POST,
            url: format!("{}{}", service.base_url, self.endpoint),
            headers: HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]),
            body: Bytes::from(bytes),
            connect_timeout: call.connect_timeout,
            timeout: call.timeout,
            body_bytes_max: ANSWER_BYTES_MAX,
        }
    }
}
