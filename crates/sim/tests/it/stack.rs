//! The whole system, with a script instead of the host.

use sim::data;
use sim::endpoint::Endpoint;
use sim::scheduler::{JOBS, Job};
use sim::stack::{Parts, Stack};
use sim::watchlist::{UNIVERSE, Watchlist};

use crate::orchestrator::Script;

#[tokio::test]
async fn the_orchestrator_is_connected_to_the_other_parts() {
    let script = Script::new("stack", "env >&2; echo 'listening on http://127.0.0.1:1'; sleep 60");
    let parts = Parts { watchlist: Some(Watchlist::new(20, 5)), ..Parts::default() };
    let builder = script.builder().variable("inbound_auth", "platform");
    let stack = Stack::start(parts, builder).await.expect("starts");
    assert_eq!(stack.db.count(UNIVERSE).await.expect("counted"), 20 + 8 + 2);
    for (name, value) in stack.variables() {
        let wins = if name == "inbound_auth" { "platform" } else { &value };
        let line = format!("SPIN_VARIABLE_{}={wins}", name.to_uppercase());
        stack.orchestrator.log().wait_for(&line, crate::orchestrator::LIMIT).await.expect("set");
    }
}

#[tokio::test]
async fn expectations_cover_every_job() {
    let script = Script::new("expect", "echo 'listening on http://127.0.0.1:1'; sleep 60");
    let parts = Parts { watchlist: Some(Watchlist::new(20, 5)), ..Parts::default() };
    let stack = Stack::start(parts, script.builder()).await.expect("starts");
    let count = |name| stack.expected(Job::find(name).expect("known"), data::moment(None)).len();
    assert_eq!(count("finnhub-quote-portfolio"), 5);
    assert_eq!(count("finnhub-fundamentals-earnings"), 28 + 28 * 5);
    assert_eq!(count("polygon-news-market"), 20);
    assert_eq!(count("alpha-vantage-technical-indicators"), 28 * 7);
    for endpoint in Endpoint::ALL {
        assert!(JOBS.iter().any(|job| job.endpoints.contains(&endpoint)), "{endpoint:?}");
    }
}
