//! Which requests belong to one run.

use std::time::Duration;

use e2e::stored::{RUNS, count};
use e2e::system::{assert_same, by_hand, expect, get, job, now, post, retry_after, send, start, tick};
use serde_json::{Value, json};
use sim::providers::{Defect, Fault};
use sim::scheduler::Tick;
use sim::watchlist::{Scope, Watchlist};

const MANUAL: &str = "/manual/trigger-job";
const PRICES: &str = "tiingo-daily-prices";

fn is_duplicate(reply: &sim::scheduler::Reply) -> bool {
    reply.body.get("duplicate") == Some(&json!(true))
}

#[tokio::test]
async fn two_scheduler_jobs_on_one_route_in_one_minute_are_two_runs() {
    let stack = start(Watchlist::new(5, 5), &[]).await;
    let halves: [Tick; 2] = [tick(PRICES).tickers(["A", "M"]), tick(PRICES).tickers(["N", "Z"])];
    for _ in 0..2 {
        for half in &halves {
            expect(&stack.orchestrator, half, 200).await;
        }
    }
    let asked = stack.providers.tiingo().journal().tickers();
    assert_same(asked, ["A", "M", "N", "Z"].map(str::to_owned));
    // The job itself is a third one, under the plain id.
    let whole = expect(&stack.orchestrator, &tick(PRICES), 200).await;
    assert_eq!(whole.body["data"]["run_id"], "tiingo-daily-prices_2025-11-20T15:00:00Z");
    assert!(!is_duplicate(&whole));
    assert_eq!(count(&stack.db, RUNS).await, 3, "each retry was the same run");
}

#[tokio::test]
async fn retries_of_a_scheduler_job_for_the_manual_trigger_are_one_run() {
    let stack = start(Watchlist::new(20, 5), &[]).await;
    for (body, runs) in [
        (json!({"job": PRICES, "scope": "active_symbols"}), 1),
        (json!({"job": PRICES, "scope": "indices"}), 2),
        (json!({"job": PRICES, "tickers": ["AAPL"]}), 3),
    ] {
        let manual = tick(PRICES).route(MANUAL).body(body.to_string());
        let first = expect(&stack.orchestrator, &manual, 200).await;
        assert_eq!((is_duplicate(&first), &first.body["data"]["trigger"]), (false, &json!("scheduler")));
        let again = expect(&stack.orchestrator, &manual, 200).await;
        assert!(is_duplicate(&again), "{body}");
        assert_eq!(count(&stack.db, RUNS).await, runs, "{body}");
    }
    // A future time is not a tick here either, and without the header each request is a run.
    let body = json!({"job": PRICES, "tickers": ["AAPL"]}).to_string();
    let ahead = by_hand(PRICES).route(MANUAL).body(body);
    for runs in [4, 5] {
        let reply = expect(&stack.orchestrator, &ahead, 200).await;
        assert_eq!(reply.body["data"]["trigger"], "manual");
        assert_eq!(count(&stack.db, RUNS).await, runs);
    }
}

