//! Credentials for Firestore, and what happens while no token can be obtained.

use std::sync::Arc;
use std::time::Duration;

use e2e::system::{expect, get, job, send, tick, wait_until};
use e2e::trust::{assert_once_an_instance, called_as, google};
use serde_json::Value;
use sim::gate::Gate;
use sim::google::{Desk, Google, Key, Outage};
use sim::scheduler::{Reply, Tick};
use sim::stack::Stack;

const QUOTES: &str = "finnhub-quote-portfolio";
const TOKEN: &str = "access-token-from-a-vault-0123456789";

/// A system that calls Firestore with this Google's tokens.
async fn system(google: &Arc<Google>, credentials: &str) -> Stack {
    let key = google.key_file();
    let settings = [("gcp_credentials", credentials), ("gcp_service_account_key", key.as_str())];
    called_as(google, google.access_gate(), false, &settings).await
}

fn turned_away(stack: &Stack) -> usize {
    stack.front.as_ref().expect("a front").turned_away()
}

fn minute(minutes: i64) -> Tick {
    Tick::new(job(QUOTES), e2e::system::at(minutes))
}

/// No response and no log line contains the key, an assertion or a token.
fn assert_nothing_leaks(google: &Google, stack: &Stack, replies: &[&Reply]) {
    let key = Key::account().pem().lines().nth(1).expect("a line of the key");
    let secrets = google.given_out().into_iter().chain([key.to_owned(), TOKEN.to_owned()]);
    let assertions = google.journal().into_iter().filter_map(|asked| asked.fields.get("assertion").cloned());
    for secret in secrets.chain(assertions) {
        assert_eq!(stack.orchestrator.log().find(&secret), None);
        assert!(replies.iter().all(|reply| !reply.body.to_string().contains(&secret)), "{replies:?}");
    }
}

#[tokio::test]
async fn one_token_serves_all_requests() {
    for (credentials, desk) in [("service_account_key", Desk::Token), ("metadata", Desk::Metadata)] {
        let google = google().await;
        let stack = system(&google, credentials).await;
        let replies =
            [expect(&stack.orchestrator, &minute(0), 200).await, get(&stack.orchestrator, "/runs").await];
        assert_eq!(replies[1].status, 200);
        assert_eq!((google.count(desk), google.journal().len()), (1, 1), "{credentials}");
        assert_eq!(turned_away(&stack), 0);
        assert_nothing_leaks(&google, &stack, &[&replies[0], &replies[1]]);
    }
}

#[tokio::test]
async fn a_token_from_a_variable_is_used_unchanged() {
    let google = google().await;
    for (token, status) in [(TOKEN, 200), ("another-token-0123456789", 503)] {
        let settings = [("gcp_credentials", "access_token"), ("gcp_access_token", token)];
        let stack = called_as(&google, Gate::token(TOKEN), false, &settings).await;
        let reply = expect(&stack.orchestrator, &minute(0), status).await;
        if status == 503 {
            let detail = reply.body["detail"].as_str().expect("a detail");
            assert!(detail.contains("UNAUTHENTICATED"), "{detail}");
            assert_eq!(turned_away(&stack), 2, "retried once");
            assert_eq!(stack.orchestrator.log().find(token), None);
        }
        assert_nothing_leaks(&google, &stack, &[&reply]);
    }
    assert_eq!(google.journal().len(), 0);
}

#[tokio::test]
async fn concurrent_requests_fetch_one_token() {
    let google = google().await;
    google.set_latency(Desk::Token, Duration::from_millis(200));
    let stack = system(&google, "service_account_key").await;
    // Twice: a runtime may start an instance for each of the first ones.
    for _ in 0..2 {
        let replies = futures::future::join_all((0..24).map(|_| get(&stack.orchestrator, "/runs"))).await;
        assert!(replies.iter().all(|reply| reply.status == 200), "{replies:?}");
    }
    assert_once_an_instance(&stack, google.count(Desk::Token), 48).await;
}

#[tokio::test]
async fn a_token_is_renewed_before_it_expires() {
    let google = google().await;
    google.set_life(1);
    let stack = system(&google, "metadata").await;
    wait_until("a third token", async || {
        assert_eq!(get(&stack.orchestrator, "/runs").await.status, 200);
        google.count(Desk::Metadata) >= 3
    })
    .await;
    assert_eq!(turned_away(&stack), 0);
}

#[tokio::test]
async fn a_revoked_token_is_renewed_once() {
    let google = google().await;
    let stack = system(&google, "service_account_key").await;
    expect(&stack.orchestrator, &minute(0), 200).await;
    google.revoke();
    expect(&stack.orchestrator, &minute(5), 200).await;
    assert_eq!((google.count(Desk::Token), turned_away(&stack)), (2, 1));
}

#[tokio::test]
async fn an_unusable_key_is_a_configuration_mistake() {
    let google = google().await;
    let good: Value = serde_json::from_str(&google.key_file()).expect("JSON");
    let with = |name: &str, value: &str| {
        let mut file = good.clone();
        file[name] = value.into();
        file.to_string()
    };
    let broken_pem = Key::account().pem().replace('A', "B");
    for (key, expected) in [
        (google.key_file().replace('}', ""), "is not a JSON key file"),
        ("{}".to_owned(), "has no `private_key`"),
        (with("private_key", &broken_pem), "not an RSA key in PEM format"),
        (with("token_uri", "https://evil.example/token"), "google_oauth_url"),
        (String::new(), "is not a JSON key file"),
    ] {
        let settings =
            [("gcp_credentials", "service_account_key"), ("gcp_service_account_key", key.as_str())];
        let stack = called_as(&google, google.access_gate(), false, &settings).await;
        let reply = get(&stack.orchestrator, "/health").await;
        let error = reply.body["errors"][0].as_str().expect("an error");
        assert_eq!(reply.status, 503);
        assert!(error.starts_with("gcp_service_account_key") && error.contains(expected), "{error}");
        assert_nothing_leaks(&google, &stack, &[&reply]);
        let line = broken_pem.lines().nth(1).expect("a line of the key");
        assert!(!error.contains(line) && stack.orchestrator.log().find(line).is_none());
    }
}

#[tokio::test]
async fn a_wrong_clock_is_reported_as_the_reason() {
    let google = google().await;
    google.set_clock_ahead(7200);
    let stack = system(&google, "service_account_key").await;
    let reply = expect(&stack.orchestrator, &minute(0), 503).await;
    let detail = reply.body["detail"].as_str().expect("a detail");
    assert!(detail.contains("invalid_grant") && detail.contains("check the clock"), "{detail}");
    assert_eq!(google.count(Desk::Token), 1, "a retry would not help");
    assert_nothing_leaks(&google, &stack, &[&reply]);
}

#[tokio::test]
async fn without_a_token_the_caller_is_told_to_retry() {
    for (credentials, desk) in [("service_account_key", Desk::Token), ("metadata", Desk::Metadata)] {
        let google = google().await;
        let stack = system(&google, credentials).await;
        for outage in [Outage::Status(503), Outage::Garbage, Outage::Status(404)] {
            google.fail(desk, outage);
            let reply = send(&stack.orchestrator, &tick(QUOTES)).await;
            let detail = reply.body["detail"].as_str().expect("a detail");
            assert!(reply.status == 503 && detail.contains("token endpoint"), "{}: {detail}", reply.status);
            e2e::system::retry_after(&reply);
            assert_nothing_leaks(&google, &stack, &[&reply]);
        }
        google.recover();
        expect(&stack.orchestrator, &tick(QUOTES), 200).await;
        assert_eq!(turned_away(&stack), 0, "nothing is sent without a token");
    }
}
