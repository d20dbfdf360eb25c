//! Firestore fails: nothing claims success, nothing is lost, nothing counts twice.
//!
//! A proxy in front of Firestore injects the faults; the last test kills Firestore itself.

use std::sync::Arc;
use std::time::Duration;

use e2e::runtime::builder;
use e2e::stored::{
    REJECTED, RUNS, STATISTICS, assert_exactly, assert_raw_logs, assert_statistics, count, list, payload,
};
use e2e::system::{PATIENCE, at, expect, job, retry_after, send, start_with, tick};
use serde_json::json;
use sim::firestore::Firestore;
use sim::firestore::proxy::{Fault, Proxy};
use sim::scheduler::{Reply, Tick};
use sim::stack::{Parts, Stack};
use sim::watchlist::Watchlist;

const PRICES: &str = "tiingo-daily-prices";
const QUOTES: &str = "finnhub-quote-portfolio";

/// What the bodies that claim a run, save its progress or close it contain.
const CLAIM: &str = "\"exists\":false";
const FENCE: &str = "\"updateTime\"";
const CLOSE: &str = STATISTICS;

async fn behind_proxy(watchlist: Watchlist, settings: &[(&str, &str)]) -> (Proxy, Stack) {
    let firestore = Firestore::shared().await.expect("Firestore");
    let proxy = Proxy::start(&firestore.host()).await.expect("the proxy");
    let parts = Parts { watchlist: Some(watchlist), ..Parts::default() };
    let builder =
        builder().variable("firestore_emulator_host", proxy.host()).variables(settings.iter().copied());
    (proxy, start_with(parts, builder).await)
}

/// Everything is stored once and counted once.
async fn assert_done(stack: &Stack, name: &str, reply: &Reply) {
    assert_eq!((reply.status, &reply.body["status"]), (200, &json!("ok")), "{:#}", reply.body);
    let run_id = format!("{name}_2025-11-20T15:00:00Z");
    assert_eq!(reply.body["data"]["run_id"], run_id);
    assert_exactly(stack, job(name), at(0), &run_id).await;
    assert_raw_logs(stack).await;
    assert_statistics(&stack.db).await;
    assert_eq!(count(&stack.db, RUNS).await, 1);
    assert_eq!(reply.body["data"]["records_stored"], stack.expected(job(name), at(0)).len());
}

/// A quick run succeeds in spite of the fault.
async fn survives(fault: Fault) {
    let (proxy, stack) = behind_proxy(Watchlist::new(10, 5), &[]).await;
    proxy.fault(fault);
    let reply = send(&stack.orchestrator, &tick(QUOTES)).await;
    assert!(proxy.struck() > 0, "the fault was never applied");
    assert_done(&stack, QUOTES, &reply).await;
    assert_eq!(stack.providers.finnhub().journal().count(), 1, "the work is done once");
    assert_eq!(reply.body["data"]["attempt"], 1);
    assert_eq!(list(&stack.db, STATISTICS).await[0].fields["jobs_processed"], 1);
}

#[tokio::test]
async fn a_claim_counts_although_its_response_is_lost() {
    survives(Fault::lose_answer().operation(":commit").containing(CLAIM).times(1)).await;
}

#[tokio::test]
async fn a_closing_commit_counts_once_although_its_response_is_lost() {
    survives(Fault::lose_answer().operation(":commit").containing(CLOSE).times(1)).await;
    survives(Fault::lose_answer().operation(":commit").containing(CLOSE).times(3)).await;
}

#[tokio::test]
async fn commits_are_retried_while_firestore_is_busy() {
    for code in [409, 429, 500, 503, 504] {
        survives(Fault::status(code).operation(":commit").times(2)).await;
    }
    survives(Fault::reset().operation(":commit").containing(CLOSE).times(2)).await;
}

#[tokio::test]
async fn reads_are_retried_while_firestore_is_busy() {
    for code in [429, 503] {
        survives(Fault::status(code).operation(":runQuery").containing("react_activeSymbols").times(2)).await;
    }
    survives(Fault::reset().containing("ingestion_breakers/finnhub").times(1)).await;
}

#[tokio::test]
async fn writes_are_retried_while_firestore_is_busy() {
    for code in [409, 429, 500, 503] {
        survives(Fault::status(code).operation(":batchWrite").times(2)).await;
    }
}

#[tokio::test]
async fn single_writes_are_retried_by_their_own_status() {
    // ABORTED, INTERNAL, UNAVAILABLE, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED.
    for code in [10, 13, 14, 4, 8] {
        survives(Fault::refuse_writes(code, "prices_intraday/MSFT").times(2)).await;
    }
}

