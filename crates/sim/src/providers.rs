//! The provider services on real sockets: deterministic answers, scripted faults, a journal of every request.
//!
//! They behave as the deployed services do (`dhumphrey11/djh-ingest`, `services/*`). Those were run unchanged against a
//! simulated upstream; this was observed:
//!
//! | behaviour | in the deployed services | here |
//! |---|---|---|
//! | limits per minute, hour and day, counted in the process; a refusal is a ticker's `error` inside a 200 |
//! `*_client.py`, `_check_rate_limit` | [`Pace`] |
//! | pauses between tickers: tiingo 0.5 s per five, quotes 0.2 s per five, news and fundamentals 0.5 s, polygon 12 s,
//! alphavantage 12 to 10 s per indicator | `*_client.py`, `fetch_…` | [`Pace`] |
//! | alphavantage never answers all seven indicators of a ticker in one call: the sixth falls into the first one's minute | `alphavantage_client.py`, `_adjust_throttling` | [`Pace`] |
//! | market news at its limit is a 502, without `Retry-After` | `polygon-service/app.py`, `_execute_fetch` | [`Pace`] |
//! | no service ever answers 429 or retries: its retry decorator does not await | `shared/utils/retries.py` | [`words`] |
//! | an indicator that failed is `{"error"}` in its place, and its ticker counts as fetched | `_fetch_ticker_indicators` | [`Fault::indicator_errors`] |
//! | `GET /health` costs one request of the limit, is a 503 at the limit, and takes alphavantage 10 s or more; so does
//! the start | `app.py`, `health_check` | [`Pace`] |
//! | work continues when the caller hangs up | `app.py` | every fetch |
//! | `parameters` of an indicator hold `function`, `symbol`, `apikey` | `fetch_single_indicator` | [`words::api_key`] |
//! | if upstream answers with an HTML page, the error message contains the address with the API key | `_make_request` |
//! [`words::html_page`] |
//! | a missing price is 0, a missing article time `datetime: 0`, a null id `finnhub_None`; strings may be null |
//! `_fetch_ticker_…` | `data`, [`Defect`] |
//! | times without a zone | everywhere | `data` |
//! | uppercase scopes are refused with 422 | `shared/models.py`, `ScopeType` | every fetch |
//! | `indicators` chooses alphavantage's indicators | `app.py`, `TechnicalIndicatorRequest` | every fetch |
//!
//! They differ in two ways: earnings include past reports next to the upcoming one, so that there is something to
//! count, and records refer to the request's `run_time`, not to the current time, so that a test can compute them.

mod answer;
mod defects;
mod faults;
mod handler;
mod journal;
mod pace;
mod request;
mod script;
mod shared;
mod walk;

pub(crate) use request::Fetch;
pub mod words;

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::endpoint::Service;
use crate::gate::Gate;
use crate::server::Server;
use crate::spec::Spec;
pub use defects::Defect;
pub use faults::{Fault, RetryAfter};
pub use journal::{Call, Journal, Outcome};
pub use pace::Pace;
use shared::Shared;

/// Where the services listen on 127.0.0.1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ports {
    /// The system chooses.
    #[default]
    Free,
    /// The ports of a default deployment, from 8001.
    Standard,
}

impl Ports {
    /// The ports of a default deployment.
    pub const fn standard() -> Self {
        Self::Standard
    }

    const fn of(self, service: Service) -> u16 {
        match self {
            Self::Free => 0,
            Self::Standard => service.default_port(),
        }
    }
}

/// All services. They stop when this value is dropped.
#[derive(Debug)]
pub struct Providers(Vec<Provider>);

impl Providers {
    /// Starts all of them.
    pub async fn start(ports: Ports) -> Result<Self> {
        let started = Service::ALL.map(|service| Provider::start(service, ports.of(service)));
        Ok(Self(futures::future::try_join_all(started).await?))
    }

    /// The tiingo service.
    pub fn tiingo(&self) -> &Provider {
        self.get(Service::TIINGO)
    }

    /// The finnhub service.
    pub fn finnhub(&self) -> &Provider {
        self.get(Service::FINNHUB)
    }

    /// The polygon service.
    pub fn polygon(&self) -> &Provider {
        self.get(Service::POLYGON)
    }

    /// The alphavantage service.
    pub fn alphavantage(&self) -> &Provider {
        self.get(Service::ALPHAVANTAGE)
    }

    /// The service of that name.
    pub fn get(&self, service: Service) -> &Provider {
        self.0.iter().find(|provider| provider.service() == service).expect("every service is started")
    }

