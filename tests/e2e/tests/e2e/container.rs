//! The container's first process on Spin: it starts the application, lets requests in progress finish, and leaves no
//! process behind.

use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use e2e::runtime::container;
use e2e::stored::assert_exactly;
use e2e::system::{PATIENCE, at, expect, get, job, start_with, tick, wait_until};
use serde_json::json;
use sim::stack::{Parts, Stack};
use sim::watchlist::Watchlist;

const PRICES: &str = "tiingo-daily-prices";

/// None if the runtime is not Spin.
async fn system() -> Option<Stack> {
    let parts = Parts { watchlist: Some(Watchlist::new(20, 0).without_indices()), ..Parts::default() };
    Some(start_with(parts, container()?).await)
}

/// Whether the orchestrator's address still accepts connections.
fn listens(stack: &Stack) -> bool {
    let address = stack.orchestrator.url().trim_start_matches("http://");
    TcpStream::connect(address).is_ok()
}

#[tokio::test]
async fn a_request_in_progress_is_finished_before_spin_ends() {
    let Some(stack) = system().await else { return };
    assert_eq!(get(&stack.orchestrator, "/health").await.status, 200);
    // Twenty tickers are one call: it is in progress when the container is told to end.
    let tiingo = stack.providers.tiingo();
    tiingo.set_latency(Duration::from_secs(2), Duration::ZERO);
    let url = stack.orchestrator.url().to_owned();
    let sending = tokio::spawn(async move { tick(PRICES).send(&url).await });
    tiingo.journal().wait_for(1, PATIENCE).await.expect("under way");
    stack.orchestrator.terminate(PATIENCE).await.expect("it ends");
    let reply = sending.await.expect("no panic").expect("an answer");
    assert_eq!((reply.status, &reply.body["status"]), (200, &json!("ok")), "{:#}", reply.body);
    assert_exactly(&stack, job(PRICES), at(0), &format!("{PRICES}_2025-11-20T15:00:00Z")).await;
    assert!(!listens(&stack), "Spin has ended too");
}

#[tokio::test]
async fn spin_ends_when_the_containers_first_process_is_killed() {
    let Some(stack) = system().await else { return };
    expect(&stack.orchestrator, &tick(PRICES), 200).await;
    let pid = stack.orchestrator.pid().to_string();
    assert!(Command::new("kill").args(["-KILL", &pid]).status().expect("kill runs").success());
    wait_until("Spin ends too", async || !listens(&stack)).await;
}
