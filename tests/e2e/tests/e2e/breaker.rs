//! A provider that keeps failing is not called for a while.

use std::time::Duration;

use e2e::system::{another, at, expect, get, job, post, retry_after, send, start, tick};
use serde_json::json;
use sim::providers::Fault;
use sim::scheduler::Tick;
use sim::stack::Stack;
use sim::watchlist::Watchlist;

const PRICES: &str = "tiingo-daily-prices";
const INDICES: &str = "tiingo-daily-prices-indices";
const QUOTES: &str = "finnhub-quote-portfolio";

/// Calls to a provider that is down until its breaker opens.
const CALLS: usize = 4 + 5;

/// A breaker that opens after four failures, for `seconds`; calls of one ticker, one after the other.
async fn system(seconds: &str) -> Stack {
    let settings = [
        ("breaker_min_calls", "4"),
        ("breaker_window", "4"),
        ("breaker_open_seconds", seconds),
        ("batch_size_tiingo", "1"),
        ("max_concurrency_tiingo", "1"),
        ("retry_max_attempts", "2"),
    ];
    start(Watchlist::new(12, 5).without_indices(), &settings).await
}

/// The stored state, once `position` is written.
async fn stored(stack: &Stack, position: &str) -> serde_json::Value {
    let mut state = json!(null);
    e2e::system::wait_until(position, async || {
        let doc = stack.db.get("ingestion_breakers/tiingo").await.expect("an answer");
        state = doc.map(|doc| doc.fields).unwrap_or_default();
        state["position"] == position
    })
    .await;
    state
}

async fn opened(stack: &Stack) {
    stack.providers.tiingo().fault(Fault::status(503).detail("overloaded"));
    let reply = expect(&stack.orchestrator, &tick(PRICES), 503).await;
    assert_eq!(
        stack.providers.tiingo().journal().count(),
        CALLS,
        "four failures raise suspicion, five single tickers confirm it"
    );
    assert_eq!(reply.body["data"]["tickers_pending"], 12);
    let message = reply.body["message"].as_str().expect("a message");
    assert!(message.contains("breaker") && message.contains("overloaded"), "{message}");
    retry_after(&reply);
    stored(stack, "open").await;
}

#[tokio::test]
async fn an_open_breaker_answers_at_once_and_other_providers_continue() {
    let stack = system("600").await;
    opened(&stack).await;
    for request in [tick(PRICES), tick(INDICES)] {
        let reply = expect(&stack.orchestrator, &request, 503).await;
        assert!((500..=600).contains(&retry_after(&reply)), "{:?}", reply.headers);
    }
    assert_eq!(stack.providers.tiingo().journal().count(), CALLS, "an open breaker lets no calls through");
    expect(&stack.orchestrator, &tick(QUOTES), 200).await;
}

#[tokio::test]
async fn after_the_open_time_one_probe_closes_it() {
    let stack = system("1").await;
    opened(&stack).await;
    let tiingo = stack.providers.tiingo();
    tiingo.clear();
    tiingo.journal().clear();
    tiingo.set_latency(Duration::from_millis(50), Duration::ZERO);
    let replies = tick(PRICES).deliver(stack.orchestrator.url(), 20, Duration::from_millis(300)).await;
    let replies: Vec<_> = replies.into_iter().map(|reply| reply.expect("an answer")).collect();
    let (last, refused) = replies.split_last().expect("an attempt");
    assert_eq!((last.status, &last.body["status"]), (200, &json!("ok")), "{:#}", last.body);
    for reply in refused {
        assert_eq!(
            reply.body["data"]["calls"], CALLS,
            "the request that probes finishes the run: {:#}",
            reply.body
        );
    }
    let calls = tiingo.journal().calls();
    assert_eq!(calls.len(), 12);
    let probe_ended = calls[0].received + calls[0].latency.expect("answered");
    assert!(
        calls[1..].iter().all(|call| call.received >= probe_ended),
        "the probe is the only call in progress"
    );
    let state = stored(&stack, "closed").await;
    assert_eq!(state["openings"], 0, "{state:#}");
}

