//! Every way in which a provider can fail: the right response, the right number of calls, a raw log for each, and
//! nothing lost when the tick is retried.

use std::time::Duration;

use e2e::stored::{RAW_LOGS, assert_exactly, assert_raw_logs, assert_statistics, list};
use e2e::system::{assert_same, at, expect, job, retry_after, start, tick};
use serde_json::{Value, json};
use sim::providers::{Fault, RetryAfter};
use sim::stack::Stack;
use sim::watchlist::{Scope, Watchlist};

const PRICES: &str = "tiingo-daily-prices";
const RUN_ID: &str = "tiingo-daily-prices_2025-11-20T15:00:00Z";

/// Six tickers in three batches, one after the other; three attempts per call; a breaker that stays closed.
async fn system(settings: &[(&str, &str)]) -> Stack {
    let quiet = [
        ("batch_size_tiingo", "2"),
        ("max_concurrency_tiingo", "1"),
        ("retry_max_attempts", "3"),
        ("limit_window_seconds", "1"),
        ("breaker_min_calls", "1000"),
        ("breaker_window", "1000"),
    ];
    let settings: Vec<_> = quiet.into_iter().chain(settings.iter().copied()).collect();
    let stack = start(Watchlist::new(6, 0).without_indices(), &settings).await;
    stack.providers.tiingo().journal().keep_bodies(true);
    stack
}

/// Retries the tick after the fault has ended: what was pending is fetched once, and everything is stored.
async fn assert_recovers(stack: &Stack, open: &[String]) {
    let tiingo = stack.providers.tiingo();
    tiingo.clear();
    let before = tiingo.journal().count();
    let reply = expect(&stack.orchestrator, &tick(PRICES), 200).await;
    assert_eq!((&reply.body["status"], &reply.body["data"]["attempt"]), (&json!("ok"), &json!(2)));
    let asked = tiingo.journal().calls().into_iter().skip(before).flat_map(|call| call.tickers);
    assert_same(asked, open.iter().cloned());
    assert_exactly(stack, job(PRICES), at(0), RUN_ID).await;
    assert_raw_logs(stack).await;
    assert_statistics(&stack.db).await;
}

/// Applies the fault to every call.
async fn check(fault: Fault, settings: &[(&str, &str)], status: u16, calls: usize, expected: &str) {
    let stack = system(settings).await;
    let all = stack.watchlist.tickers(Scope::EntireWatchlist);
    stack.providers.tiingo().fault(fault);
    let reply = expect(&stack.orchestrator, &tick(PRICES), status).await;
    let data = &reply.body["data"];
    assert_eq!(reply.body["status"], "error");
    assert_eq!(stack.providers.tiingo().journal().count(), calls, "{:#}", reply.body);
    assert_eq!(data["tickers_processed"], 0);
    let (list, pending) = if status == 502 { ("tickers_failed", 0) } else { ("pending", 6) };
    assert_eq!(data["tickers_pending"], pending, "{:#}", reply.body);
    let reasons = data[list].to_string() + reply.body["message"].as_str().expect("a message");
    assert!(reasons.contains(expected), "{expected} is not in {:#}", reply.body);
    if status == 503 {
        retry_after(&reply);
    }
    assert_raw_logs(&stack).await;
    assert_failures_are_logged(&stack, expected).await;
    if expected.starts_with("429") {
        tokio::time::sleep(Duration::from_secs(retry_after(&reply))).await;
    }
    assert_recovers(&stack, &all).await;
}

async fn assert_failures_are_logged(stack: &Stack, expected: &str) {
    for log in list(&stack.db, RAW_LOGS).await {
        let (response, metadata) = (&log.fields["response"], &log.fields["metadata"]);
        assert_eq!(response["error_flag"], true);
        let error = response["error"].as_str().expect("the error's expected");
        assert!(error.contains(expected), "{expected} is not in {error}");
        assert_eq!(metadata["tickers_failed"], metadata["tickers_requested"]);
        assert_eq!(metadata["tickers_successful"], json!([]));
    }
}

#[tokio::test]
async fn a_refused_batch_is_split_and_its_tickers_fail() {
    for code in [400, 413, 422] {
        check(Fault::status(code).detail("not these"), &[], 502, 9, &format!("{code}: not these")).await;
    }
}

#[tokio::test]
async fn a_provider_that_refuses_our_credentials_ends_the_run_at_once() {
    for code in [401, 403] {
        check(Fault::status(code).detail("who are you"), &[], 503, 1, &format!("{code}: who are you")).await;
    }
}

#[tokio::test]
async fn an_unknown_address_leaves_everything_pending() {
    check(Fault::status(404).detail("Not Found"), &[], 503, 27, "404: Not Found").await;
}

#[tokio::test]
async fn a_provider_that_is_down_is_tried_three_times_per_batch_and_with_each_ticker() {
    for code in [408, 500, 502, 503, 504] {
        check(Fault::status(code).detail("down"), &[], 503, 27, &format!("{code}: down")).await;
    }
}

#[tokio::test]
async fn a_rate_limited_call_is_tried_three_times() {
    check(Fault::status(429).detail("slow down"), &[], 503, 3, "429: slow down").await;
}

#[tokio::test]
async fn a_reset_connection_is_retried() {
    check(Fault::reset(), &[], 503, 27, "").await;
}

#[tokio::test]
async fn a_hanging_call_times_out() {
    let settings =
        [("service_timeout_seconds", "1"), ("max_concurrency_tiingo", "3"), ("retry_max_attempts", "2")];
    check(Fault::hang(), &settings, 503, 15, "no complete response within").await;
}

#[tokio::test]
async fn a_slow_body_times_out() {
    let settings =
        [("service_timeout_seconds", "1"), ("max_concurrency_tiingo", "3"), ("retry_max_attempts", "2")];
    check(Fault::slow_body(Duration::from_secs(30)), &settings, 503, 15, "no complete response within").await;
}

