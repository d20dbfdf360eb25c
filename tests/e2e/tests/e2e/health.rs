//! How the providers' services are, without asking them; and the look at them that an operator orders.

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

/// What was asked of all four services but fetches.
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
async fn health_is_what_the_latest_calls_say_in_every_instance_and_whatever_the_services_do() {
    let stack = start(Watchlist::new(3, 3), &[]).await;
    for provider in stack.providers.all() {
        provider.fault(Fault::hang().path("/health"));
        provider.set_healthy(false);
    }
    assert_eq!(service(&stack.orchestrator, "tiingo").await["healthy"], Value::Null, "nothing is known yet");
    expect(&stack.orchestrator, &tick("tiingo-daily-prices"), 200).await;
    stack.providers.polygon().fault(Fault::status(502).detail("upstream is down"));
    expect(&stack.orchestrator, &tick("polygon-news-portfolio"), 503).await;

    // An instance that has not called anybody knows it from Firestore.
    let fresh = another(&stack, &[]).await;
    let tiingo = service(&fresh, "tiingo").await;
    assert_eq!((&tiingo["healthy"], &tiingo["source"]), (&json!(true), &json!("calls")), "{tiingo:#}");
    assert!(tiingo["checked_at"].is_string() && tiingo["probe"].is_null(), "{tiingo:#}");
    let polygon = service(&fresh, "polygon").await;
    assert_eq!((&polygon["healthy"], &polygon["source"]), (&json!(false), &json!("calls")), "{polygon:#}");
    assert!(polygon["error"].as_str().is_some_and(|words| words.contains("upstream is down")), "{polygon:#}");
    let alerts = get(&fresh, "/status").await.body["alerts"].clone();
    let alert = alerts.as_array().expect("a list").iter().find(|alert| alert["alert"] == "ProviderUnhealthy");
    let alert = alert.unwrap_or_else(|| panic!("no ProviderUnhealthy in {alerts:#}"));
    assert_eq!((&alert["provider"], alert["since"].is_string()), (&json!("polygon"), true));
}

#[tokio::test]
async fn a_probe_is_made_when_it_is_ordered_and_its_result_serves_all_instances() {
    let stack = start(Watchlist::new(3, 3), &[]).await;
    let alphavantage = stack.providers.alphavantage();
    // Longer than anybody would wait for a status.
    alphavantage.fault(Fault::slow(Duration::from_secs(6)).path("/health"));
    let reply = post(&stack.orchestrator, "/providers/alphavantage/probe").await;
    assert_eq!(reply.status, 200, "{:#}", reply.body);
    assert_eq!((&reply.body["status_code"], &reply.body["error"]), (&json!(200), &Value::Null));
    assert!(reply.body["latency_ms"].as_u64().is_some_and(|ms| ms >= 6000), "{:#}", reply.body);

    let fresh = another(&stack, &[]).await;
    let known = service(&fresh, "alphavantage").await;
    assert_eq!((&known["healthy"], &known["source"]), (&json!(true), &json!("probe")), "{known:#}");
    assert_eq!((&known["probe"], &known["checked_at"]), (&reply.body, &reply.body["probed_at"]));

    // Whoever orders another too soon, in whichever instance, is told when to come again.
    let refused = post(&fresh, "/providers/alphavantage/probe").await;
    assert_eq!(refused.status, 409, "{:#}", refused.body);
    assert!((1..=300).contains(&retry_after(&refused)));
    assert_eq!(looks(&stack), 1);
    assert_eq!(post(&fresh, "/providers/nobody/probe").await.status, 404);
}

#[tokio::test]
async fn no_probe_takes_a_request_from_a_run() {
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
    let words = refused.body["detail"].as_str().expect("words");
    assert!(words.contains("polygon-news-portfolio") && words.contains("its calls show"), "{words}");
    assert_eq!(post(&fresh, "/providers/tiingo/probe").await.status, 200, "the others are free");
    assert_eq!(looks(&stack), 1);
    sending.abort();
}

#[tokio::test]
async fn a_limit_that_is_used_up_is_no_illness() {
    let stack = start(Watchlist::new(3, 3), &[("job_deadline_seconds", "5")]).await;
    let polygon = stack.providers.polygon();
    let words = "Per-minute rate limit (5) exceeded";
    let market = format!("Polygon API error: Failed to fetch market news: {words}");
    polygon.fault(Fault::status(502).detail(market).path("/fetch/market"));
    let health = format!("Service unhealthy: Health check failed: {words}");
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