#[tokio::test]
async fn a_document_that_firestore_refuses_permanently_is_kept_as_rejected() {
    let (proxy, stack) = behind_proxy(Watchlist::new(10, 5), &[]).await;
    proxy.fault(Fault::refuse_writes(3, "documents/prices_intraday/MSFT"));
    let reply = expect(&stack.orchestrator, &tick(QUOTES), 200).await;
    let data = &reply.body["data"];
    assert_eq!((&reply.body["status"], &data["records_rejected"]), (&json!("partial"), &json!(1)));
    assert_eq!(data["records_stored"], 4);
    assert_eq!(proxy.struck(), 1, "a permanent failure is not retried");
    assert_eq!(count(&stack.db, "prices_intraday").await, 4);
    let rejected = list(&stack.db, REJECTED).await.remove(0);
    assert!(rejected.fields["reasons"].to_string().contains("simulated code 3"), "{:#}", rejected.fields);
    let record = payload(&stack.db, REJECTED, &rejected, "record").await;
    assert!(String::from_utf8(record).expect("JSON").contains("current_price"));
}

#[tokio::test]
async fn writes_whose_response_is_lost_are_retried_and_counted_once() {
    survives(Fault::lose_answer().operation(":batchWrite").times(2)).await;
    survives(Fault::reset().operation(":batchWrite").times(2)).await;
}

#[tokio::test]
async fn a_checkpoint_whose_response_is_lost_does_not_fail_the_run() {
    let settings = [("batch_size_tiingo", "1"), ("max_concurrency_tiingo", "1")];
    let (proxy, stack) = behind_proxy(Watchlist::new(12, 0).without_indices(), &settings).await;
    // Long enough for two checkpoints, which are a second apart.
    stack.providers.tiingo().set_latency(Duration::from_millis(250), Duration::ZERO);
    let checkpoint = Fault::lose_answer().operation(":commit").containing(FENCE).lacking(CLOSE);
    proxy.fault(checkpoint.times(1));
    let reply = send(&stack.orchestrator, &tick(PRICES)).await;
    assert_eq!(proxy.struck(), 1, "there was a checkpoint");
    assert_done(&stack, PRICES, &reply).await;
    assert_eq!(stack.providers.tiingo().journal().count(), 12);
}

#[tokio::test]
async fn a_hanging_checkpoint_does_not_lose_the_lease() {
    let settings = [("batch_size_tiingo", "1"), ("max_concurrency_tiingo", "1"), ("lease_seconds", "5")];
    let (proxy, stack) = behind_proxy(Watchlist::new(30, 0).without_indices(), &settings).await;
    stack.providers.tiingo().set_latency(Duration::from_millis(250), Duration::ZERO);
    let checkpoint = Fault::delay(Duration::from_mins(1)).operation(":commit").containing(FENCE);
    proxy.fault(checkpoint.lacking(CLOSE).times(1));
    let reply = send(&stack.orchestrator, &tick(PRICES)).await;
    assert_eq!(proxy.struck(), 1, "there was a checkpoint");
    assert_done(&stack, PRICES, &reply).await;
    assert_eq!(reply.body["data"]["attempt"], 1);
}

#[tokio::test]
async fn slow_writes_only_delay_a_run() {
    let (proxy, stack) =
        behind_proxy(Watchlist::new(100, 0).without_indices(), &[("batch_size_tiingo", "10")]).await;
    proxy.fault(Fault::delay(Duration::from_millis(100)).operation(":batchWrite"));
    let reply = send(&stack.orchestrator, &tick(PRICES)).await;
    assert_done(&stack, PRICES, &reply).await;
}

#[tokio::test]
async fn documents_that_cannot_be_stored_leave_the_run_open() {
    let (proxy, stack) = behind_proxy(Watchlist::new(10, 5), &[]).await;
    proxy.fault(Fault::status(503).operation(":batchWrite"));
    let reply = expect(&stack.orchestrator, &tick(QUOTES), 503).await;
    assert_eq!((&reply.body["status"], &reply.body["data"]["tickers_pending"]), (&json!("error"), &json!(5)));
    assert_eq!(reply.body["data"]["records_stored"], 0);
    retry_after(&reply);
    assert_eq!(count(&stack.db, "prices_intraday").await, 0);
    assert_statistics(&stack.db).await;

    proxy.clear();
    stack.providers.finnhub().journal().clear();
    let reply = send(&stack.orchestrator, &tick(QUOTES)).await;
    assert_eq!(reply.body["data"]["attempt"], 2);
    assert_done(&stack, QUOTES, &reply).await;
}

