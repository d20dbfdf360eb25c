//! The audit copy of every provider call: one document per call, with the request and the response.

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use http::StatusCode;

use crate::catalogue::{Job, Scope, Ticker, WindowParameters};
use crate::firestore::payload;
use crate::firestore::value::fields;
use crate::firestore::{DocumentPath, Value, Write};
use crate::intake::call_log::CHECK;
use crate::intake::kind::Kind;
use crate::run::Window;

/// One provider call and its response.
pub struct RawLog<'a> {
    /// Unique for the call.
    pub log_id: &'a str,
    pub run_id: &'a str,
    pub job: &'static Job,
    pub scope: Scope,
    /// The URL that was called, without credentials.
    pub url: &'a str,
    /// Path below the provider's base URL.
    pub endpoint: &'static str,
    /// What the call is for, as the log names it.
    pub api_name: &'static str,
    pub run_time: &'a str,
    /// The parameter that asked for more records than usual, and their number.
    pub larger: Option<(&'static str, u16)>,
    pub asked: &'a [Ticker],
    /// The days that were requested, and how the endpoint takes them.
    pub window: Option<(Window, &'static WindowParameters)>,
    pub succeeded: &'a [Ticker],
    pub failed: &'a [Ticker],
    /// Whether it brought records, even of tickers that are not complete.
    pub has_data: bool,
    pub requested_at: DateTime<Utc>,
    pub latency_ms: u64,
    /// Null if there was no response.
    pub status: Option<StatusCode>,
    /// What arrived of the response, without credentials.
    pub body: &'a Bytes,
    /// What went wrong, if anything.
    pub error: Option<&'a str>,
    pub attempt: u32,
    /// Whether it shows only whether the provider is up: its records are not stored.
    pub is_check: bool,
    /// When the response arrived.
    pub now: DateTime<Utc>,
    pub retention: TimeDelta,
}

impl RawLog<'_> {
    /// The document and, for a large body, its parts; the parts come first, so that an existing document never names
    /// missing parts.
    pub fn writes(&self, collection: &str) -> Vec<(Kind, Write)> {
        let path = DocumentPath::new(collection, self.log_id);
        let expire_at = Value::Timestamp(self.now + self.retention);
        let payload = payload::store(&path, self.body, &fields([("expire_at", expire_at.clone())]));
        let mut response = payload.fields;
        response.insert(
            "status_code".to_owned(),
            self.status.map_or(Value::NULL, |status| Value::Integer(status.as_u16().into())),
        );
        response.insert("latency_ms".to_owned(), Value::Integer(self.latency_ms.cast_signed()));
        let all_failed = !self.asked.is_empty() && self.succeeded.is_empty() && !self.has_data;
        response.insert("error_flag".to_owned(), Value::Boolean(self.error.is_some() || all_failed));
        response.insert("error".to_owned(), self.error.map_or(Value::NULL, Value::string));
        let document = fields([
            ("request", self.request()),
            ("response", Value::Map { fields: response }),
            ("metadata", self.metadata()),
            ("expire_at", expire_at),
        ]);
        Kind::Part.of(payload.parts).chain(Kind::RawLog.of([Write::overwrite(path, document)])).collect()
    }

    fn request(&self) -> Value {
        let mut params = fields([
            ("tickers", tickers(self.asked)),
            ("scope", Value::string(self.scope.name())),
            ("job_id", Value::string(self.job.name)),
            ("run_time", Value::string(self.run_time)),
        ]);
        if let Some((window, parameters)) = self.window {
            let days = parameters.parameters(window.from, window.to);
            params.extend(days.map(|(name, day)| (name.to_owned(), Value::String(day))));
        }
        let larger = self.larger.map(|(name, number)| (name.to_owned(), Value::Integer(number.into())));
        params.extend(larger);
        Value::map([
            ("url", Value::string(self.url)),
            ("params", Value::Map { fields: params }),
            ("scope", Value::string(self.scope.name())),
            ("timestamp", time(self.requested_at)),
        ])
    }

    fn metadata(&self) -> Value {
        let days = |window: Window| {
            [("from", window.from), ("to", window.to)]
                .map(|(name, day)| (name, Value::String(day.to_string())))
        };
        Value::map([
            ("window", self.window.map_or(Value::NULL, |(window, _)| Value::map(days(window)))),
            ("job_id", Value::string(self.job.name)),
            ("run_id", Value::string(self.run_id)),
            ("source", Value::string(self.job.provider.name())),
            ("api_name", Value::string(self.api_name)),
            ("endpoint", Value::string(self.endpoint)),
            ("attempt", Value::Integer(self.attempt.into())),
            ("tickers_requested", tickers(self.asked)),
            ("tickers_successful", tickers(self.succeeded)),
            ("tickers_failed", tickers(self.failed)),
            ("date", Value::String(self.requested_at.date_naive().to_string())),
            ("log_id", Value::string(self.log_id)),
            (CHECK, Value::Boolean(self.is_check)),
            ("ingested_at", time(self.now)),
        ])
    }
}

/// A time as a string, in the format that readers of these logs know.
fn time(time: DateTime<Utc>) -> Value {
    Value::String(time.to_rfc3339_opts(SecondsFormat::Micros, true))
}

fn tickers(tickers: &[Ticker]) -> Value {
    Value::strings(tickers.iter().map(Ticker::as_str))
}
