//! Packets on the wire, and how the runtime treats addresses.

use e2e::runtime::builder;
use e2e::system::{expect, get, start_with, tick};
use serde_json::Value;
use sim::relay::{Acknowledge, Relay};
use sim::stack::Parts;
use sim::watchlist::Watchlist;

const JOB: &str = "tiingo-daily-prices";

async fn relay() -> Relay {
    Relay::start(Acknowledge::Late).await.expect("a relay")
}

#[tokio::test]
async fn head_and_body_of_a_request_are_sent_together() {
    let (provider, firestore) = (relay().await, relay().await);
    let builder = builder().variables([
        ("tiingo_service_url", format!("http://{}", provider.host())),
        ("firestore_emulator_host", firestore.host().to_owned()),
        // Many small concurrent calls.
        ("batch_size_tiingo", "1".to_owned()),
        ("max_concurrency_tiingo", "8".to_owned()),
    ]);
    let real = sim::firestore::Firestore::shared().await.expect("Firestore starts");
    firestore.lead_to(real.host());
    let parts = Parts { watchlist: Some(Watchlist::new(100, 1)), ..Parts::default() };
    let stack = start_with(parts, builder).await;
    provider.lead_to(stack.providers.tiingo().url().trim_start_matches("http://"));
    expect(&stack.orchestrator, &tick(JOB), 200).await;
    for (relay, least) in [(&provider, 50), (&firestore, 3)] {
        let seen = relay.seen();
        println!("{seen:?}");
        // Occasionally a host with a spare thread is faster than the component.
        assert!(seen.whole >= least && seen.split <= seen.whole / 4, "{seen:?}");
    }
}

#[tokio::test]
async fn an_address_that_the_runtime_would_refuse_is_a_configuration_mistake() {
    for (name, value) in [
        ("tiingo_service_url", "http://127.0.0.1:1/base"),
        ("google_oauth_url", "https://oauth2.example/token"),
        ("polygon_service_url", "HTTP://127.0.0.1:1"),
    ] {
        let parts = Parts { watchlist: Some(Watchlist::new(0, 0)), ..Parts::default() };
        let stack = start_with(parts, builder().variable(name, value)).await;
        let reply = get(&stack.orchestrator, "/health").await;
        assert_eq!(reply.status, 503, "{:#}", reply.body);
        let body = reply.body.to_string();
        assert!(body.contains(&format!("{name} `{value}`")) && body.contains("Spin only accepts"), "{body}");
    }
}

#[tokio::test]
async fn every_accepted_form_of_address_is_called() {
    for (before, behind, name) in [("http://", "/", "127.0.0.1"), (" http://", " ", "LOCALHOST")] {
        let relay = relay().await;
        let parts = Parts { watchlist: Some(Watchlist::new(3, 3)), ..Parts::default() };
        let address = format!("{before}{}{behind}", relay.host().replace("127.0.0.1", name));
        let builder = builder().variable("tiingo_service_url", address);
        let stack = start_with(parts, builder).await;
        relay.lead_to(stack.providers.tiingo().url().trim_start_matches("http://"));
        assert_eq!(get(&stack.orchestrator, "/health").await.status, 200);
        expect(&stack.orchestrator, &tick(JOB), 200).await;
    }
}

#[tokio::test]
async fn an_unreachable_party_is_named() {
    let parts = Parts { watchlist: Some(Watchlist::new(0, 0)), ..Parts::default() };
    let builder = builder().variable("firestore_emulator_host", "127.0.0.1:1");
    let stack = start_with(parts, builder).await;
    let reply = expect(&stack.orchestrator, &tick(JOB), 503).await;
    let names_address =
        |value: &Value| value.as_str().is_some_and(|text| text.contains("127.0.0.1:1: connection refused"));
    assert!(
        names_address(&reply.body["message"]) || names_address(&reply.body["detail"]),
        "{:#}",
        reply.body
    );
}