#[tokio::test]
async fn a_run_that_cannot_be_closed_does_not_claim_success() {
    let (proxy, stack) = behind_proxy(Watchlist::new(10, 5), &[("lease_seconds", "5")]).await;
    proxy.fault(Fault::status(503).operation(":commit").containing(CLOSE));
    let reply = expect(&stack.orchestrator, &tick(QUOTES), 503).await;
    retry_after(&reply);
    assert_eq!(count(&stack.db, STATISTICS).await, 0);
    proxy.clear();
    let replies = tick(QUOTES).deliver(stack.orchestrator.url(), 20, Duration::from_millis(500)).await;
    let last = replies.last().expect("an attempt").as_ref().expect("an answer");
    assert_done(&stack, QUOTES, last).await;
    assert_eq!(list(&stack.db, STATISTICS).await[0].fields["jobs_processed"], 1);
}

#[tokio::test]
async fn without_a_ledger_no_provider_is_called() {
    let (proxy, stack) = behind_proxy(Watchlist::new(10, 5), &[]).await;
    for fault in [Fault::status(503), Fault::reset(), Fault::status(429)] {
        proxy.clear();
        proxy.fault(fault);
        let reply = expect(&stack.orchestrator, &tick(QUOTES), 503).await;
        retry_after(&reply);
        assert_eq!(reply.headers["content-type"], "application/problem+json");
        for path in ["/runs", "/runs/x"] {
            let reply = e2e::system::get(&stack.orchestrator, path).await;
            assert_eq!(reply.status, 503, "{path}: {:#}", reply.body);
        }
    }
    assert_eq!(stack.providers.finnhub().journal().count(), 0);
    proxy.clear();
    let reply = send(&stack.orchestrator, &tick(QUOTES)).await;
    assert_done(&stack, QUOTES, &reply).await;
}

#[tokio::test]
async fn an_unreadable_watchlist_is_not_treated_as_empty() {
    let (proxy, stack) = behind_proxy(Watchlist::new(10, 5), &[]).await;
    proxy.fault(Fault::status(503).operation(":runQuery").containing("react_activeSymbols"));
    let reply = expect(&stack.orchestrator, &tick(QUOTES), 503).await;
    retry_after(&reply);
    assert_eq!(stack.providers.finnhub().journal().count(), 0);
    proxy.clear();
    let reply = send(&stack.orchestrator, &tick(QUOTES)).await;
    assert_done(&stack, QUOTES, &reply).await;
}

#[tokio::test]
async fn a_killed_firestore_causes_no_false_success() {
    let firestore = Arc::new(Firestore::for_tests().await.expect("a separate Firestore"));
    let watchlist = Watchlist::new(30, 0).without_indices();
    let parts =
        Parts { firestore: Some(firestore.clone()), watchlist: Some(watchlist.clone()), ..Parts::default() };
    let settings = [("batch_size_tiingo", "1"), ("max_concurrency_tiingo", "1")];
    let stack = start_with(parts, builder().variables(settings)).await;
    let tiingo = stack.providers.tiingo();

    firestore.kill().await.expect("killed");
    let reply = expect(&stack.orchestrator, &tick(PRICES), 503).await;
    retry_after(&reply);
    assert_eq!(tiingo.journal().count(), 0, "down at the start: no provider is called");

    firestore.restart().await.expect("restarted");
    watchlist.seed(&stack.db).await.expect("seeded");
    tiingo.set_latency(Duration::from_millis(50), Duration::ZERO);
    let sending = tokio::spawn({
        let url = stack.orchestrator.url().to_owned();
        async move { Tick::new(job(PRICES), at(0)).send(&url).await.expect("an answer") }
    });
    tiingo.journal().wait_for(5, PATIENCE).await.expect("under way");
    firestore.kill().await.expect("killed");
    let reply = sending.await.expect("no panic");
    assert_eq!(reply.status, 503, "down in the middle: {:#}", reply.body);
    retry_after(&reply);

    firestore.restart().await.expect("restarted");
    watchlist.seed(&stack.db).await.expect("seeded");
    tiingo.set_latency(Duration::ZERO, Duration::ZERO);
    stack.providers.clear();
    let reply = send(&stack.orchestrator, &tick(PRICES)).await;
    assert_done(&stack, PRICES, &reply).await;
}

#[tokio::test]
async fn documents_that_wait_for_a_slow_firestore_are_sent_in_few_requests() {
    let settings = [("batch_size_tiingo", "1"), ("max_concurrency_tiingo", "4")];
    let (proxy, stack) = behind_proxy(Watchlist::new(40, 0).without_indices(), &settings).await;
    proxy.fault(Fault::delay(Duration::from_secs(1)).operation(":batchWrite"));
    proxy.record();
    let reply = send(&stack.orchestrator, &tick(PRICES)).await;
    assert_done(&stack, PRICES, &reply).await;
    let requests = proxy.recorded();
    let writes = requests.iter().filter(|request| request.address.ends_with(":batchWrite")).count();
    assert!(writes <= 4, "40 responses were stored with {writes} requests");
}
