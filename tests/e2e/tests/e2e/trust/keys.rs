//! Google's published keys: fetched once, cached, renewed when they change, and what happens when they cannot be
//! fetched.

use std::sync::Arc;
use std::time::Duration;

use e2e::runtime::lasting;
use e2e::system::{PATIENCE, retry_after, start_with};
use e2e::trust::{GUARDED, ask_as, assert_once_an_instance, google, token};
use reqwest::Method;
use sim::google::{Desk, Google, Key, Outage, assemble};
use sim::scheduler::Reply;
use sim::stack::{Parts, Stack};

/// A system whose instance is kept, however slow the machine is.
async fn system(google: &Arc<Google>) -> Stack {
    let parts = Parts { google: Some(Arc::clone(google)), ..Parts::default() };
    start_with(parts, lasting().variables(GUARDED)).await
}

async fn ask(google: &Google, stack: &Stack) -> Reply {
    let token = format!("Bearer {}", token(google));
    ask_as(&stack.orchestrator, (Method::GET, "/jobs"), &[&token], "").await
}

async fn expect(google: &Google, stack: &Stack, status: u16) {
    let reply = ask(google, stack).await;
    assert_eq!(reply.status, status, "{:#}", reply.body);
}

#[tokio::test]
async fn concurrent_requests_fetch_the_keys_once() {
    let google = google().await;
    google.set_latency(Desk::Keys, Duration::from_millis(200));
    let stack = system(&google).await;
    let replies = futures::future::join_all((0..24).map(|_| ask(&google, &stack))).await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    for _ in 0..3 {
        expect(&google, &stack, 200).await;
    }
    assert_once_an_instance(&stack, google.count(Desk::Keys), 24 + 3).await;
}

#[tokio::test]
async fn keys_that_may_not_be_cached_are_fetched_for_every_request() {
    let google = google().await;
    google.set_keys_max_age(0);
    let stack = system(&google).await;
    for _ in 0..3 {
        expect(&google, &stack, 200).await;
    }
    assert_eq!(google.count(Desk::Keys), 3);
}

#[tokio::test]
async fn a_new_key_is_fetched_at_its_first_use_but_unknown_ones_cause_no_more_fetches() {
    let google = google().await;
    let stack = system(&google).await;
    expect(&google, &stack, 200).await;
    google.rotate();
    expect(&google, &stack, 200).await;
    assert_eq!(google.count(Desk::Keys), 2);
    for number in 0..3 {
        let header = serde_json::json!({"alg": "RS256", "kid": format!("made-up-{number}")});
        let claims = e2e::trust::claims(&google);
        let token = format!("Bearer {}", assemble(&header, &claims, Key::stranger()));
        assert_eq!(ask_as(&stack.orchestrator, (Method::GET, "/jobs"), &[&token], "").await.status, 401);
    }
    assert_eq!(google.count(Desk::Keys), 2, "callers cannot trigger repeated requests to Google");
    expect(&google, &stack, 200).await;
}

#[tokio::test]
async fn old_keys_are_used_while_new_ones_cannot_be_fetched() {
    let google = google().await;
    google.set_keys_max_age(0);
    let stack = system(&google).await;
    expect(&google, &stack, 200).await;
    for outage in [Outage::Status(500), Outage::Garbage, Outage::Status(404)] {
        google.fail(Desk::Keys, outage);
        expect(&google, &stack, 200).await;
    }
}

#[tokio::test]
async fn without_keys_the_caller_is_told_to_retry() {
    let google = google().await;
    for outage in [Outage::Status(500), Outage::Garbage] {
        google.fail(Desk::Keys, outage);
        let stack = system(&google).await;
        let reply = ask(&google, &stack).await;
        assert_eq!((reply.status, reply.headers["content-type"].as_str()), (503, "application/problem+json"));
        let detail = reply.body["detail"].as_str().expect("a detail");
        assert!(detail.contains("cannot be verified"), "{detail}");
        retry_after(&reply);
        let line = stack.orchestrator.log().wait_for("Google's keys are unavailable", PATIENCE).await;
        assert!(line.expect("a line").contains("ERROR"));
        google.recover();
        expect(&google, &stack, 200).await;
    }
}