    /// All of them, in the order of [`Service::ALL`].
    pub fn all(&self) -> &[Provider] {
        &self.0
    }

    /// The base addresses, `http://127.0.0.1:PORT`.
    pub fn urls(&self) -> Vec<(Service, String)> {
        self.0.iter().map(|provider| (provider.service(), provider.url())).collect()
    }

    /// Sets the data of all.
    pub fn set_spec(&self, spec: Spec) {
        self.0.iter().for_each(|provider| provider.set_spec(spec));
    }

    /// Sets the pace of all and resets their limits.
    pub fn set_pace(&self, pace: Pace) {
        self.0.iter().for_each(|provider| provider.set_pace(pace));
    }

    /// Clears the scripts, journals and high-water marks of all and resets their limits.
    pub fn clear(&self) {
        for provider in &self.0 {
            provider.clear();
            provider.set_pace(provider.pace());
            provider.journal().clear();
            provider.reset_max_in_flight();
        }
    }

    /// Stops all: open connections break, new ones are refused.
    pub async fn stop(&self) {
        for provider in &self.0 {
            provider.stop().await;
        }
    }
}

/// One provider service.
#[derive(Debug)]
pub struct Provider {
    shared: Arc<Shared>,
    port: u16,
    server: tokio::sync::Mutex<Option<Server>>,
}

impl Provider {
    /// Starts one service; port 0 lets the system choose.
    pub async fn start(service: Service, port: u16) -> Result<Self> {
        let shared = Arc::new(Shared::new(service));
        let server = Server::start(port, Arc::clone(&shared))
            .await
            .with_context(|| format!("the simulated {service} service cannot listen on 127.0.0.1:{port}"))?;
        shared.meter.start(Pace::default());
        Ok(Self { port: server.port(), shared, server: tokio::sync::Mutex::new(Some(server)) })
    }

    /// The service that this simulates.
    pub fn service(&self) -> Service {
        self.shared.service
    }

    /// The base address, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Adds a fault to the end of the script.
    pub fn fault(&self, fault: Fault) {
        lock(&self.shared.script).add(fault);
    }

    /// Clears the script: everything works again.
    pub fn clear(&self) {
        lock(&self.shared.script).clear();
    }

    /// Makes every fetch take `per_call` plus `per_ticker` for each ticker, as a service that works through its list
    /// does.
    pub fn set_latency(&self, per_call: Duration, per_ticker: Duration) {
        lock(&self.shared.settings).latency = (per_call, per_ticker);
    }

    /// Sets the service's pace and resets its limits, as a new process does.
    pub fn set_pace(&self, pace: Pace) {
        self.shared.meter.start(pace);
    }

    /// The service's pace.
    pub fn pace(&self) -> Pace {
        self.shared.meter.pace()
    }

    /// Sets the data of the answers.
    pub fn set_spec(&self, spec: Spec) {
        lock(&self.shared.settings).spec = spec;
    }

    /// The data of the answers.
    pub fn spec(&self) -> Spec {
        self.shared.settings().spec
    }

    /// Admits only callers that the gate admits.
    pub fn set_gate(&self, gate: Gate) {
        *lock(&self.shared.gate) = Some(gate);
    }

    /// Sets whether `GET /health` answers 200 or 503.
    pub fn set_healthy(&self, healthy: bool) {
        self.shared.healthy.store(healthy, Ordering::Relaxed);
    }

    /// The requests received and how they were answered.
    pub fn journal(&self) -> &Journal {
        &self.shared.journal
    }

    /// The most fetches that were in progress at one time.
    pub fn max_in_flight(&self) -> usize {
        self.shared.most_in_flight.load(Ordering::Relaxed)
    }

    /// Resets the high-water mark.
    pub fn reset_max_in_flight(&self) {
        self.shared.most_in_flight.store(self.shared.in_flight.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Breaks open connections and refuses new ones until [`Provider::restart`].
    pub async fn stop(&self) {
        if let Some(server) = self.server.lock().await.take() {
            server.stop().await;
        }
    }

    /// Listens again on the same port. Script and journal are kept; the limits are reset.
    pub async fn restart(&self) -> Result<()> {
        let mut server = self.server.lock().await;
        if let Some(running) = server.take() {
            running.stop().await;
        }
        let restarted = Server::start(self.port, Arc::clone(&self.shared))
            .await
            .with_context(|| format!("port {} was taken while the service was stopped", self.port))?;
        *server = Some(restarted);
        self.set_pace(self.pace());
        Ok(())
    }
}

/// Locks a mutex even if a failed test has poisoned it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
