//! Instances die, freeze and share one database.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use e2e::runtime::skips_on_spin;
use e2e::stored::{RUNS, assert_found, assert_statistics, datasets, expected, list};
use e2e::system::{PATIENCE, another, assert_same, at, expect, job, retry_after, start, tick, wait_until};
use serde_json::{Value, json};
use sim::firestore::Doc;
use sim::providers::Fault;
use sim::scheduler::{JOBS, Tick};
use sim::stack::Stack;
use sim::watchlist::Watchlist;

const PRICES: &str = "tiingo-daily-prices";
const RUN_ID: &str = "tiingo-daily-prices_2025-11-20T15:00:00Z";

/// One ticker per call, one call after the other, and a short lease.
const SETTINGS: [(&str, &str); 3] =
    [("lease_seconds", "5"), ("batch_size_tiingo", "1"), ("max_concurrency_tiingo", "1")];

async fn entry(stack: &Stack) -> Doc {
    stack.db.get(&format!("{RUNS}/{RUN_ID}")).await.expect("an answer").expect("the ledger's entry")
}

/// The tickers that are pending according to the ledger.
async fn pending(stack: &Stack) -> Vec<String> {
    let state = entry(stack).await.fields["state"].as_str().map(serde_json::from_str::<Value>);
    let state = state.expect("a string").expect("JSON");
    let works = state["pending"].as_array().expect("a list");
    let tickers = works.iter().flat_map(|work| work["tickers"].as_array().expect("a list"));
    tickers.map(|ticker| ticker.as_str().expect("a string").to_owned()).collect()
}

/// A run of thirty slow calls that has saved some of them as done.
async fn under_way(stack: &Stack) -> tokio::task::JoinHandle<anyhow::Result<sim::scheduler::Reply>> {
    stack.providers.tiingo().set_latency(Duration::from_millis(100), Duration::ZERO);
    let url = stack.orchestrator.url().to_owned();
    let sending = tokio::spawn(async move { tick(PRICES).send(&url).await });
    stack.providers.tiingo().journal().wait_for(1, PATIENCE).await.expect("under way");
    wait_until("a checkpoint", async || {
        entry(stack).await.fields["tickers_processed"].as_u64().is_some_and(|done| done > 0)
    })
    .await;
    sending
}

#[tokio::test]
async fn another_instance_takes_over_from_a_killed_one() {
    let stack = start(Watchlist::new(30, 0).without_indices(), &SETTINGS).await;
    let tiingo = stack.providers.tiingo();
    let sending = under_way(&stack).await;
    stack.orchestrator.kill();
    assert!(sending.await.expect("no panic").is_err(), "there is no response");
    let open = pending(&stack).await;
    assert!(!open.is_empty() && open.len() < 30);
    tiingo.journal().clear();
    tiingo.set_latency(Duration::ZERO, Duration::ZERO);

    let second = another(&stack, &SETTINGS).await;
    let reply = expect(&second, &tick(PRICES), 409).await;
    assert!((1..=5).contains(&retry_after(&reply)), "as long as the dead owner's lease");
    let replies = tick(PRICES).deliver(second.url(), 30, Duration::from_millis(300)).await;
    let last = replies.last().expect("an attempt").as_ref().expect("an answer");
    assert_eq!((last.status, &last.body["status"]), (200, &json!("ok")), "{:#}", last.body);
    assert_eq!(last.body["data"]["attempt"], 2);
    assert_same(tiingo.journal().tickers(), open);
    assert_all_stored(&stack, &[PRICES]).await;
    assert_statistics(&stack.db).await;
}

#[tokio::test]
async fn a_frozen_owner_no_longer_writes_to_the_ledger() {
    let stack = start(Watchlist::new(30, 0).without_indices(), &SETTINGS).await;
    let sending = under_way(&stack).await;
    stack.orchestrator.pause().expect("frozen");
    stack.providers.tiingo().set_latency(Duration::ZERO, Duration::ZERO);

    let second = another(&stack, &SETTINGS).await;
    let replies = tick(PRICES).deliver(second.url(), 30, Duration::from_millis(300)).await;
    let last = replies.last().expect("an attempt").as_ref().expect("an answer");
    assert_eq!(last.status, 200, "{:#}", last.body);
    let closed = entry(&stack).await;

    stack.orchestrator.resume().expect("awake");
    let late = sending.await.expect("no panic").expect("an answer");
    assert_eq!(late.status, 409, "it has lost the run: {:#}", late.body);
    assert_eq!(entry(&stack).await, closed, "the entry is as the second owner closed it");
    assert_all_stored(&stack, &[PRICES]).await;
    assert_statistics(&stack.db).await;
}

