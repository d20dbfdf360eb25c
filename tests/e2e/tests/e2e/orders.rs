//! Orders: a run is cancelled on whatever instance works on it, a job is paused, runs are resumed together; all with who
//! and why.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use e2e::runtime::skips_on_spin;
use e2e::stored::{assert_statistics, list};
use e2e::system::{
    PATIENCE, another, at, by_hand, expect, get, job, now, order, post, start, tick, wait_until,
};
use e2e::trust::{GUARDED, OPERATOR, SCHEDULER, ask_as, google, system, token};
use reqwest::Method;
use serde_json::{Value, json};
use sim::providers::Fault;
use sim::scheduler::{Reply, Tick};
use sim::stack::Stack;
use sim::watchlist::Watchlist;

const PRICES: &str = "tiingo-daily-prices";
const RUN_ID: &str = "tiingo-daily-prices_2025-11-20T15:00:00Z";
const ORDERS: &str = "ingestion_orders";
/// One ticker per call, one call after the other.
const SETTINGS: [(&str, &str); 2] = [("batch_size_tiingo", "1"), ("max_concurrency_tiingo", "1")];

/// A tick whose first call takes this long is on its way.
async fn slow_tick(stack: &Stack, latency: Duration) -> tokio::task::JoinHandle<anyhow::Result<Reply>> {
    stack.providers.tiingo().set_latency(latency, Duration::ZERO);
    let url = stack.orchestrator.url().to_owned();
    let sending = tokio::spawn(async move { tick(PRICES).send(&url).await });
    stack.providers.tiingo().journal().wait_for(1, PATIENCE).await.expect("under way");
    sending
}

fn whats(orders: &Value) -> Vec<&str> {
    let orders = orders["orders"].as_array().expect("a list");
    orders.iter().map(|order| order["what"].as_str().expect("a string")).collect()
}

/// The provider answers after minutes: the run ends, so its owner has not waited for that.
#[tokio::test]
async fn a_run_that_waits_for_a_slow_provider_is_cancelled_through_another_instance() {
    let stack = start(Watchlist::new(5, 0).without_indices(), &SETTINGS).await;
    let tiingo = stack.providers.tiingo();
    let second = another(&stack, &SETTINGS).await;
    let sending = slow_tick(&stack, Duration::from_secs(600)).await;
    let began = Instant::now();
    let path = format!("/runs/{RUN_ID}/cancel");
    let told = order(&second, &path, json!({"reason": "wrong key"})).await;
    let told_after = began.elapsed();
    let ended = sending.await.expect("no panic").expect("an answer");
    println!(
        "cancelled through another instance: told after {told_after:?}, its owner ended after {:?}",
        began.elapsed()
    );
    assert_eq!((told.status, &told.body["status"]), (200, &json!("cancelled")), "{:#}", told.body);
    assert_eq!((ended.status, &ended.body["status"]), (200, &json!("cancelled")), "{:#}", ended.body);
    assert_eq!(ended.body["data"]["cancelled"]["reason"], "wrong key");
    assert_eq!((tiingo.journal().count(), &ended.body["data"]["tickers_pending"]), (1, &json!(5)));

    // The scheduler is told the same, on either instance, and nobody is called.
    for orchestrator in [&stack.orchestrator, &second] {
        let again = expect(orchestrator, &tick(PRICES), 200).await;
        assert_eq!((&again.body["status"], &again.body["duplicate"]), (&json!("cancelled"), &json!(true)));
    }
    assert_eq!(tiingo.journal().count(), 1);
    let again = order(&second, &path, json!({"reason": "really"})).await;
    assert_eq!(again.status, 409, "{:#}", again.body);

    tiingo.set_latency(Duration::ZERO, Duration::ZERO);
    let resumed = post(&second, &format!("/runs/{RUN_ID}/resume")).await;
    assert_eq!((resumed.status, &resumed.body["status"]), (200, &json!("ok")), "{:#}", resumed.body);
    assert_eq!(resumed.body["data"]["tickers_processed"], 5);
    let orders = get(&stack.orchestrator, "/orders").await.body;
    assert_eq!(whats(&orders), ["resume", "cancel"]);
    assert_eq!(orders["orders"][1]["subject"], RUN_ID);
    assert_statistics(&stack.db).await;
}