#[tokio::test]
async fn an_unreadable_response_is_retried_once() {
    check(Fault::truncated(), &[], 503, 24, "").await;
    check(Fault::garbage(), &[], 503, 24, "response cannot be parsed").await;
    check(Fault::wrong_shape(), &[], 503, 24, "no data").await;
}

#[tokio::test]
async fn a_stopped_service_leaves_everything_pending() {
    let stack = system(&[]).await;
    let all = stack.watchlist.tickers(Scope::EntireWatchlist);
    stack.providers.tiingo().stop().await;
    let reply = expect(&stack.orchestrator, &tick(PRICES), 503).await;
    assert_eq!(
        (&reply.body["data"]["tickers_pending"], &reply.body["data"]["calls"]),
        (&json!(6), &json!(27))
    );
    let logs = list(&stack.db, RAW_LOGS).await;
    assert_eq!(logs.len(), 27, "calls without a response are logged too");
    assert!(logs.iter().all(|log| log.fields["response"]["status_code"].is_null()));
    for log in logs {
        stack.db.delete(&format!("{RAW_LOGS}/{}", log.id)).await.expect("deleted");
    }
    stack.providers.tiingo().restart().await.expect("restarted");
    // The journal does not have calls that never arrived; the others must be logged.
    assert_recovers(&stack, &all).await;
}

#[tokio::test]
async fn a_slow_response_is_accepted() {
    let stack = system(&[]).await;
    stack.providers.tiingo().fault(Fault::slow(Duration::from_millis(100)).times(1));
    stack.providers.tiingo().fault(Fault::slow_body(Duration::from_millis(100)));
    expect(&stack.orchestrator, &tick(PRICES), 200).await;
    assert_eq!(stack.providers.tiingo().journal().count(), 3);
    assert_exactly(&stack, job(PRICES), at(0), RUN_ID).await;
    assert_raw_logs(&stack).await;
}

#[tokio::test]
async fn transient_failures_leave_only_their_raw_logs() {
    for fault in [
        Fault::status(500),
        Fault::status(503).retry_after(RetryAfter::Seconds(0)),
        Fault::status(429),
        Fault::reset(),
        Fault::truncated(),
        Fault::garbage(),
        Fault::wrong_shape(),
    ] {
        let stack = system(&[]).await;
        stack.providers.tiingo().fault(fault.clone().times(1));
        let reply = expect(&stack.orchestrator, &tick(PRICES), 200).await;
        let data = &reply.body["data"];
        // A call repeated after a rate limit does not count as another attempt for its tickers.
        let retries = u8::from(!format!("{fault:?}").contains("code: 429"));
        assert_eq!((&data["calls"], &data["retries"]), (&json!(4), &json!(retries)), "{fault:?}");
        assert_exactly(&stack, job(PRICES), at(0), RUN_ID).await;
        assert_raw_logs(&stack).await;
    }
}

#[tokio::test]
async fn only_the_batch_that_failed_is_fetched_again() {
    let stack = system(&[]).await;
    let all = stack.watchlist.tickers(Scope::EntireWatchlist);
    stack.providers.tiingo().fault(Fault::status(401).after(1));
    let reply = expect(&stack.orchestrator, &tick(PRICES), 503).await;
    assert_eq!(reply.body["data"]["tickers_processed"], 2, "{:#}", reply.body);
    assert_recovers(&stack, &all[2..]).await;
}

/// The time between the first response and the next call, as seen by the provider.
async fn wait_after(retry_after: RetryAfter) -> Duration {
    let stack = system(&[]).await;
    stack.providers.tiingo().fault(Fault::status(429).retry_after(retry_after).times(1));
    expect(&stack.orchestrator, &tick(PRICES), 200).await;
    let calls = stack.providers.tiingo().journal().calls();
    assert_eq!(calls.len(), 4);
    calls[1].received - calls[0].received
}

#[tokio::test]
async fn both_forms_of_retry_after_are_respected() {
    assert!(wait_after(RetryAfter::Seconds(1)).await >= Duration::from_secs(1));
    // An HTTP date has whole seconds: two seconds ahead mean more than one.
    assert!(wait_after(RetryAfter::Date(Duration::from_millis(2_000))).await > Duration::from_millis(900));
}

#[tokio::test]
async fn a_retry_after_beyond_the_request_is_passed_on() {
    let stack = system(&[("job_deadline_seconds", "5")]).await;
    stack.providers.tiingo().fault(Fault::status(429).retry_after(RetryAfter::Seconds(600)));
    let reply = expect(&stack.orchestrator, &tick(PRICES), 503).await;
    assert!((500..=600).contains(&retry_after(&reply)), "{:?}", reply.headers);
    assert_eq!(stack.providers.tiingo().journal().count(), 1, "the whole provider is paused");
    assert_eq!(reply.body["data"]["tickers_pending"], 6);
}

#[tokio::test]
async fn other_providers_jobs_continue() {
    let stack = start(Watchlist::new(6, 6), &[]).await;
    stack.providers.tiingo().fault(Fault::hang());
    let sending = tokio::spawn({
        let url = stack.orchestrator.url().to_owned();
        async move { tick(PRICES).send(&url).await }
    });
    stack.providers.tiingo().journal().wait_for(1, e2e::system::PATIENCE).await.expect("under way");
    for name in ["finnhub-quote-portfolio", "polygon-news-market", "alpha-vantage-technical-indicators"] {
        let reply = expect(&stack.orchestrator, &tick(name), 200).await;
        assert_eq!(reply.body["status"], Value::from("ok"));
    }
    assert!(!sending.is_finished());
    sending.abort();
}
