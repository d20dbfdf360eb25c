//! Records are made again from the raw logs, byte for byte, and no provider is called.

use std::collections::BTreeMap;

use e2e::stored::{RAW_LOGS, datasets, list};
use e2e::system::{expect, order, start, tick};
use serde_json::{Value, json};
use sim::firestore::Db;
use sim::providers::Fault;
use sim::scheduler::JOBS;
use sim::stack::Stack;
use sim::watchlist::Watchlist;

/// Every stored record by its path, with Firestore's types.
async fn records(db: &Db) -> BTreeMap<String, Value> {
    let mut records = BTreeMap::new();
    for collection in datasets(db).await {
        let docs = list(db, &collection).await.into_iter();
        records.extend(docs.map(|doc| (format!("{collection}/{}", doc.id), doc.raw)));
    }
    records
}

fn calls(stack: &Stack) -> usize {
    stack.providers.all().iter().map(|provider| provider.journal().count()).sum()
}

/// Deletes all records, replays the run and returns the report's data.
async fn lose_and_replay(stack: &Stack, run_id: &str) -> Value {
    let before = records(&stack.db).await;
    assert!(!before.is_empty());
    for path in before.keys() {
        stack.db.delete(path).await.expect("deleted");
    }
    let path = format!("/runs/{run_id}/replay");
    let would = order(&stack.orchestrator, &path, json!({"dry_run": true})).await;
    let new = would.body["data"]["new"].as_u64();
    assert_eq!((would.status, new), (200, u64::try_from(before.len()).ok()), "{:#}", would.body);
    assert_eq!(records(&stack.db).await.len(), 0, "a dry run changes nothing");
    let replayed = order(&stack.orchestrator, &path, json!({"reason": "somebody deleted them"})).await;
    assert_eq!(replayed.status, 200, "{:#}", replayed.body);
    assert_eq!(records(&stack.db).await, before);
    let again = order(&stack.orchestrator, &path, json!({})).await;
    assert_eq!((again.status, &again.body["data"]["records_stored"]), (200, &json!(0)), "{:#}", again.body);
    replayed.body["data"].clone()
}

#[tokio::test]
async fn every_record_of_every_job_comes_back_as_it_was() {
    for job in JOBS {
        let stack = start(Watchlist::new(6, 4), &[("batch_size_tiingo", "2")]).await;
        let reply = expect(&stack.orchestrator, &tick(job.name), 200).await;
        let run_id = reply.body["data"]["run_id"].as_str().expect("a run id");
        let before = calls(&stack);
        let data = lose_and_replay(&stack, run_id).await;
        assert_eq!((&data["trigger"], &data["calls"]), (&json!("replay"), &json!(0)), "{}", job.name);
        assert_eq!(data["records_stored"], reply.body["data"]["records_stored"], "{}", job.name);
        assert_eq!(calls(&stack), before, "{}", job.name);
    }
}

#[tokio::test]
async fn a_response_in_parts_comes_back_whole() {
    let stack = start(Watchlist::new(5, 5), &[]).await;
    stack.providers.finnhub().fault(Fault::huge_body(5 << 20));
    let reply = expect(&stack.orchestrator, &tick("finnhub-quote-portfolio"), 200).await;
    let log = list(&stack.db, RAW_LOGS).await.remove(0);
    assert!(log.fields["response"]["parts"].as_u64().is_some_and(|parts| parts > 1));
    lose_and_replay(&stack, reply.body["data"]["run_id"].as_str().expect("a run id")).await;
}

#[tokio::test]
async fn what_cannot_be_replayed_is_refused_with_the_reason() {
    let stack = start(Watchlist::new(2, 2), &[]).await;
    let none = order(&stack.orchestrator, "/runs/nobody/replay", json!({})).await;
    assert_eq!(none.status, 404);
    let job = "finnhub-quote-portfolio";
    let range = json!({"job": job, "from": "2026-11-01", "to": "2026-11-02"});
    let empty = order(&stack.orchestrator, "/replays", range).await;
    assert_eq!((empty.status, &empty.body["errors"][0]["field"]), (422, &json!("from")), "{:#}", empty.body);
    let reply = expect(&stack.orchestrator, &tick(job), 200).await;
    let run_id = reply.body["data"]["run_id"].as_str().expect("a run id");
    let replayed = order(&stack.orchestrator, &format!("/runs/{run_id}/replay"), json!({})).await;
    let replay_id = replayed.body["data"]["run_id"].as_str().expect("a run id");
    let of_replay = order(&stack.orchestrator, &format!("/runs/{replay_id}/replay"), json!({})).await;
    assert_eq!(of_replay.status, 409, "{:#}", of_replay.body);
    let orders = e2e::system::get(&stack.orchestrator, "/orders").await;
    assert_eq!(orders.body["orders"][0]["what"], "replay", "{:#}", orders.body);
}