/// What was received is stored and not requested again; no call begins after the run's answer.
#[tokio::test]
async fn a_cancelled_run_keeps_what_it_has_and_is_resumed_with_the_rest() {
    let stack = start(Watchlist::new(30, 0).without_indices(), &SETTINGS).await;
    let tiingo = stack.providers.tiingo();
    let second = another(&stack, &SETTINGS).await;
    let sending = slow_tick(&stack, Duration::from_millis(300)).await;
    tiingo.journal().wait_for(4, PATIENCE).await.expect("under way");
    let told = order(&second, &format!("/runs/{RUN_ID}/cancel"), json!({"reason": "enough"})).await;
    assert_eq!(told.status, 200, "{:#}", told.body);
    let ended = sending.await.expect("no panic").expect("an answer");
    let calls = tiingo.journal().count();
    let data = &ended.body["data"];
    let (done, left) = (&data["tickers_processed"], &data["tickers_pending"]);
    let (done, left) = (done.as_u64().expect("a number"), left.as_u64().expect("a number"));
    assert!(done >= 3 && done + left == 30, "{:#}", ended.body);
    assert_eq!(list(&stack.db, "prices_daily").await.is_empty(), done == 0);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(tiingo.journal().count(), calls, "it is no longer worked on");

    tiingo.set_latency(Duration::ZERO, Duration::ZERO);
    let resumed = post(&stack.orchestrator, &format!("/runs/{RUN_ID}/resume")).await;
    assert_eq!(resumed.body["data"]["tickers_processed"], 30, "{:#}", resumed.body);
    assert_eq!(
        u64::try_from(tiingo.journal().count() - calls).expect("fits"),
        left,
        "what is stored is not requested again"
    );
    assert_statistics(&stack.db).await;
}

#[tokio::test]
async fn ticks_of_a_paused_job_are_skipped_until_it_is_unpaused() {
    let stack = start(Watchlist::new(5, 5).without_indices(), &[]).await;
    let orchestrator = &stack.orchestrator;
    let second = another(&stack, &[]).await;
    let until = now() + TimeDelta::days(2);
    let pause = json!({"reason": "the key has expired", "until": until.to_rfc3339()});
    let paused = order(orchestrator, &format!("/jobs/{PRICES}/pause"), pause).await;
    assert_eq!((paused.status, &paused.body["paused"]["by"]), (200, &json!("anybody")), "{:#}", paused.body);
    // On every instance.
    for (minute, orchestrator) in [(0, orchestrator), (1, &second)] {
        let skipped = expect(orchestrator, &Tick::new(job(PRICES), at(minute)), 200).await;
        assert_eq!(
            (&skipped.body["status"], &skipped.body["data"]["run_status"]),
            (&json!("ok"), &json!("skipped"))
        );
        let reason = skipped.body["data"]["skipped"].as_str().expect("a reason");
        assert!(
            reason.starts_with("paused by anybody until ") && reason.ends_with(": the key has expired"),
            "{reason}"
        );
    }
    assert_eq!(stack.providers.tiingo().journal().count(), 0);
    // Other jobs and manual runs are not held up.
    expect(orchestrator, &tick("finnhub-quote-portfolio"), 200).await;
    let manual = expect(orchestrator, &by_hand(PRICES), 200).await;
    assert_eq!(manual.body["data"]["run_status"], "succeeded");

    let status = get(&second, "/status").await.body;
    let shown =
        status["jobs"].as_array().expect("jobs").iter().find(|shown| shown["job"] == PRICES).expect("shown");
    assert_eq!(shown["paused"]["reason"], "the key has expired");
    let next = shown["next_run_time"]
        .as_str()
        .expect("it ends")
        .parse::<chrono::DateTime<chrono::Utc>>()
        .expect("a time");
    assert!(next >= until, "{next}");

    let path = format!("/jobs/{PRICES}/unpause");
    assert_eq!(order(&second, &path, json!({"reason": "a new key"})).await.body["paused"], Value::Null);
    assert_eq!(order(&second, &path, json!({"reason": "again"})).await.status, 409);
    let run = expect(orchestrator, &Tick::new(job(PRICES), at(2)), 200).await;
    assert_eq!(run.body["data"]["run_status"], "succeeded");
    // What was skipped stays skipped.
    let again = expect(orchestrator, &tick(PRICES), 200).await;
    assert_eq!(
        (&again.body["duplicate"], &again.body["data"]["run_status"]),
        (&json!(true), &json!("skipped"))
    );
    assert_statistics(&stack.db).await;
}

