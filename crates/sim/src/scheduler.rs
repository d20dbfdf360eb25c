//! Simulates Cloud Scheduler: posts ticks with its headers, body and content type.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use crate::client::client;
pub use crate::job::Job;
pub use crate::services::JOBS;

/// Cloud Scheduler's default attempt deadline.
const ATTEMPT_DEADLINE: Duration = Duration::from_mins(3);

/// The name of the watch in Cloud Scheduler, beside the jobs.
pub const WATCH: &str = "orchestrator-watch";
/// Its route.
pub const WATCH_ROUTE: &str = "/watch";
/// How often it ticks.
pub const WATCH_INTERVAL: Duration = Duration::from_mins(1);

/// One tick of one job. Sending it again is a retry: the schedule time stays the same.
#[derive(Debug, Clone)]
pub struct Tick {
    job: String,
    route: String,
    scope: String,
    schedule_time: DateTime<Utc>,
    extra: serde_json::Map<String, Value>,
    headers: BTreeMap<String, String>,
    body: Option<Vec<u8>>,
    deadline: Duration,
}

/// The orchestrator's response.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// By lowercase name; the last value if a header is repeated.
    pub headers: BTreeMap<String, String>,
    /// The body as JSON, or as a JSON string if it is not JSON.
    pub body: Value,
    /// From the first byte sent to the last byte received.
    pub duration: Duration,
}

impl Reply {
    /// What Cloud Scheduler counts as success: any 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

impl Tick {
    /// The tick of `job` at a time.
    pub fn new(job: &Job, schedule_time: DateTime<Utc>) -> Self {
        Self {
            job: job.name.to_owned(),
            route: job.route.to_owned(),
            scope: job.scope.name().to_owned(),
            schedule_time,
            extra: serde_json::Map::new(),
            headers: BTreeMap::new(),
            body: None,
            deadline: ATTEMPT_DEADLINE,
        }
    }

    /// The tick of the watch, which is no job: it has an empty body.
    pub fn of_watch(schedule_time: DateTime<Utc>) -> Self {
        Self {
            job: WATCH.to_owned(),
            route: WATCH_ROUTE.to_owned(),
            scope: String::new(),
            schedule_time,
            extra: serde_json::Map::new(),
            headers: BTreeMap::new(),
            body: Some(Vec::new()),
            deadline: ATTEMPT_DEADLINE,
        }
    }

    /// Replaces the job's route.
    #[must_use]
    pub fn route(mut self, route: impl Into<String>) -> Self {
        self.route = route.into();
        self
    }

    /// Replaces the job's scope in the body.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = scope.into();
        self
    }

    /// Adds or replaces a field of the body, such as `run_time` or `tickers`.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>, value: Value) -> Self {
        self.extra.insert(name.into(), value);
        self
    }

    /// Exactly these tickers instead of the scope's.
    #[must_use]
    pub fn tickers<T: Into<String>>(self, tickers: impl IntoIterator<Item = T>) -> Self {
        let tickers = tickers.into_iter().map(|ticker| Value::String(ticker.into())).collect();
        self.field("tickers", tickers)
    }

    /// Adds a header or replaces one of Cloud Scheduler's.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.insert(name.to_ascii_lowercase(), value.into());
        self
    }

    /// Exactly these bytes instead of the JSON body.
    #[must_use]
    pub fn body(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.body = Some(bytes.into());
        self
    }

    /// Gives up after this long instead of 3 minutes.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Posts the tick once. An error means that there was no complete response within the deadline.
    pub async fn send(&self, base_url: &str) -> Result<Reply> {
        let start = Instant::now();
        let address = format!("{base_url}{}", self.route);
        let mut request = client().post(&address).timeout(self.deadline).body(self.payload());
        for (name, value) in self.all_headers() {
            request = request.header(name, value);
        }
        let answer = request.send().await.with_context(|| format!("no response from {address}"))?;
        let status = answer.status().as_u16();
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let headers = answer.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let bytes =
            answer.bytes().await.with_context(|| format!("the response from {address} ended early"))?;
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Ok(Reply { status, headers, body, duration: start.elapsed() })
    }

    /// Posts the tick until it succeeds, at most `attempts` times with a pause between them.
    ///
    /// Returns the result of every attempt in order, as [`Tick::send`] does.
    pub async fn deliver(&self, base_url: &str, attempts: usize, pause: Duration) -> Vec<Result<Reply>> {
        let mut replies = Vec::new();
        for attempt in 0..attempts {
            if attempt > 0 {
                tokio::time::sleep(pause).await;
            }
            let reply = self.send(base_url).await;
            let done = reply.as_ref().is_ok_and(Reply::is_success);
            replies.push(reply);
            if done {
                break;
            }
        }
        replies
    }

    fn payload(&self) -> Vec<u8> {
        if let Some(bytes) = &self.body {
            return bytes.clone();
        }
        let mut body = json!({"scope": self.scope, "job": self.job});
        if let Some(fields) = body.as_object_mut() {
            fields.extend(self.extra.clone());
        }
        body.to_string().into_bytes()
    }

    fn all_headers(&self) -> BTreeMap<String, String> {
        let time = self.schedule_time.to_rfc3339_opts(SecondsFormat::Secs, true);
        let mut headers = BTreeMap::from(
            [
                ("user-agent", "Google-Cloud-Scheduler"),
                ("x-cloudscheduler", "true"),
                ("x-cloudscheduler-jobname", self.job.as_str()),
                ("x-cloudscheduler-scheduletime", time.as_str()),
                // Cloud Scheduler's default content type, though the body is JSON.
                ("content-type", "application/octet-stream"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        headers.extend(self.headers.clone());
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::moment;
    use crate::providers::{Fault, Ports, Providers};

    fn job() -> &'static Job {
        Job::find("tiingo-daily-prices").expect("known")
    }

    #[tokio::test]
    async fn a_tick_looks_like_cloud_schedulers() {
        // Any server with a journal can tell what was sent.
        let providers = Providers::start(Ports::default()).await.expect("started");
        let tick = Tick::new(job(), moment(None)).tickers(["AAPL"]).route("/fetch");
        let reply = tick.send(&providers.tiingo().url()).await.expect("answered");
        assert_eq!(reply.status, 422, "the provider services refuse octet-stream");
        let call = providers.tiingo().journal().calls().remove(0);
        assert_eq!(call.headers["x-cloudscheduler"], "true");
        assert_eq!(call.headers["x-cloudscheduler-scheduletime"], "2024-03-15T16:00:00Z");
        assert_eq!(call.headers["content-type"], "application/octet-stream");
        assert_eq!(
            call.body,
            json!({"scope": "entire_watchlist", "job": "tiingo-daily-prices", "tickers": ["AAPL"]})
        );
    }

    #[tokio::test]
    async fn delivery_repeats_the_tick_until_it_succeeds() {
        let providers = Providers::start(Ports::default()).await.expect("started");
        providers.tiingo().fault(Fault::status(503).times(2));
        let tick = Tick::new(job(), moment(None))
            .route("/fetch")
            .header("content-type", "application/json")
            .tickers(["AAPL"])
            .field("job_id", json!("j"))
            .field("run_time", json!("2024-03-15T16:00:00Z"));
        let replies = tick.deliver(&providers.tiingo().url(), 5, Duration::from_millis(1)).await;
        let statuses: Vec<u16> = replies.into_iter().filter_map(|reply| Some(reply.ok()?.status)).collect();
        assert_eq!(statuses, [503, 503, 200]);
    }
}
