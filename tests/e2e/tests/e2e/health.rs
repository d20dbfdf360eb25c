//! The health of the providers' services, known without asking them, and probes requested by an operator.

use std::time::Duration;

use e2e::system::{PATIENCE, another, expect, get, post, retry_after, start, tick};
use serde_json::{Value, json};
use sim::orchestrator::Orchestrator;
use sim::providers::Fault;
use sim::stack::Stack;
use sim::watchlist::Watchlist;

async fn service(orchestrator: &Orchestrator, provider: &str) -> Value {
    let status = get(orchestrator, "/status").await;
    assert_eq!(status.status, 200);
    let services = status.body["services"].as_array().expect("a list").clone();
    services.into_iter().find(|service| service["provider"] == provider).expect("the provider")
}

/// Requests to all four services other than fetches.
fn looks(stack: &Stack) -> usize {
    let requests = stack.providers.all().iter().flat_map(|provider| provider.journal().requests());
    requests.filter(|request| request.path == "/health").count()
}

#[tokio::test]
async fn an_open_dashboard_costs_the_providers_nothing() {
    let stack = start(Watchlist::new(3, 3), &[]).await;
    expect(&stack.orchestrator, &tick("polygon-news-portfolio"), 200).await;
    let fresh = another(&stack, &[]).await;
    for orchestrator in [&stack.orchestrator, &fresh] {
        let pages = (0..20).map(|_| get(orchestrator, "/status"));
        for reply in futures::future::join_all(pages).await {
            assert_eq!(reply.status, 200);
        }
        assert_eq!(get(orchestrator, "/metrics").await.status, 200);
    }
    assert_eq!(looks(&stack), 0);
}

#[tokio::test]
async fn health_follows_from_the_latest_calls_and_is_the_same_in_every_instance() {
    let stack = start(Watchlist::new(3, 3), &[]).await;
    for provider in stack.providers.all() {
        provider.fault(Fault::hang().path("/health"));
        provider.set_healthy(false);
    }
    assert_eq!(service(&stack.orchestrator, "tiingo").await["healthy"], Value::Null, "nothing is known yet");
    expect(&stack.orchestrator, &tick("tiingo-daily-prices"), 200).await;
    stack.providers.polygon().fault(Fault::status(502).detail("upstream is down"));
    expect(&stack.orchestrator, &tick("polygon-news-portfolio"), 503).await;

    // An instance that has made no calls knows it from Firestore.
    let fresh = another(&stack, &[]).await;
    let tiingo = service(&fresh, "tiingo").await;
    assert_eq!((&tiingo["healthy"], &tiingo["source"]), (&json!(true), &json!("calls")), "{tiingo:#}");
    assert!(tiingo["checked_at"].is_string() && tiingo["probe"].is_null(), "{tiingo:#}");
    let polygon = service(&fresh, "polygon").await;
    assert_eq!((&polygon["healthy"], &polygon["source"]), (&json!(false), &json!("calls")), "{polygon:#}");
    assert!(polygon["error"].as_str().is_some_and(|error| error.contains("upstream is down")), "{polygon:#}");
    let alerts = get(&fresh, "/status").await.body["alerts"].clone();
    let alert = alerts.as_array().expect("a list").iter().find(|alert| alert["alert"] == "ProviderUnhealthy");
    let alert = alert.unwrap_or_else(|| panic!("no ProviderUnhealthy in {alerts:#}"));
    assert_eq!((&alert["provider"], alert["since"].is_string()), (&json!("polygon"), true));
}

#[tokio::test]
async fn a_probe_runs_on_request_and_all_instances_share_its_result() {
    let stack = start(Watchlist::new(3, 3), &[]).await;
    let alphavantage = stack.providers.alphavantage();
    // Longer than a status request may take.
    alphavantage.fault(Fault::slow(Duration::from_secs(6)).path("/health"));
    let reply = post(&stack.orchestrator, "/providers/alphavantage/probe").await;
    assert_eq!(reply.status, 200, "{:#}", reply.body);
    assert_eq!((&reply.body["status_code"], &reply.body["error"]), (&json!(200), &Value::Null));
    assert!(reply.body["latency_ms"].as_u64().is_some_and(|ms| ms >= 6000), "{:#}", reply.body);

    let fresh = another(&stack, &[]).await;
    let known = service(&fresh, "alphavantage").await;
    assert_eq!((&known["healthy"], &known["source"]), (&json!(true), &json!("probe")), "{known:#}");
    assert_eq!((&known["probe"], &known["checked_at"]), (&reply.body, &reply.body["probed_at"]));

    // Another probe too soon, in any instance, is refused with `Retry-After`.
    let refused = post(&fresh, "/providers/alphavantage/probe").await;
    assert_eq!(refused.status, 409, "{:#}", refused.body);
    assert!((1..=300).contains(&retry_after(&refused)));
    assert_eq!(looks(&stack), 1);
    assert_eq!(post(&fresh, "/providers/nobody/probe").await.status, 404);
}

#[tokio::test]
async fn a_probe_never_uses_up_a_runs_limit() {
    let stack = start(Watchlist::new(3, 3), &[]).await;
    stack.providers.polygon().fault(Fault::hang());
    let sending = tokio::spawn({
        let url = stack.orchestrator.url().to_owned();
        async move { tick("polygon-news-portfolio").send(&url).await }
    });
    stack.providers.polygon().journal().wait_for(1, PATIENCE).await.expect("the run has begun");
    let fresh = another(&stack, &[]).await;
    let refused = post(&fresh, "/providers/polygon/probe").await;
    assert_eq!(refused.status, 409, "{:#}", refused.body);
    let detail = refused.body["detail"].as_str().expect("a detail");
    assert!(detail.contains("polygon-news-portfolio") && detail.contains("its calls show"), "{detail}");
    assert_eq!(post(&fresh, "/providers/tiingo/probe").await.status, 200, "the others are free");
    assert_eq!(looks(&stack), 1);
    sending.abort();
}

#[tokio::test]
async fn a_used_up_limit_is_not_unhealthy() {
    let stack = start(Watchlist::new(3, 3), &[("job_deadline_seconds", "5")]).await;
    let polygon = stack.providers.polygon();
    let limit = "Per-minute rate limit (5) exceeded";
    let market = format!("Polygon API error: Failed to fetch market news: {limit}");
    polygon.fault(Fault::status(502).detail(market).path("/fetch/market"));
    let health = format!("Service unhealthy: Health check failed: {limit}");
    polygon.fault(Fault::status(503).detail(health).path("/health"));
    expect(&stack.orchestrator, &tick("polygon-news-market"), 503).await;
    assert_eq!(service(&stack.orchestrator, "polygon").await["healthy"], Value::Null, "nothing is known yet");
    let probe = post(&stack.orchestrator, "/providers/polygon/probe").await;
    assert_eq!(
        (&probe.body["status_code"], &probe.body["error"]),
        (&json!(503), &Value::Null),
        "{:#}",
        probe.body
    );
    let fresh = another(&stack, &[]).await;
    assert_eq!(service(&fresh, "polygon").await["healthy"], true);
}