#[tokio::test]
async fn orders_without_a_reason_or_about_nothing_are_refused_and_not_kept() {
    let stack = start(Watchlist::new(2, 0).without_indices(), &[]).await;
    let orchestrator = &stack.orchestrator;
    let reason = json!({"reason": "why not"});
    for (path, body, status, words) in [
        (format!("/jobs/{PRICES}/pause"), json!({}), 422, "reason: is missing"),
        (format!("/jobs/{PRICES}/unpause"), json!({"reason": " "}), 422, "reason: is missing"),
        (format!("/runs/{RUN_ID}/cancel"), json!({}), 422, "reason: is missing"),
        ("/runs/resume".to_owned(), json!({}), 422, "reason: is missing"),
        ("/jobs/nothing/pause".to_owned(), reason.clone(), 404, "no job `nothing`"),
        ("/runs/nothing/cancel".to_owned(), reason.clone(), 404, "no run `nothing`"),
        ("/breakers/nothing/reset".to_owned(), reason.clone(), 404, "no provider `nothing`"),
        (
            format!("/jobs/{PRICES}/pause"),
            json!({"reason": "r", "until": "2020-01-01T00:00:00Z"}),
            422,
            "until `2020-01-01T00:00:00Z`: is in the past",
        ),
        (
            format!("/jobs/{PRICES}/pause"),
            json!({"reason": "r", "until": "2099-01-01T00:00:00Z"}),
            422,
            "until `2099-01-01T00:00:00Z`: is more than 90 days ahead",
        ),
        (
            "/runs/resume".to_owned(),
            json!({"dry_run": true, "status": "running"}),
            422,
            "status `running`: must be one of",
        ),
    ] {
        let refused = order(orchestrator, &path, body).await;
        let detail = refused.body["detail"].as_str().unwrap_or_default();
        assert!(
            refused.status == status && detail.starts_with(words),
            "{path}: {} {:#}",
            refused.status,
            refused.body
        );
    }
    assert_eq!(get(orchestrator, "/orders").await.body, json!({"orders": []}));
    assert!(list(&stack.db, ORDERS).await.is_empty());
    assert_eq!(get(orchestrator, "/orders?limit=0").await.status, 422);
}

#[tokio::test]
async fn an_order_names_its_caller() {
    let google = google().await;
    let stack = system(&google, &GUARDED).await;
    let orchestrator = &stack.orchestrator;
    let (scheduler, operator) = (format!("Bearer {}", token(&google)), format!("Bearer {OPERATOR}"));
    let give = async |path: &'static str, who: &str| {
        ask_as(orchestrator, (Method::POST, path), &[who], r#"{"reason": "to be seen"}"#).await.status
    };
    assert_eq!(give("/jobs/polygon-news-market/pause", &scheduler).await, 200);
    assert_eq!(give("/jobs/polygon-news-market/unpause", &operator).await, 200);
    assert_eq!(give("/breakers/tiingo/reset", &operator).await, 200);
    let listed = ask_as(orchestrator, (Method::GET, "/orders?limit=2"), &[&operator], "").await.body;
    let all = ask_as(orchestrator, (Method::GET, "/orders"), &[&scheduler], "").await.body;
    let told: Vec<_> = all["orders"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|order| {
            [&order["who"], &order["what"], &order["subject"], &order["why"]]
                .map(|text| text.as_str().expect("a string"))
        })
        .collect();
    assert_eq!(
        told,
        [
            ["operator", "reset_breaker", "tiingo", "to be seen"],
            ["operator", "unpause", "polygon-news-market", "to be seen"],
            [SCHEDULER, "pause", "polygon-news-market", "to be seen"],
        ]
    );
    assert_eq!(whats(&listed), ["reset_breaker", "unpause"]);
    assert!(all["orders"][0]["when"].as_str() >= all["orders"][2]["when"].as_str());
}

