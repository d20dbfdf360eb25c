//! Systems in which tokens count: who may call, as whom the component calls.

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
/// The token of the people who operate the service.
pub const OPERATOR: &str = "operator-token-of-the-tests-0123456789";
/// What the scheduler's tokens are for.
pub const AUDIENCE: &str = "https://orchestrator.sim.internal";
/// The settings under which callers must show an ID token.
pub const GUARDED: [(&str, &str); 4] = [
    ("inbound_auth", "oidc"),
    ("scheduler_service_account", SCHEDULER),
    ("oidc_audience", AUDIENCE),
    ("operator_token", OPERATOR),
];

/// A simulated Google of the test's own.
pub async fn google() -> Arc<Google> {
    Arc::new(Google::start().await.expect("Google starts"))
}

/// A system of five tickers that finds this Google.
pub async fn system(google: &Arc<Google>, settings: &[(&str, &str)]) -> Stack {
    let parts = Parts { google: Some(Arc::clone(google)), ..parts() };
    start_with(parts, lasting().variables(settings.iter().copied())).await
}

/// The same behind a Firestore that asks for access tokens, with providers that ask for ID tokens if told so.
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

/// What such a token says.
pub fn claims(google: &Google) -> Value {
    google.claims(SCHEDULER, AUDIENCE)
}

/// So many requests have led to so many fetches: what is fetched is shared by all requests of an instance, and the
/// runtime may start several instances for requests that come at the same time.
pub async fn assert_once_an_instance(stack: &Stack, fetches: usize, requests: usize) {
    let instances = || {
        let log = stack.orchestrator.log().lines();
        log.iter().filter(|line| line.contains("instance started")).count()
    };
    assert!(fetches > 0);
    // A line of the log may reach us after the answers.
    wait_until("no more fetches than instances", async || fetches <= instances()).await;
    assert!(instances() < requests, "every request has had an instance of its own: nothing was shared");
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
