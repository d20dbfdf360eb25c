//! A small system with some history for its metrics: every job has run, with faults of many kinds.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use orchestrator::catalogue::jobs;
use serde_json::json;
use sim::firestore::Firestore;
use sim::providers::{Fault, Pace};
use sim::stack::{Parts, Stack};
use sim::watchlist::Watchlist;

use crate::runtime::Runtime;
use crate::system;

/// Symbols in the watchlist and how many of them are active positions. Few, because every request to a job's route runs
/// the job.
const WATCHLIST: (usize, usize) = (4, 2);

/// For these checks only. The service requires a token, as in production.
const OPERATOR_TOKEN: &str = "conformance-checks-only-0123456789";

/// Maximum wait for a response.
const PATIENCE: Duration = Duration::from_secs(60);

/// A system and the client that created its history.
pub struct Scene {
    stack: Stack,
    client: reqwest::Client,
}

impl Scene {
    /// Starts everything and runs all jobs, some of them with faults; afterwards all providers are up again.
    pub async fn start(runtime: Runtime) -> Result<Self> {
        let builder = system::builder(runtime, runtime.program()?).variables([
            ("inbound_auth", "oidc"),
            ("scheduler_service_account", "scheduler@example.com"),
            ("oidc_audience", "https://orchestrator.example.com"),
            ("operator_token", OPERATOR_TOKEN),
            ("retry_base_ms", "5"),
            ("retry_max_ms", "20"),
        ]);
        let parts = Parts {
            firestore: Some(Arc::new(Firestore::for_tests().await?)),
            watchlist: Some(Watchlist::new(WATCHLIST.0, WATCHLIST.1)),
            pace: Some(Pace::Unlimited),
            ..Parts::default()
        };
        let stack = Stack::start(parts, builder).await?;
        // Ignore proxy settings: everything is on 127.0.0.1.
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?;
        let scene = Self { stack, client };
        scene.live().await?;
        Ok(scene)
    }

    async fn live(&self) -> Result<()> {
        let providers = &self.stack.providers;
        providers.tiingo().fault(Fault::status(500).times(1));
        providers.alphavantage().fault(Fault::garbage().times(1));
        let tickers = self.stack.watchlist.tickers(sim::watchlist::Scope::ActiveSymbols);
        providers.finnhub().fault(Fault::ticker_errors(tickers.into_iter().take(1)).times(2));
        for job in jobs() {
            self.trigger(job.name).await?;
        }
        providers.polygon().fault(Fault::status(503));
        self.trigger("polygon-news-portfolio").await?;
        for service in
            [providers.tiingo(), providers.alphavantage(), providers.finnhub(), providers.polygon()]
        {
            service.clear();
        }
        let reset = self.client.post(self.url("/breakers/polygon/reset")).bearer_auth(OPERATOR_TOKEN);
        reset.send().await?.error_for_status()?;
        Ok(())
    }

    /// Runs a job, whatever its outcome.
    async fn trigger(&self, job: &str) -> Result<()> {
        let request = self.client.post(self.url("/manual/trigger-job")).bearer_auth(OPERATOR_TOKEN);
        let answer = request.json(&json!({ "job": job })).send().await?;
        let status = answer.status();
        let report: serde_json::Value = answer.json().await.context("the response is not JSON")?;
        if !report["data"]["run_id"].is_string() {
            bail!("{job} did not run: {status} {report}\n{}", self.stack.orchestrator.log().tail());
        }
        Ok(())
    }

    /// What Prometheus would scrape.
    pub async fn metrics(&self) -> Result<String> {
        let request = self.client.get(self.url("/metrics")).bearer_auth(OPERATOR_TOKEN);
        Ok(request.send().await?.error_for_status()?.text().await?)
    }

    /// Passes the system's address and token to schemathesis.
    pub fn show_to(&self, command: &mut Command) {
        command.arg("--header").arg(format!("Authorization: Bearer {OPERATOR_TOKEN}"));
        command.arg(self.url("/openapi.json"));
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.stack.orchestrator.url())
    }
}