#[tokio::test]
async fn runs_that_failed_in_an_outage_are_resumed_together() {
    let stack = start(Watchlist::new(3, 3).without_indices(), &[("breaker_open_seconds", "1")]).await;
    let (orchestrator, tiingo) = (&stack.orchestrator, stack.providers.tiingo());
    tiingo.fault(Fault::status(503));
    let mut ids = Vec::new();
    for minute in 0..3 {
        let failed = expect(orchestrator, &Tick::new(job(PRICES), at(minute)), 503).await;
        ids.push(failed.body["data"]["run_id"].as_str().expect("an id").to_owned());
    }
    tiingo.clear();
    let calls = tiingo.journal().count();
    let filter = json!({"job": PRICES, "limit": 2, "dry_run": true});
    let dry = order(orchestrator, "/runs/resume", filter).await.body;
    let runs = |body: &Value, field: &str| -> Vec<String> {
        let runs = body["runs"].as_array().expect("a list").iter();
        runs.map(|run| run[field].as_str().expect("a string").to_owned()).collect()
    };
    assert_eq!((&dry["matched"], runs(&dry, "run_id")), (&json!(3), ids[..2].to_vec()), "{dry:#}");
    assert_eq!(runs(&dry, "outcome"), ["would_be_resumed", "would_be_resumed"]);
    assert_eq!(tiingo.journal().count(), calls, "a dry run calls nobody");

    let wanted = json!({"job": PRICES, "reason": "the provider is back"});
    wait_until("the breaker admits calls", async || {
        let resumed = order(orchestrator, "/runs/resume", wanted.clone()).await.body;
        runs(&resumed, "run_status").iter().all(|status| status == "succeeded")
    })
    .await;
    let left = order(orchestrator, "/runs/resume", json!({"dry_run": true})).await.body;
    assert_eq!(left["matched"], 0, "{left:#}");
    let orders = get(orchestrator, "/orders").await.body;
    assert!(whats(&orders).iter().all(|what| *what == "resume_runs"), "{orders:#}");
    let first = orders["orders"].as_array().and_then(|orders| orders.last()).expect("one");
    assert_eq!(first["details"], ids.join(", "));
    assert_statistics(&stack.db).await;
}

/// The order outlives its owner: whoever comes next finds the run cancelled.
#[tokio::test]
async fn a_run_whose_instance_was_killed_ends_by_the_order() {
    if skips_on_spin("the host is killed") {
        return;
    }
    let settings = [SETTINGS[0], SETTINGS[1], ("lease_seconds", "5")];
    let stack = start(Watchlist::new(5, 0).without_indices(), &settings).await;
    let sending = slow_tick(&stack, Duration::from_secs(600)).await;
    stack.orchestrator.kill();
    assert!(sending.await.expect("no panic").is_err(), "there is no response");
    let second = another(&stack, &settings).await;
    let told = order(&second, &format!("/runs/{RUN_ID}/cancel"), json!({"reason": "it hangs"})).await;
    // At once if its lease was over by then.
    assert!([200, 202].contains(&told.status), "{:#}", told.body);
    stack.providers.tiingo().journal().clear();
    let replies = tick(PRICES).deliver(second.url(), 30, Duration::from_millis(300)).await;
    let last = replies.last().expect("an attempt").as_ref().expect("an answer");
    assert_eq!((last.status, &last.body["status"]), (200, &json!("cancelled")), "{:#}", last.body);
    assert_eq!(stack.providers.tiingo().journal().count(), 0);
    assert_statistics(&stack.db).await;
}
