//! Coverage: what a run records, what a count of the documents corrects, which records are doubtful.

use chrono::TimeDelta;
use e2e::system::{expect, get, job, now, post, start};
use serde_json::{Value, json};
use sim::providers::Fault;
use sim::scheduler::Tick;
use sim::stack::Stack;
use sim::watchlist::Watchlist;

const PRICES: &str = "tiingo-daily-prices";

/// A tick of today: a ticker's page looks back sixty sessions.
fn recent() -> Tick {
    Tick::new(job(PRICES), now() - TimeDelta::minutes(10))
}

/// The newest session of prices with something stored, and its counts.
async fn newest(stack: &Stack) -> Value {
    let grid = get(&stack.orchestrator, "/coverage?dataset=daily_prices").await;
    assert_eq!(grid.status, 200, "{:#}", grid.body);
    let sessions = grid.body["sessions"].as_array().expect("a list");
    let stored = |session: &&Value| session["stored"].as_u64().unwrap_or_default() > 0;
    sessions
        .iter()
        .rev()
        .find(stored)
        .cloned()
        .unwrap_or_else(|| panic!("nothing is stored: {:#}", grid.body))
}

fn tickers(day: &Value, state: &str) -> Vec<String> {
    let states = day["states"].as_array().expect("a list");
    let of_state = states.iter().find(|known| known["state"] == state);
    let tickers = of_state.and_then(|known| known["tickers"].as_array()).into_iter().flatten();
    tickers.map(|ticker| ticker.as_str().expect("a text").to_owned()).collect()
}

#[tokio::test]
async fn a_document_deleted_by_hand_becomes_a_hole_by_a_count() {
    let stack = start(Watchlist::new(8, 5), &[("retry_max_attempts", "1"), ("closed_days", "run")]).await;
    expect(&stack.orchestrator, &recent(), 200).await;
    let session = newest(&stack).await;
    let date = session["date"].as_str().expect("a date").to_owned();
    let path = format!("/coverage/daily_prices/{date}");
    let day = get(&stack.orchestrator, &path).await.body;
    let stored = tickers(&day, "stored");
    assert!(stored.len() >= 5, "{day:#}");

    let gone = format!("{}_{date}", stored[0]);
    stack.db.delete(&format!("prices_daily/{gone}")).await.expect("it is deleted");
    assert_eq!(get(&stack.orchestrator, &path).await.body["states"], day["states"], "only a count sees it");
    let counted = post(&stack.orchestrator, &format!("{path}/verify")).await;
    assert_eq!((counted.status, &counted.body["changed"]), (200, &json!(true)), "{:#}", counted.body);
    assert_eq!(counted.body["documents"], json!(stored.len() - 1));
    let after = get(&stack.orchestrator, &path).await.body;
    assert_eq!(tickers(&after, "stored"), stored[1..], "{after:#}");
    let again = post(&stack.orchestrator, &format!("{path}/verify")).await;
    assert_eq!(again.body["changed"], json!(false), "{:#}", again.body);

    let shown = get(&stack.orchestrator, &format!("/tickers/{}", stored[1])).await.body;
    let prices = shown["datasets"].as_array().expect("a list");
    assert_eq!(prices[0]["dataset"], "daily_prices", "{shown:#}");
    assert_eq!(prices[0]["newest"], json!(date), "{shown:#}");
}

#[tokio::test]
async fn a_ticker_that_fails_is_named_with_its_run() {
    let stack = start(Watchlist::new(8, 5), &[("retry_max_attempts", "1"), ("closed_days", "run")]).await;
    stack.providers.tiingo().fault(Fault::ticker_errors(["MSFT"]));
    let report = expect(&stack.orchestrator, &recent(), 200).await;
    let shown = get(&stack.orchestrator, "/tickers/MSFT").await.body;
    let prices = &shown["datasets"][0];
    assert_eq!(prices["last_failure"]["state"], "failed", "{shown:#}");
    assert_eq!(prices["last_failure"]["run_id"], report.body["data"]["run_id"], "{shown:#}");
}

#[tokio::test]
async fn what_cannot_be_asked_is_named() {
    let stack = start(Watchlist::new(8, 5), &[]).await;
    for (path, status, words) in [
        ("/coverage", 422, "known datasets: daily_prices"),
        ("/coverage?dataset=prices", 422, "is not a known dataset"),
        ("/coverage?dataset=quotes&from=2010-01-04&to=2026-01-02", 422, "limit 400"),
        ("/coverage/prices/2026-11-23", 404, "known datasets"),
        ("/coverage/daily_prices/2026-11-26", 404, "Thanksgiving"),
        ("/coverage/daily_prices/today", 422, "YYYY-MM-DD"),
        ("/flags?dataset=quotes&to=never", 422, "YYYY-MM-DD"),
    ] {
        let reply = get(&stack.orchestrator, path).await;
        assert_eq!(reply.status, status, "{path}: {:#}", reply.body);
        let detail = reply.body["detail"].as_str().expect("a detail");
        assert!(detail.contains(words), "{path}: {detail}");
    }
    let flags = get(&stack.orchestrator, "/flags?dataset=daily_prices").await;
    assert_eq!((flags.status, &flags.body["flags"]), (200, &json!([])), "{:#}", flags.body);
    let news = post(&stack.orchestrator, "/coverage/market_news/2026-11-23/verify").await;
    assert_eq!(news.status, 422, "{:#}", news.body);
}
