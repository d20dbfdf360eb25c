//! The four provider services on real sockets: deterministic answers, scripted faults, a journal of every request.

mod answer;
mod defects;
mod faults;
mod handler;
mod journal;
mod request;
mod script;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::data::Spec;
use crate::endpoint::Service;
use crate::gate::Gate;
use crate::server::Server;
pub use defects::Defect;
pub use faults::{Fault, RetryAfter};
pub use journal::{Call, Journal, Outcome};
use script::Script;

/// Where the services listen on 127.0.0.1; 0 lets the system choose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ports {
    /// 8001 in a default deployment.
    pub tiingo: u16,
    /// 8002 in a default deployment.
    pub finnhub: u16,
    /// 8003 in a default deployment.
    pub polygon: u16,
    /// 8004 in a default deployment.
    pub alphavantage: u16,
}

impl Ports {
    /// The ports of a default deployment, 8001 to 8004.
    pub const fn standard() -> Self {
        Self {
            tiingo: Service::Tiingo.default_port(),
            finnhub: Service::Finnhub.default_port(),
            polygon: Service::Polygon.default_port(),
            alphavantage: Service::Alphavantage.default_port(),
        }
    }

    const fn of(self, service: Service) -> u16 {
        match service {
            Service::Tiingo => self.tiingo,
            Service::Finnhub => self.finnhub,
            Service::Polygon => self.polygon,
            Service::Alphavantage => self.alphavantage,
        }
    }
}

/// The four services. They end when this value is dropped.
#[derive(Debug)]
pub struct Providers([Provider; 4]);

impl Providers {
    /// Starts all four.
    pub async fn start(ports: Ports) -> Result<Self> {
        let [tiingo, finnhub, polygon, alphavantage] =
            Service::ALL.map(|service| Provider::start(service, ports.of(service)));
        Ok(Self([tiingo.await?, finnhub.await?, polygon.await?, alphavantage.await?]))
    }

    /// The tiingo service.
    pub fn tiingo(&self) -> &Provider {
        self.get(Service::Tiingo)
    }

    /// The finnhub service.
    pub fn finnhub(&self) -> &Provider {
        self.get(Service::Finnhub)
    }

    /// The polygon service.
    pub fn polygon(&self) -> &Provider {
        self.get(Service::Polygon)
    }

    /// The alphavantage service.
    pub fn alphavantage(&self) -> &Provider {
        self.get(Service::Alphavantage)
    }

    /// The service of that name.
    pub fn get(&self, service: Service) -> &Provider {
        let [tiingo, finnhub, polygon, alphavantage] = &self.0;
        match service {
            Service::Tiingo => tiingo,
            Service::Finnhub => finnhub,
            Service::Polygon => polygon,
            Service::Alphavantage => alphavantage,
        }
    }

    /// All four, in the order of [`Service::ALL`].
    pub fn all(&self) -> &[Provider; 4] {
        &self.0
    }

    /// The base addresses, `http://127.0.0.1:PORT`.
    pub fn urls(&self) -> [(Service, String); 4] {
        self.0.each_ref().map(|provider| (provider.service(), provider.url()))
    }

    /// Sets what all four make their answers from.
    pub fn set_spec(&self, spec: Spec) {
        self.0.iter().for_each(|provider| provider.set_spec(spec));
    }

    /// Ends the scripts, journals and high-water marks of all four.
    pub fn clear(&self) {
        for provider in &self.0 {
            provider.clear();
            provider.journal().clear();
            provider.reset_max_in_flight();
        }
    }

    /// Stops all four: open connections break, new ones are refused.
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
        Ok(Self { port: server.port(), shared, server: tokio::sync::Mutex::new(Some(server)) })
    }

    /// Which of the four this is.
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

    /// Ends the script: everything works again.
    pub fn clear(&self) {
        lock(&self.shared.script).clear();
    }

    /// Makes every fetch take `per_call` plus `per_ticker` for each ticker, as a service that walks its list does.
    pub fn set_latency(&self, per_call: Duration, per_ticker: Duration) {
        lock(&self.shared.settings).latency = (per_call, per_ticker);
    }

    /// Sets what the answers are made from.
    pub fn set_spec(&self, spec: Spec) {
        lock(&self.shared.settings).spec = spec;
    }

    /// What the answers are made from.
    pub fn spec(&self) -> Spec {
        self.shared.settings().spec
    }

    /// Lets only callers pass whom the gate lets.
    pub fn set_gate(&self, gate: Gate) {
        *lock(&self.shared.gate) = Some(gate);
    }

    /// Whether `GET /health` says 200 or 503.
    pub fn set_healthy(&self, healthy: bool) {
        self.shared.healthy.store(healthy, Ordering::Relaxed);
    }

    /// What the service was asked and what it answered.
    pub fn journal(&self) -> &Journal {
        &self.shared.journal
    }

    /// The most fetches that were in progress at one time.
    pub fn max_in_flight(&self) -> usize {
        self.shared.most_in_flight.load(Ordering::Relaxed)
    }

    /// Starts the high-water mark afresh.
    pub fn reset_max_in_flight(&self) {
        self.shared.most_in_flight.store(self.shared.in_flight.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// Breaks open connections and refuses new ones until [`Provider::restart`].
    pub async fn stop(&self) {
        if let Some(server) = self.server.lock().await.take() {
            server.stop().await;
        }
    }

    /// Listens again on the same port; script and journal stay as they are.
    pub async fn restart(&self) -> Result<()> {
        let mut server = self.server.lock().await;
        if let Some(running) = server.take() {
            running.stop().await;
        }
        let restarted = Server::start(self.port, Arc::clone(&self.shared))
            .await
            .with_context(|| format!("port {} was taken while the service was stopped", self.port))?;
        *server = Some(restarted);
        Ok(())
    }
}

/// What the connections of one service share.
#[derive(Debug)]
struct Shared {
    service: Service,
    script: Mutex<Script>,
    settings: Mutex<Settings>,
    gate: Mutex<Option<Gate>>,
    journal: Journal,
    healthy: AtomicBool,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Settings {
    spec: Spec,
    /// Per call, per ticker.
    latency: (Duration, Duration),
}

impl Shared {
    fn new(service: Service) -> Self {
        Self {
            service,
            script: Mutex::default(),
            settings: Mutex::default(),
            gate: Mutex::default(),
            journal: Journal::default(),
            healthy: AtomicBool::new(true),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
        }
    }

    fn settings(&self) -> Settings {
        *lock(&self.settings)
    }

    /// Counts a fetch as in progress until the result is dropped.
    fn enter(&self) -> InFlight<'_> {
        let now = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_in_flight.fetch_max(now, Ordering::Relaxed);
        InFlight(&self.in_flight)
    }
}

struct InFlight<'a>(&'a AtomicUsize);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A lock that a failed test's panic does not take away from the others.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
