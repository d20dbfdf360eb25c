//! The whole system with some history: successful runs, a partial one, and a failed one that can be resumed.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use orchestrator::catalogue::jobs;
use serde_json::{Value, json};
use sim::firestore::Firestore;
use sim::providers::{Fault, Pace};
use sim::stack::{Parts, Stack};
use sim::watchlist::Watchlist;

use crate::runtime::Runtime;
use crate::system;

/// Symbols in the watchlist and how many of them are active positions.
const WATCHLIST: (usize, usize) = (60, 20);

/// For these tests only. The page requires a token, as in production.
const OPERATOR_TOKEN: &str = "browser-tests-only-0123456789abcdef";

/// Latency of the job that the tests trigger: a call must take long enough for the page to show the run in progress.
const SLOW_CALL: Duration = Duration::from_millis(1500);

/// The job that fails and that the tests resume. Its provider's breaker opens.
const FAILING_JOB: &str = "polygon-news-portfolio";

/// The job that ends with failed tickers.
const PARTIAL_JOB: &str = "finnhub-quote-portfolio";

/// A system and the client that created its history.
pub struct Scene {
    stack: Stack,
    client: reqwest::Client,
}

impl Scene {
    /// Starts everything, runs every job successfully `rounds` times, one partially and one without success; afterwards
    /// all providers are up again.
    pub async fn start(runtime: Runtime, rounds: usize) -> Result<Self> {
        let builder = system::builder(runtime, runtime.program()?).variables([
            ("inbound_auth", "oidc"),
            ("scheduler_service_account", "scheduler@example.com"),
            ("oidc_audience", "https://orchestrator.example.com"),
            ("operator_token", OPERATOR_TOKEN),
            ("retry_base_ms", "20"),
            ("retry_max_ms", "100"),
            // Longer than the tests, which close the breaker themselves.
            ("breaker_open_seconds", "3600"),
            ("breaker_open_max_seconds", "3600"),
        ]);
        let parts = Parts {
            firestore: Some(Arc::new(Firestore::for_tests().await?)),
            watchlist: Some(Watchlist::new(WATCHLIST.0, WATCHLIST.1)),
            pace: Some(Pace::Unlimited),
            ..Parts::default()
        };
        let stack = Stack::start(parts, builder).await?;
        // Ignore proxy settings: everything is on 127.0.0.1.
        let client = reqwest::Client::builder().no_proxy().build()?;
        let scene = Self { stack, client };
        for _ in 0..rounds {
            for job in jobs() {
                scene.trigger(job.name, "succeeded").await?;
            }
        }
        scene.suffer().await?;
        Ok(scene)
    }

    async fn suffer(&self) -> Result<()> {
        let providers = &self.stack.providers;
        self.trigger("tiingo-daily-prices-indices", "succeeded").await?;
        let tickers = self.stack.watchlist.tickers(sim::watchlist::Scope::ActiveSymbols);
        providers.finnhub().fault(Fault::ticker_errors(tickers.into_iter().take(3)));
        self.trigger(PARTIAL_JOB, "partial").await?;
        providers.polygon().fault(Fault::status(503).detail("upstream provider is in maintenance"));
        self.trigger(FAILING_JOB, "failed").await?;
        providers.finnhub().clear();
        providers.polygon().clear();
        providers.alphavantage().set_latency(SLOW_CALL, Duration::ZERO);
        Ok(())
    }

    /// Passes the system's address and token to a program.
    pub fn show_to(&self, command: &mut Command) {
        command.env("DASHBOARD_URL", self.stack.orchestrator.url()).env("DASHBOARD_TOKEN", OPERATOR_TOKEN);
    }

    /// The last log lines of the component and its runtime.
    pub fn last_words(&self) -> String {
        self.stack.orchestrator.log().tail()
    }

    async fn trigger(&self, job: &str, expected: &str) -> Result<()> {
        let url = format!("{}/manual/trigger-job", self.stack.orchestrator.url());
        let request = self.client.post(url).bearer_auth(OPERATOR_TOKEN).json(&json!({ "job": job }));
        let answer: Value = request.send().await?.json().await.context("the response is not JSON")?;
        let status = answer["data"]["run_status"].as_str().unwrap_or_default();
        if status != expected {
            bail!("{job} should have {expected}: {answer}\n{}", self.last_words());
        }
        Ok(())
    }
}