#[tokio::test]
async fn a_failed_probe_opens_it_for_twice_as_long() {
    let stack = system("1").await;
    opened(&stack).await;
    let tiingo = stack.providers.tiingo();
    let lasts = |state: &serde_json::Value| {
        let time = |field: &str| {
            chrono::DateTime::parse_from_rfc3339(state[field].as_str().expect("a time")).expect("a time")
        };
        (time("until") - time("changed_at")).num_milliseconds()
    };
    let first = stored(&stack, "open").await;
    assert!((900..=1_100).contains(&lasts(&first)), "{first:#}");
    e2e::system::wait_until("a probe is sent", async || {
        expect(&stack.orchestrator, &tick(PRICES), 503).await;
        tiingo.journal().count() > CALLS
    })
    .await;
    assert_eq!(tiingo.journal().count(), CALLS + 3, "one probe of three tickers, no more");
    let second = stored(&stack, "open").await;
    assert_eq!(second["openings"], 2);
    assert!((1_900..=2_100).contains(&lasts(&second)), "{second:#}");
}

#[tokio::test]
async fn an_operator_can_close_it() {
    let stack = system("600").await;
    opened(&stack).await;
    stack.providers.tiingo().clear();
    let shown = get(&stack.orchestrator, "/breakers").await;
    let positions: Vec<_> = shown.body["breakers"].as_array().unwrap().iter().collect();
    assert_eq!(positions[0]["provider"], "tiingo", "{:#}", shown.body);
    assert_eq!(positions[0]["breaker"]["position"], "open", "{:#}", shown.body);
    assert!(positions[1..].iter().all(|other| other["breaker"]["position"] == "closed"), "{:#}", shown.body);
    let reply = post(&stack.orchestrator, "/breakers/tiingo/reset").await;
    assert_eq!(
        (reply.status, &reply.body["breaker"]["position"]),
        (200, &json!("closed")),
        "{:#}",
        reply.body
    );
    expect(&stack.orchestrator, &tick(PRICES), 200).await;

    let unknown = post(&stack.orchestrator, "/breakers/nobody/reset").await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.body["detail"].as_str().is_some_and(|detail| detail.contains("tiingo, finnhub")));
    assert_eq!(get(&stack.orchestrator, "/breakers/tiingo/reset").await.status, 405);
}

#[tokio::test]
async fn another_instance_sees_it_open() {
    let stack = system("600").await;
    opened(&stack).await;
    let second = another(&stack, &[]).await;
    let reply = expect(&second, &tick(INDICES), 503).await;
    assert!((500..=600).contains(&retry_after(&reply)), "{:?}", reply.headers);
    assert_eq!(stack.providers.tiingo().journal().count(), CALLS);
}

#[tokio::test]
async fn of_two_instances_only_one_probes() {
    let stack = system("1").await;
    opened(&stack).await;
    let tiingo = stack.providers.tiingo();
    let second = another(&stack, &[("batch_size_tiingo", "1"), ("max_concurrency_tiingo", "1")]).await;
    tiingo.clear();
    tiingo.journal().clear();
    tiingo.set_latency(Duration::from_millis(400), Duration::ZERO);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let two = |minute| Tick::new(job(PRICES), at(minute)).tickers(["AAPL", "MSFT"]);
    let (early, late) = (two(1), two(2));
    let replies = tokio::join!(send(&stack.orchestrator, &early), send(&second, &late));
    let calls = tiingo.journal().calls();
    let probe_ended = calls[0].received + calls[0].latency.expect("answered");
    let during = calls[1..].iter().filter(|call| call.received < probe_ended).count();
    assert_eq!(during, 0, "{:#} {:#}", replies.0.body, replies.1.body);
    let statuses = [replies.0.status, replies.1.status];
    assert!(statuses.contains(&200), "{:#} {:#}", replies.0.body, replies.1.body);
}
