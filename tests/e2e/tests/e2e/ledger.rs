//! One tick is one run, however often it is delivered.

use e2e::stored::{RAW_LOGS, RUNS, assert_exactly, assert_statistics, count, list};
use e2e::system::{PATIENCE, at, by_hand, expect, job, post, retry_after, send, start, tick};
use serde_json::{Value, json};
use sim::providers::Fault;
use sim::scheduler::Tick;
use sim::stack::Stack;
use sim::watchlist::Watchlist;

const QUOTES: &str = "finnhub-quote-portfolio";

/// Starts a run and returns once its provider call is in progress; the call hangs until the service is restarted.
async fn held(stack: &Stack, tick: Tick) -> tokio::task::JoinHandle<sim::scheduler::Reply> {
    stack.providers.finnhub().fault(Fault::hang().times(1));
    let url = stack.orchestrator.url().to_owned();
    let sending = tokio::spawn(async move { tick.send(&url).await.expect("an answer") });
    stack.providers.finnhub().journal().wait_for(1, PATIENCE).await.expect("the run has started");
    sending
}

#[tokio::test]
async fn a_repeated_tick_gets_the_stored_report() {
    let stack = start(Watchlist::new(20, 5), &[]).await;
    let first = expect(&stack.orchestrator, &tick(QUOTES), 200).await;
    let second = expect(&stack.orchestrator, &tick(QUOTES), 200).await;
    assert_eq!(second.body["duplicate"], true);
    for member in ["status", "job", "message", "data", "timestamp"] {
        assert_eq!(second.body[member], first.body[member], "{member}");
    }
    assert_eq!(stack.providers.finnhub().journal().count(), 1);
    assert_eq!(count(&stack.db, RUNS).await, 1);
    assert_statistics(&stack.db).await;
}

#[tokio::test]
async fn a_partial_run_is_finished_too() {
    let stack = start(Watchlist::new(20, 5), &[]).await;
    stack.providers.finnhub().fault(Fault::ticker_errors(["MSFT"]));
    expect(&stack.orchestrator, &tick(QUOTES), 200).await;
    let second = expect(&stack.orchestrator, &tick(QUOTES), 200).await;
    assert_eq!((&second.body["duplicate"], &second.body["status"]), (&json!(true), &json!("partial")));
    assert_eq!(second.body["data"]["tickers_failed"][0]["reason"], "symbol not found");
    // A ticker whose error message explains nothing is requested once more, in the first delivery.
    assert_eq!(stack.providers.finnhub().journal().count(), 2);
}

#[tokio::test]
async fn a_tick_that_is_running_is_not_started_again() {
    let stack = start(Watchlist::new(20, 5), &[("retry_base_ms", "200"), ("retry_max_ms", "500")]).await;
    let sending = held(&stack, tick(QUOTES)).await;
    let reply = expect(&stack.orchestrator, &tick(QUOTES), 409).await;
    assert!((1..=60).contains(&retry_after(&reply)), "no longer than the lease");
    assert_eq!(
        (&reply.body["status"], &reply.body["data"]["run_status"]),
        (&json!("error"), &json!("running"))
    );
    let message = reply.body["message"].as_str().expect("a message");
    assert!(message.starts_with("running: ") && !message.contains("0 of 0"), "{message}");
    stack.providers.finnhub().restart().await.expect("restarted");
    assert_eq!(sending.await.expect("no panic").status, 200);
    assert_exactly(&stack, job(QUOTES), at(0), &format!("{QUOTES}_2025-11-20T15:00:00Z")).await;
    assert_statistics(&stack.db).await;
}

#[tokio::test]
async fn exactly_one_of_twenty_concurrent_duplicates_runs() {
    let stack = start(Watchlist::new(20, 5), &[]).await;
    let tick = tick(QUOTES);
    let replies = futures::future::join_all((0..20).map(|_| send(&stack.orchestrator, &tick))).await;
    let ran = replies.iter().filter(|reply| reply.status == 200 && reply.body.get("duplicate").is_none());
    assert_eq!(ran.count(), 1);
    for reply in &replies {
        assert!(
            reply.status == 409 || (reply.status == 200 && reply.body["data"]["run_status"] == "succeeded"),
            "{} {:#}",
            reply.status,
            reply.body
        );
    }
    assert_eq!(stack.providers.finnhub().journal().count(), 1);
    assert_eq!(count(&stack.db, RUNS).await, 1);
    assert_statistics(&stack.db).await;
}

#[tokio::test]
async fn a_schedule_time_in_the_future_is_not_a_tick() {
    let stack = start(Watchlist::new(20, 5), &[]).await;
    let forced = by_hand(QUOTES);
    let first = expect(&stack.orchestrator, &forced, 200).await;
    let second = expect(&stack.orchestrator, &forced, 200).await;
    assert_eq!(first.body["data"]["trigger"], "manual");
    assert_ne!(first.body["data"]["run_id"], second.body["data"]["run_id"], "they are different runs");
    assert_eq!(stack.providers.finnhub().journal().count(), 2);
}

