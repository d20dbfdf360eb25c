//! Systems with authentication, of callers and of the component's own calls.

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::{Client, Method};
use serde_json::Value;
use sim::gate::Gate;
use sim::google::Google;
use sim::orchestrator::Orchestrator;
use sim::scheduler::Reply;
use sim::stack::{Parts, Stack};
use sim::watchlist::Watchlist;

use crate::runtime::lasting;
use crate::system::{PATIENCE, start_with, wait_until};

/// The service account that may call.
pub const SCHEDULER: &str = "scheduler@sim.iam.gserviceaccount.com";
/// The operators' token.
pub const OPERATOR: &str = "operator-token-of-the-tests-0123456789";
/// The audience of the scheduler's tokens.
pub const AUDIENCE: &str = "https://orchestrator.sim.internal";
/// The settings that require an ID token of callers.
pub const GUARDED: [(&str, &str); 4] = [
    ("inbound_auth", "oidc"),
    ("scheduler_service_account", SCHEDULER),
    ("oidc_audience", AUDIENCE),
    ("operator_token", OPERATOR),
];

/// A simulated Google for one test.
pub async fn google() -> Arc<Google> {
    Arc::new(Google::start().await.expect("Google starts"))
}

/// A system of five tickers that uses this Google.
pub async fn system(google: &Arc<Google>, settings: &[(&str, &str)]) -> Stack {
    let parts = Parts { google: Some(Arc::clone(google)), ..parts() };
    start_with(parts, lasting().variables(settings.iter().copied())).await
}

/// The same with a Firestore that requires access tokens and, optionally, providers that require ID tokens.
pub async fn called_as(
    google: &Arc<Google>,
    gate: Gate,
    guard_providers: bool,
    settings: &[(&str, &str)],
) -> Stack {
    let google = Some(Arc::clone(google));
    let parts = Parts { google, firestore_gate: Some(gate), guard_providers, ..parts() };
    start_with(parts, lasting().variables(settings.iter().copied())).await
}

fn parts() -> Parts {
    Parts { watchlist: Some(Watchlist::new(5, 5).without_indices()), ..Parts::default() }
}

/// A token of the scheduler.
pub fn token(google: &Google) -> String {
    google.sign(&claims(google))
}

/// The claims of the scheduler's token.
pub fn claims(google: &Google) -> Value {
    google.claims(SCHEDULER, AUDIENCE)
}

/// Asserts that each instance has fetched once for all its requests. The runtime may start several instances for
/// requests that arrive at the same time.
pub async fn assert_once_an_instance(stack: &Stack, fetches: usize, requests: usize) {
    let instances = || {
        let log = stack.orchestrator.log().lines();
        log.iter().filter(|line| line.contains("instance started")).count()
    };
    assert!(fetches > 0);
    // A log line may arrive after the responses.
    wait_until("no more fetches than instances", async || fetches <= instances()).await;
    assert!(instances() < requests, "every request had its own instance: nothing was shared");
}

/// Sends a request with exactly these Authorization headers.
pub async fn ask_as(
    orchestrator: &Orchestrator,
    (method, path): (Method, &str),
    authorization: &[&str],
    body: &'static str,
) -> Reply {
    let client = Client::builder().no_proxy().build().expect("a client");
    let mut request = client.request(method, format!("{}{path}", orchestrator.url())).body(body);
    for value in authorization {
        request = request.header("authorization", *value);
    }
    let answer = request.timeout(PATIENCE).send().await.expect("an answer");
    let status = answer.status().as_u16();
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in answer.headers() {
        let all = headers.entry(name.to_string()).or_default();
        let value = String::from_utf8_lossy(value.as_bytes());
        *all = if all.is_empty() { value.into_owned() } else { format!("{all}, {value}") };
    }
    let body = answer.text().await.expect("a whole answer");
    let body = serde_json::from_str(&body).unwrap_or_else(|_| body.into());
    Reply { status, headers, body, duration: std::time::Duration::ZERO }
}
