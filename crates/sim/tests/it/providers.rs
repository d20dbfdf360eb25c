//! The services behave as the contract says.

use std::time::Duration;

use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use sim::data::{self, Spec};
use sim::endpoint::{Endpoint, Service};
use sim::providers::{Fault, Outcome, Pace, Ports, Provider, Providers};

async fn start() -> Providers {
    let providers = Providers::start(Ports::default()).await.expect("started");
    providers.set_pace(Pace::Unlimited);
    providers
}

async fn fetch(provider: &Provider, path: &str, tickers: &[&str]) -> (StatusCode, Value) {
    let body =
        json!({"tickers": tickers, "scope": "indices", "job_id": "j", "run_time": "2026-11-20T15:00:00Z"});
    let request = Client::new().post(format!("{}{path}", provider.url())).json(&body);
    let answer = request.send().await.expect("answered");
    (answer.status(), answer.json().await.expect("JSON"))
}

#[tokio::test]
async fn every_endpoint_answers_what_data_computes() {
    let providers = start().await;
    let tickers = ["AAPL", "BRK.B"].map(str::to_owned);
    for endpoint in Endpoint::ALL {
        let provider = providers.get(endpoint.service());
        let (status, answer) = fetch(provider, endpoint.path(), &["AAPL", "BRK.B"]).await;
        let at = data::moment(Some("2026-11-20T15:00:00Z"));
        assert_eq!(status, StatusCode::OK);
        assert_eq!(answer["data"], Value::Array(data::entries(&Spec::default(), endpoint, &tickers, at)));
        assert_eq!((&answer["status"], &answer["errors"]), (&json!("ok"), &Value::Null));
        assert!(answer["duration_ms"].is_u64());
    }
}

#[tokio::test]
async fn market_news_needs_no_tickers() {
    let providers = start().await;
    let (_, answer) = fetch(providers.polygon(), "/fetch/market", &[]).await;
    assert_eq!(answer["fetched"], 20);
    assert_eq!(answer["data"][0]["ticker"], Value::Null);
}

#[tokio::test]
async fn the_spec_sets_the_number_of_records() {
    let providers = start().await;
    providers.set_spec(Spec { records_per_ticker: 20, ..Spec::default() });
    let (_, answer) = fetch(providers.tiingo(), "/fetch", &["AAPL"]).await;
    assert_eq!(answer["data"][0]["count"], 20);
}

#[tokio::test]
async fn unknown_paths_methods_and_bodies_are_refused() {
    let providers = start().await;
    assert_eq!(fetch(providers.tiingo(), "/fetch/news", &["AAPL"]).await.0, StatusCode::NOT_FOUND);
    let refused = Client::new().post(format!("{}/fetch", providers.tiingo().url())).json(&json!({})).send();
    assert_eq!(refused.await.expect("answered").status(), StatusCode::UNPROCESSABLE_ENTITY);
    let get =
        Client::new().get(format!("{}/fetch", providers.tiingo().url())).send().await.expect("answered");
    assert_eq!(get.status(), StatusCode::METHOD_NOT_ALLOWED);
    let outcomes: Vec<Outcome> =
        providers.tiingo().journal().requests().iter().map(|call| call.outcome).collect();
    assert_eq!(outcomes, [Outcome::Answered(404), Outcome::Answered(422), Outcome::Answered(405)]);
}

#[tokio::test]
async fn health_follows_its_switch() {
    let providers = start().await;
    let health = async || {
        let answer = Client::new()
            .get(format!("{}/health", providers.polygon().url()))
            .send()
            .await
            .expect("answered");
        (answer.status().as_u16(), answer.json::<Value>().await.expect("JSON")["status"].clone())
    };
    assert_eq!(health().await, (200, json!("healthy")));
    providers.polygon().set_healthy(false);
    assert_eq!(health().await, (503, Value::Null));
}

#[tokio::test]
async fn failed_tickers_are_named_and_dropped_ones_are_not() {
    let providers = start().await;
    providers.finnhub().fault(Fault::ticker_errors(["BAD"]).detail("no such symbol"));
    providers.finnhub().fault(Fault::drop_tickers(["LOST"]));
    let (status, answer) = fetch(providers.finnhub(), "/fetch", &["AAPL", "BAD", "LOST"]).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(answer["fetched"], 1);
    assert_eq!(answer["errors"], json!(["Failed: BAD"]));
    assert_eq!(answer["data"][1], json!({"ticker": "BAD", "error": "no such symbol", "data": null}));
    assert_eq!(answer["data"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn the_journal_records_requests_and_answers() {
    let providers = start().await;
    let journal = providers.tiingo().journal();
    journal.keep_bodies(true);
    fetch(providers.tiingo(), "/fetch", &["AAPL", "MSFT"]).await;
    journal.wait_for(1, Duration::from_secs(1)).await.expect("there");
    let call = journal.calls().remove(0);
    assert_eq!(
        (call.service, call.path.as_str(), call.outcome),
        (Service::TIINGO, "/fetch", Outcome::Answered(200))
    );
    assert_eq!(call.tickers, ["AAPL", "MSFT"]);
    assert_eq!(call.body["scope"], "indices");
    assert_eq!(call.headers["content-type"], "application/json");
    assert_eq!(call.response.expect("kept").len(), call.response_bytes);
    assert_eq!(journal.tickers(), ["AAPL", "MSFT"]);
    journal.clear();
    assert_eq!(journal.count(), 0);
}

#[tokio::test]
async fn the_high_water_mark_counts_concurrent_fetches() {
    let providers = start().await;
    let tiingo = providers.tiingo();
    tiingo.set_latency(Duration::from_millis(100), Duration::from_millis(50));
    let start = std::time::Instant::now();
    tokio::join!(
        fetch(tiingo, "/fetch", &["A"]),
        fetch(tiingo, "/fetch", &["B"]),
        fetch(tiingo, "/fetch", &["C", "D"])
    );
    assert!(start.elapsed() >= Duration::from_millis(200), "two tickers take 100 + 2 * 50 ms");
    assert_eq!(tiingo.max_in_flight(), 3);
}

#[tokio::test]
async fn a_stopped_service_refuses_and_comes_back_on_its_port() {
    let providers = start().await;
    let tiingo = providers.tiingo();
    tiingo.fault(Fault::status(503).times(1));
    tiingo.stop().await;
    let refused = Client::new().get(format!("{}/health", tiingo.url())).send().await;
    assert!(refused.expect_err("refused").is_connect());
    tiingo.restart().await.expect("the port is free");
    assert_eq!(
        fetch(tiingo, "/fetch", &["A"]).await.0,
        StatusCode::SERVICE_UNAVAILABLE,
        "the script continues"
    );
    assert_eq!(fetch(tiingo, "/fetch", &["A"]).await.0, StatusCode::OK);
}

#[tokio::test]
async fn stopping_breaks_connections_in_use() {
    let providers = start().await;
    let tiingo = providers.tiingo();
    tiingo.fault(Fault::hang());
    let client = Client::new();
    let request = client.post(format!("{}/fetch", tiingo.url())).body("{}");
    let stop = async {
        tiingo.journal().wait_for(1, Duration::from_secs(5)).await.expect("arrived");
        tiingo.stop().await;
    };
    let (answer, ()) = tokio::join!(request.send(), stop);
    assert!(answer.is_err());
}