#[tokio::test]
async fn an_idempotency_key_names_one_request() {
    let stack = start(Watchlist::new(20, 5), &[]).await;
    let request = by_hand(QUOTES).header("idempotency-key", "order/66 é".replace(" é", "")).tickers(["AAPL"]);
    expect(&stack.orchestrator, &request, 200).await;
    let again = expect(&stack.orchestrator, &request, 200).await;
    assert_eq!(again.body["duplicate"], true);
    let other = expect(&stack.orchestrator, &request.clone().tickers(["MSFT"]), 422).await;
    assert_eq!(other.headers["content-type"], "application/problem+json");
    assert!(other.body["detail"].as_str().is_some_and(|detail| detail.contains("Idempotency-Key")));
    assert_eq!(stack.providers.finnhub().journal().tickers(), ["AAPL"]);
}

#[tokio::test]
async fn resuming_runs_exactly_what_is_pending() {
    let stack =
        start(Watchlist::new(20, 20), &[("batch_size_finnhub", "4"), ("max_concurrency_finnhub", "1")]).await;
    let finnhub = stack.providers.finnhub();
    finnhub.fault(Fault::status(401).after(2));
    let reply = expect(&stack.orchestrator, &tick(QUOTES), 503).await;
    assert_eq!(reply.body["data"]["tickers_pending"], 12);
    let pending: Vec<Value> = reply.body["data"]["pending"]
        .as_array()
        .expect("a list")
        .iter()
        .flat_map(|work| work["tickers"].as_array().expect("a list").clone())
        .collect();
    finnhub.clear();
    finnhub.journal().clear();
    let path = format!("/runs/{}/resume", reply.body["data"]["run_id"].as_str().expect("an id"));
    let resumed = post(&stack.orchestrator, &path).await;
    assert_eq!((resumed.status, &resumed.body["status"]), (200, &json!("ok")), "{:#}", resumed.body);
    assert_eq!(resumed.body["data"]["attempt"], 2);
    let asked = finnhub.journal().tickers();
    e2e::system::assert_same(
        asked,
        pending.iter().map(|ticker| ticker.as_str().expect("a string").to_owned()),
    );
    assert_exactly(&stack, job(QUOTES), at(0), &format!("{QUOTES}_2025-11-20T15:00:00Z")).await;
    assert_statistics(&stack.db).await;

    let again = post(&stack.orchestrator, &path).await;
    assert_eq!((again.status, &again.body["duplicate"]), (200, &json!(true)));
    assert_eq!(post(&stack.orchestrator, "/runs/no-such-run/resume").await.status, 404);
}

#[tokio::test]
async fn resuming_a_partial_run_retries_what_failed_but_a_tick_does_not() {
    let stack = start(Watchlist::new(20, 20), &[]).await;
    let finnhub = stack.providers.finnhub();
    finnhub.fault(Fault::ticker_errors(["MSFT"]));
    let reply = expect(&stack.orchestrator, &tick(QUOTES), 200).await;
    assert_eq!(reply.body["status"], "partial", "{:#}", reply.body);
    finnhub.clear();
    finnhub.journal().clear();
    let again = expect(&stack.orchestrator, &tick(QUOTES), 200).await;
    assert_eq!((&again.body["status"], &again.body["duplicate"]), (&json!("partial"), &json!(true)));
    assert_eq!(finnhub.journal().count(), 0);

    let path = format!("/runs/{}/resume", reply.body["data"]["run_id"].as_str().expect("an id"));
    let resumed = post(&stack.orchestrator, &path).await;
    assert_eq!((resumed.status, &resumed.body["status"]), (200, &json!("ok")), "{:#}", resumed.body);
    assert_eq!(
        (&resumed.body["data"]["attempt"], finnhub.journal().tickers()),
        (&json!(2), vec!["MSFT".to_owned()])
    );
    assert_exactly(&stack, job(QUOTES), at(0), &format!("{QUOTES}_2025-11-20T15:00:00Z")).await;
    assert_statistics(&stack.db).await;
}

#[tokio::test]
async fn ledger_and_raw_logs_expire_as_configured() {
    let settings = [("run_retention_days", "7"), ("raw_log_retention_days", "3")];
    let stack = start(Watchlist::new(20, 5), &settings).await;
    expect(&stack.orchestrator, &tick(QUOTES), 200).await;
    for (collection, days) in [(RUNS, 7), (RAW_LOGS, 3)] {
        let doc = list(&stack.db, collection).await.remove(0);
        let expire_at = doc.raw["expire_at"]["timestampValue"].as_str().expect("a timestamp for the policy");
        let time = |text: &str| chrono::DateTime::parse_from_rfc3339(text).expect("a time");
        let lifetime = time(expire_at) - time(&doc.create_time);
        let expected = chrono::TimeDelta::days(days);
        assert!((lifetime - expected).abs() < chrono::TimeDelta::minutes(2), "{collection}: {lifetime}");
    }
}