#[tokio::test]
async fn a_terminated_host_finishes_its_run() {
    if skips_on_spin("Spin cuts requests off on SIGTERM; in the container /entry drains them") {
        return;
    }
    let stack = start(Watchlist::new(30, 0).without_indices(), &SETTINGS).await;
    let sending = under_way(&stack).await;
    let status = stack.orchestrator.terminate(PATIENCE).await.expect("it ends");
    assert!(status.success(), "{status}");
    let reply = sending.await.expect("no panic").expect("an answer");
    assert_eq!((reply.status, &reply.body["status"]), (200, &json!("ok")), "{:#}", reply.body);
    assert_all_stored(&stack, &[PRICES]).await;
}

/// Five ticks of each job, each sent to both instances at once, while every provider fails at random.
#[tokio::test]
async fn a_hundred_requests_on_two_instances_lose_and_duplicate_nothing() {
    let settings =
        [("breaker_open_seconds", "1"), ("breaker_open_max_seconds", "1"), ("lease_seconds", "10")];
    let stack = start(Watchlist::new(16, 6), &settings).await;
    let second = another(&stack, &settings).await;
    for provider in stack.providers.all() {
        for fault in
            [Fault::status(503), Fault::reset(), Fault::garbage(), Fault::status(429), Fault::truncated()]
        {
            provider.fault(fault.probability(0.06));
        }
    }
    let run_time = at(0).to_rfc3339();
    let ticks: Vec<Tick> = JOBS
        .iter()
        .flat_map(|job| (0..5).map(move |minute| Tick::new(job, at(minute))))
        .map(|tick| tick.field("run_time", json!(run_time)))
        .collect();
    let urls = [stack.orchestrator.url(), second.url()];
    let storm = ticks.iter().flat_map(|tick| urls.map(|url| tick.send(url)));
    for reply in futures::future::join_all(storm).await {
        let reply = reply.expect("an answer");
        assert!([200, 409, 503].contains(&reply.status), "{} {:#}", reply.status, reply.body);
    }
    for provider in stack.providers.all() {
        provider.clear();
    }
    for (number, tick) in ticks.iter().enumerate() {
        // A provider that answered 429 is paused, each time for twice as long.
        let replies = tick.deliver(urls[number % 2], 600, Duration::from_millis(250)).await;
        let last = replies.last().expect("an attempt").as_ref().expect("an answer");
        assert_eq!((last.status, &last.body["status"]), (200, &json!("ok")), "{:#}", last.body);
    }
    assert_all_stored(&stack, &JOBS.map(|job| job.name)).await;
    e2e::stored::assert_raw_logs(&stack).await;
    assert_eq!(list(&stack.db, RUNS).await.len(), ticks.len());
    assert_statistics(&stack.db).await;
}

/// Exactly the documents of these jobs are stored, whichever run wrote them last.
async fn assert_all_stored(stack: &Stack, names: &[&str]) {
    let mut runs = BTreeMap::new();
    for collection in datasets(&stack.db).await {
        for doc in list(&stack.db, &collection).await {
            runs.insert((collection.clone(), doc.id), doc.fields["run_id"].clone());
        }
    }
    let known: BTreeSet<_> = list(&stack.db, RUNS).await.into_iter().map(|run| run.id).collect();
    let mut all = BTreeMap::new();
    for name in names {
        for ((collection, id), mut record) in expected(stack, job(name), at(0), "") {
            if let Some(run_id) = runs.get(&(collection.to_owned(), id.clone())) {
                assert!(
                    known.contains(run_id.as_str().unwrap_or_default()),
                    "{collection}/{id} names an unknown run: {run_id}"
                );
                record["run_id"] = run_id.clone();
            }
            all.insert((collection, id), record);
        }
    }
    assert_found(stack, &all).await;
}
