//! Credentials for the providers.

use std::sync::Arc;

use e2e::stored::assert_raw_logs;
use e2e::system::{expect, get, job, post, tick};
use e2e::trust::{called_as, google};
use serde_json::Value;
use sim::gate::Gate;
use sim::google::{Desk, Google, Outage};
use sim::providers::Fault;
use sim::scheduler::Tick;
use sim::stack::Stack;

const PRICES: &str = "tiingo-daily-prices";

/// Five calls of one ticker each, four of them at once.
async fn system(google: &Arc<Google>, credentials: &str) -> Stack {
    let key = google.key_file();
    let settings = [
        ("provider_auth", "id_token"),
        ("gcp_credentials", credentials),
        ("gcp_service_account_key", key.as_str()),
        ("batch_size_tiingo", "1"),
        ("max_concurrency_tiingo", "4"),
    ];
    called_as(google, google.access_gate(), true, &settings).await
}

fn prices(minutes: i64) -> Tick {
    Tick::new(job(PRICES), e2e::system::at(minutes))
}

/// Requests for ID tokens.
fn identities(google: &Google) -> usize {
    google.given_out().iter().filter(|token| token.starts_with("ey")).count()
}

#[tokio::test]
async fn every_call_has_a_token_for_its_services_address() {
    for (credentials, desk) in [("service_account_key", Desk::Token), ("metadata", Desk::Metadata)] {
        let google = google().await;
        let stack = system(&google, credentials).await;
        expect(&stack.orchestrator, &prices(0), 200).await;
        expect(&stack.orchestrator, &prices(5), 200).await;
        assert_eq!((identities(&google), google.count(desk)), (1, 2), "one for Firestore, one for tiingo");
        expect(&stack.orchestrator, &tick("finnhub-fundamentals-earnings"), 200).await;
        assert_eq!(identities(&google), 2, "{credentials}");
        assert_eq!(get(&stack.orchestrator, "/status").await.status, 200);
        assert_eq!(identities(&google), 2, "no health checks are sent");
        for provider in ["polygon", "alphavantage"] {
            let probe = post(&stack.orchestrator, &format!("/providers/{provider}/probe")).await;
            assert_eq!((probe.status, &probe.body["error"]), (200, &Value::Null), "{:#}", probe.body);
        }
        assert_eq!(identities(&google), 4, "except for requested probes, which need their own tokens");
        assert_raw_logs(&stack).await;
    }
}

#[tokio::test]
async fn a_revoked_token_is_renewed_once_for_all_calls() {
    let google = google().await;
    let stack = system(&google, "metadata").await;
    expect(&stack.orchestrator, &prices(0), 200).await;
    google.revoke();
    let before = stack.providers.tiingo().journal().count();
    expect(&stack.orchestrator, &prices(5), 200).await;
    assert_eq!(identities(&google), 2);
    let calls = stack.providers.tiingo().journal().count() - before;
    assert!((6..=9).contains(&calls), "five successful calls, and those with the old token: {calls}");

    stack.providers.tiingo().fault(Fault::status(403).times(1));
    expect(&stack.orchestrator, &prices(10), 200).await;
    assert_eq!(identities(&google), 3);
}

#[tokio::test]
async fn a_provider_that_refuses_every_token_ends_the_run() {
    for code in [401, 403] {
        let google = google().await;
        let stack = system(&google, "metadata").await;
        stack.providers.tiingo().set_gate(Gate::new(move |_| Err(code)));
        let reply = expect(&stack.orchestrator, &prices(0), 503).await;
        let message = reply.body["message"].as_str().expect("a message");
        assert!(
            message.contains("refuses calls from this service") && message.contains(&code.to_string()),
            "{message}"
        );
        assert_eq!(identities(&google), 2, "a new token is requested once");
        assert!(
            stack.providers.tiingo().journal().count() <= 8,
            "the provider is not called again and again"
        );
        assert_eq!(reply.body["data"]["tickers_pending"], 5, "{:#}", reply.body);
    }
}

#[tokio::test]
async fn without_an_id_token_the_run_ends_without_a_call() {
    let google = google().await;
    let stack = system(&google, "service_account_key").await;
    // Get the token for Firestore before the endpoint starts to refuse.
    assert_eq!(get(&stack.orchestrator, "/runs").await.status, 200);
    google.fail(Desk::Token, Outage::Status(403));
    let reply = expect(&stack.orchestrator, &prices(0), 503).await;
    let message = reply.body["message"].as_str().expect("a message");
    assert!(message.contains("cannot get an ID token"), "{message}");
    assert_eq!(stack.providers.tiingo().journal().count(), 0);
    assert_eq!(reply.body["data"]["tickers_pending"], 5);
    google.recover();
    expect(&stack.orchestrator, &prices(0), 200).await;
}
