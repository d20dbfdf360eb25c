//! A ticker that makes its whole batch fail.

use std::time::Duration;

use e2e::stored::{assert_raw_logs, assert_statistics, count};
use e2e::system::{expect, start, tick};
use serde_json::json;
use sim::providers::Fault;
use sim::scheduler::Reply;
use sim::watchlist::Watchlist;

const PRICES: &str = "tiingo-daily-prices";

fn tickers() -> Vec<String> {
    (0..100).map(|number| format!("T{number:03}")).collect()
}

fn assert_alone(reply: &Reply, ticker: &str, reason: &str) {
    let data = &reply.body["data"];
    assert_eq!((&reply.body["status"], &data["tickers_processed"]), (&json!("partial"), &json!(99)));
    let failed = data["tickers_failed"].as_array().expect("a list");
    assert_eq!(failed.len(), 1, "{failed:#?}");
    assert_eq!((&failed[0]["ticker"], &failed[0]["reason"]), (&json!(ticker), &json!(reason)));
}

#[tokio::test]
async fn a_refused_ticker_fails_alone() {
    let stack = start(Watchlist::new(0, 0), &[]).await;
    stack.providers.tiingo().fault(Fault::status(422).detail("no such symbol").ticker("T077"));
    let reply = expect(&stack.orchestrator, &tick(PRICES).tickers(tickers()), 200).await;
    assert_alone(&reply, "T077", "422: no such symbol");
    // Two batches; 50 tickers are halved at most six times, with two calls each. Then the ticker is requested once
    // more, with an answered control before and after.
    let calls = stack.providers.tiingo().journal().count();
    assert!(calls <= 2 + 6 * 2 + 3, "{calls} calls");
    assert_eq!(count(&stack.db, "prices_daily").await, 99 * 5);
    assert_raw_logs(&stack).await;
    assert_statistics(&stack.db).await;
}

#[tokio::test]
async fn a_ticker_that_crashes_the_provider_fails_alone() {
    let settings = [("breaker_min_calls", "1000"), ("breaker_window", "1000")];
    let stack = start(Watchlist::new(0, 0), &settings).await;
    stack.providers.tiingo().fault(Fault::status(500).detail("crashed").ticker("T077"));
    let tick = tick(PRICES).tickers(tickers());
    let replies = tick.deliver(stack.orchestrator.url(), 8, Duration::from_millis(10)).await;
    let reply = replies.last().expect("an attempt").as_ref().expect("an answer");
    assert_alone(reply, "T077", "500: crashed");
    // Two batches, one repeated three times; then six halvings, in which one half is tried twice, the last one four
    // times. If every other half happens to be answered before its sibling is tried, further attempts of the run
    // decide.
    let calls = stack.providers.tiingo().journal().count();
    assert!(calls <= 2 + 3 + 6 * 3 + 2 + 4 * 8, "{calls} calls");
    assert_eq!(count(&stack.db, "prices_daily").await, 99 * 5);
    assert_raw_logs(&stack).await;
}

#[tokio::test]
async fn several_such_tickers_cost_a_bounded_number_of_calls() {
    let stack = start(Watchlist::new(0, 0), &[]).await;
    let poison: Vec<String> = tickers().into_iter().step_by(7).collect();
    for ticker in &poison {
        stack.providers.tiingo().fault(Fault::status(422).ticker(ticker));
    }
    let reply = expect(&stack.orchestrator, &tick(PRICES).tickers(tickers()), 200).await;
    let calls = stack.providers.tiingo().journal().count();
    let bound = 2 + poison.len() * (2 * 6 + 1) + 12;
    assert!(calls <= bound, "each bad ticker has a bound: {calls} calls, limit {bound}");
    let data = &reply.body["data"];
    let failed = data["tickers_failed"].as_array().expect("a list");
    let failed: Vec<_> = failed.iter().filter_map(|failure| failure["ticker"].as_str()).collect();
    e2e::system::assert_same(failed, poison.iter().map(String::as_str));
    assert_eq!(data["tickers_processed"], 100 - poison.len());
    assert_raw_logs(&stack).await;
}

#[tokio::test]
async fn a_provider_that_is_down_costs_a_bounded_number_of_calls() {
    let stack = start(Watchlist::new(0, 0), &[("retry_max_attempts", "2")]).await;
    stack.providers.tiingo().fault(Fault::status(503));
    let reply = expect(&stack.orchestrator, &tick(PRICES).tickers(tickers()), 503).await;
    assert_eq!(reply.body["data"]["tickers_pending"], 100);
    // Ten failures raise suspicion, five single tickers confirm it; four calls may be in progress meanwhile.
    let calls = stack.providers.tiingo().journal().count();
    assert!(calls <= 10 + 5 + 4, "{calls} calls");
    expect(&stack.orchestrator, &tick(PRICES).tickers(tickers()), 503).await;
    assert_eq!(stack.providers.tiingo().journal().count(), calls, "the breaker is open");
}

#[tokio::test]
async fn the_run_ends_with_the_default_breaker_too() {
    let stack =
        start(Watchlist::new(0, 0), &[("breaker_open_seconds", "1"), ("breaker_open_max_seconds", "1")])
            .await;
    stack.providers.tiingo().fault(Fault::status(500).detail("crashed").ticker("T077"));
    let tick = tick(PRICES).tickers(tickers());
    let replies = tick.deliver(stack.orchestrator.url(), 15, Duration::from_millis(1_100)).await;
    let last = replies.last().expect("an attempt").as_ref().expect("an answer");
    assert_eq!(last.status, 200, "after {} requests: {:#}", replies.len(), last.body);
    assert_alone(last, "T077", "500: crashed");
}
