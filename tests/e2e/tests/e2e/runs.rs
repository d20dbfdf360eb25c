//! The ledger as operators see it.

use e2e::system::{at, expect, get, job, send, start, tick};
use serde_json::{Value, json};
use sim::providers::Fault;
use sim::scheduler::Tick;
use sim::stack::Stack;
use sim::watchlist::Watchlist;

const QUOTES: &str = "finnhub-quote-portfolio";
const PRICES: &str = "tiingo-daily-prices";

/// Seven runs: five of quotes, the third of them partial, and two of prices that failed. Oldest first.
async fn seven_runs() -> (Stack, Vec<Value>) {
    let stack = start(Watchlist::new(8, 5), &[("retry_max_attempts", "1")]).await;
    let mut ids = Vec::new();
    for minute in 0..5 {
        stack.providers.clear();
        if minute == 2 {
            stack.providers.finnhub().fault(Fault::ticker_errors(["MSFT"]));
        }
        let reply = expect(&stack.orchestrator, &Tick::new(job(QUOTES), at(minute)), 200).await;
        ids.push(reply.body["data"]["run_id"].clone());
    }
    stack.providers.tiingo().fault(Fault::status(500));
    for minute in 5..7 {
        let reply = expect(&stack.orchestrator, &Tick::new(job(PRICES), at(minute)), 503).await;
        ids.push(reply.body["data"]["run_id"].clone());
    }
    (stack, ids)
}

async fn ids(stack: &Stack, query: &str) -> (Vec<Value>, Value) {
    let reply = get(&stack.orchestrator, &format!("/runs{query}")).await;
    assert_eq!(reply.status, 200, "{query}: {:#}", reply.body);
    let runs = reply.body["runs"].as_array().expect("a list");
    (runs.iter().map(|run| run["data"]["run_id"].clone()).collect(), reply.body["next_page_token"].clone())
}

#[tokio::test]
async fn runs_are_listed_newest_first_and_filtered() {
    let (stack, mut all) = seven_runs().await;
    all.reverse();
    assert_eq!(ids(&stack, "").await, (all.clone(), Value::Null));
    assert_eq!(ids(&stack, &format!("?job={QUOTES}")).await.0, all[2..]);
    assert_eq!(ids(&stack, "?status=failed").await.0, all[..2]);
    assert_eq!(ids(&stack, "?status=partial").await.0, all[4..5]);
    assert_eq!(ids(&stack, &format!("?job={PRICES}&status=succeeded")).await.0, Vec::<Value>::new());
}

#[tokio::test]
async fn a_list_shows_the_same_of_a_run_as_its_own_page() {
    let (stack, _) = seven_runs().await;
    let listed = get(&stack.orchestrator, "/runs").await;
    for run in listed.body["runs"].as_array().expect("a list") {
        let path = format!("/runs/{}", run["data"]["run_id"].as_str().expect("an id"));
        let shown = get(&stack.orchestrator, &path).await.body;
        for field in ["status", "job", "message"] {
            assert_eq!(run[field], shown[field]);
        }
        for field in
            ["run_status", "trigger", "attempt", "tickers_requested", "tickers_processed", "tickers_pending"]
        {
            assert_eq!(run["data"][field], shown["data"][field], "{field}");
        }
        let failed = shown["data"]["tickers_failed"].as_array().expect("a list").len();
        assert_eq!(run["data"]["tickers_failed"], failed);
    }
}

#[tokio::test]
async fn pages_follow_one_another_without_gaps() {
    let (stack, mut all) = seven_runs().await;
    all.reverse();
    for filter in ["", &format!("&job={QUOTES}")] {
        let (whole, _) = ids(&stack, &format!("?limit=200{filter}")).await;
        let (mut found, mut token) = (Vec::new(), Value::Null);
        loop {
            let from = token.as_str().map(|token| format!("&page_token={token}")).unwrap_or_default();
            let (page, next) = ids(&stack, &format!("?limit=3{filter}{from}")).await;
            assert!(page.len() <= 3);
            found.extend(page);
            if next.is_null() {
                break;
            }
            token = next;
        }
        assert_eq!(found, whole);
    }
    assert_eq!(ids(&stack, "?limit=7").await.0, all);
}

#[tokio::test]
async fn a_run_is_shown_as_it_was_reported() {
    let stack = start(Watchlist::new(8, 5), &[]).await;
    let original = expect(&stack.orchestrator, &tick(QUOTES), 200).await;
    let run_id = original.body["data"]["run_id"].as_str().expect("an id");
    let shown = get(&stack.orchestrator, &format!("/runs/{run_id}")).await;
    assert_eq!((shown.status, &shown.body), (200, &original.body));
    let encoded = get(&stack.orchestrator, &format!("/runs/{}", run_id.replace(':', "%3A"))).await;
    assert_eq!(encoded.body, original.body);
    for run_id in ["no-such-run", "..%2Fother", "a%2Fb"] {
        let reply = get(&stack.orchestrator, &format!("/runs/{run_id}")).await;
        assert_eq!(reply.status, 404, "{run_id}: {:#}", reply.body);
        assert_eq!(reply.headers["content-type"], "application/problem+json");
    }
}

#[tokio::test]
async fn mistakes_in_the_query_are_reported() {
    let stack = start(Watchlist::new(0, 0), &[]).await;
    for (query, field) in [
        ("?job=none", "job"),
        ("?status=done", "status"),
        ("?limit=0", "limit"),
        ("?limit=201", "limit"),
        ("?limit=many", "limit"),
        ("?page_token=%25", "page_token"),
        ("?limit=1&limit=2", "limit"),
    ] {
        let reply = get(&stack.orchestrator, &format!("/runs{query}")).await;
        assert_eq!(reply.status, 422, "{query}");
        assert_eq!(reply.body["errors"][0]["field"], field, "{query}: {:#}", reply.body);
    }
}

#[tokio::test]
async fn a_key_with_any_visible_character_names_a_run_that_can_be_shown() {
    let stack = start(Watchlist::new(8, 5), &[]).await;
    let request = e2e::system::by_hand(QUOTES).header("idempotency-key", "a/b?c#d%e");
    let original = send(&stack.orchestrator, &request).await;
    assert_eq!(original.status, 200, "{:#}", original.body);
    let run_id = original.body["data"]["run_id"].as_str().expect("an id");
    let encoded: Vec<_> = run_id.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let shown = get(&stack.orchestrator, &format!("/runs/{}", encoded.concat())).await;
    assert_eq!((shown.status, &shown.body), (200, &original.body));
    assert_eq!(shown.body["data"]["run_status"], json!("succeeded"));
}