#[tokio::test]
async fn a_trailing_slash_is_ignored() {
    let stack = start(Watchlist::new(5, 5), &[]).await;
    let name = "finnhub-quote-portfolio";
    let route = format!("{}/", job(name).route);
    let reply = expect(&stack.orchestrator, &tick(name).route(route), 200).await;
    assert_eq!(reply.body["data"]["tickers_processed"], 5);
    assert!(
        is_duplicate(&expect(&stack.orchestrator, &tick(name), 200).await),
        "the same route, the same run"
    );
    assert_same(stack.providers.finnhub().journal().tickers(), stack.watchlist.tickers(Scope::ActiveSymbols));
    for path in ["/health/", "/jobs/", "/runs/", "/runs/finnhub-quote-portfolio_2025-11-20T15:00:00Z/"] {
        assert_eq!(get(&stack.orchestrator, path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn a_run_time_without_a_zone_is_utc() {
    let stack = start(Watchlist::new(5, 5), &[]).await;
    let request = tick("finnhub-quote-portfolio").field("run_time", json!("2025-11-20T15:00:00"));
    let reply = expect(&stack.orchestrator, &request, 200).await;
    assert_eq!(reply.body["data"]["run_time"], "2025-11-20T15:00:00Z");
    let sent: Value = stack.providers.finnhub().journal().calls().remove(0).body;
    assert_eq!(sent["run_time"], "2025-11-20T15:00:00Z");
}

#[tokio::test]
async fn a_tick_on_a_holiday_calls_nobody_and_its_run_can_be_resumed() {
    let stack = start(Watchlist::new(5, 5), &[]).await;
    let labor_day = |name| Tick::new(job(name), "2025-09-01T22:00:00Z".parse().expect("a time"));
    for duplicate in [false, true] {
        let reply = expect(&stack.orchestrator, &labor_day(PRICES), 200).await;
        assert_eq!((&reply.body["status"], is_duplicate(&reply)), (&json!("ok"), duplicate));
        let data = &reply.body["data"];
        assert_eq!(
            (&data["run_status"], &data["skipped"]),
            (&json!("skipped"), &json!("market closed: Labor Day"))
        );
    }
    assert_eq!(stack.providers.tiingo().journal().count(), 0);
    let listed = get(&stack.orchestrator, "/runs?status=skipped").await;
    assert_eq!(listed.body["runs"][0]["message"], "skipped, market closed: Labor Day");
    let status = get(&stack.orchestrator, "/status").await;
    assert_eq!((&status.body["statistics"]["jobs_processed"], status.status), (&json!(0), 200));

    // News appear on holidays as well.
    let news = expect(&stack.orchestrator, &labor_day("polygon-news-portfolio"), 200).await;
    assert_eq!(news.body["data"]["run_status"], "succeeded");
    let resumed = post(&stack.orchestrator, &format!("/runs/{PRICES}_2025-09-01T22:00:00Z/resume")).await;
    assert_eq!(resumed.body["data"]["run_status"], "succeeded", "{:#}", resumed.body);
}

/// A system in which nothing of two tickers is published, and a tick of now.
async fn unpublished(retry_seconds: &str) -> (sim::stack::Stack, Tick) {
    let settings = [
        ("publish_retry_seconds", retry_seconds),
        ("publish_patience_minutes", "60"),
        ("closed_days", "run"),
    ];
    let stack = start(Watchlist::new(0, 0), &settings).await;
    for ticker in ["AAPL", "MSFT"] {
        stack.providers.tiingo().fault(Fault::bad_records([Defect::NullData]).ticker(ticker));
    }
    let tick = Tick::new(job(PRICES), now()).tickers(["AAPL", "MSFT"]);
    (stack, tick)
}

#[tokio::test]
async fn a_run_waits_for_data_that_is_not_published_and_a_person_does_not() {
    let (stack, tick) = unpublished("3600").await;
    let first = expect(&stack.orchestrator, &tick, 503).await;
    let message = first.body["message"].as_str().expect("a message");
    assert!(message.contains("not published yet: 2 of 2 tickers that /fetch answered"), "{message}");
    assert!((3_500..=3_600).contains(&retry_after(&first)), "{:#}", first.body);
    // Until then nobody calls the provider.
    stack.providers.clear();
    let calls = stack.providers.tiingo().journal().calls().len();
    let early = expect(&stack.orchestrator, &tick, 503).await;
    assert!((3_000..=3_600).contains(&retry_after(&early)), "{:#}", early.body);
    assert_eq!(stack.providers.tiingo().journal().calls().len(), calls);
    let id = first.body["data"]["run_id"].as_str().expect("an ID");
    let resumed = post(&stack.orchestrator, &format!("/runs/{id}/resume")).await;
    assert_eq!((resumed.status, &resumed.body["status"]), (200, &json!("ok")), "{:#}", resumed.body);
    assert_eq!(resumed.body["data"]["tickers_processed"], 2);
}

#[tokio::test]
async fn a_run_requests_unpublished_data_again_and_stores_it() {
    let (stack, tick) = unpublished("1").await;
    expect(&stack.orchestrator, &tick, 503).await;
    stack.providers.clear();
    let reply = loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let reply = send(&stack.orchestrator, &tick).await;
        if reply.status != 503 {
            break reply;
        }
    };
    assert_eq!((reply.status, &reply.body["status"]), (200, &json!("ok")), "{:#}", reply.body);
    let data = &reply.body["data"];
    assert_eq!((&data["tickers_processed"], &data["attempt"]), (&json!(2), &json!(2)));
    assert_eq!((&data["tickers_empty"], &data["records_stored"]), (&json!([]), &json!(10)));
}
