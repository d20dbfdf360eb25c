//! How tickers become provider calls: batch sizes, bodies, concurrency, and writes while calls are in progress.

use std::time::Duration;

use e2e::stored::count;
use e2e::system::{PATIENCE, assert_same, expect, job, start, tick, wait_until};
use serde_json::json;
use sim::endpoint::Service;
use sim::providers::{Fault, Outcome};
use sim::watchlist::{Scope, Watchlist};

/// One job of each provider that covers the whole watchlist.
const JOBS: [(&str, Service); 4] = [
    ("tiingo-daily-prices", Service::TIINGO),
    ("finnhub-company-news-universe", Service::FINNHUB),
    ("polygon-news-universe", Service::POLYGON),
    ("alpha-vantage-technical-indicators", Service::ALPHAVANTAGE),
];

#[tokio::test]
async fn batches_have_the_size_set_for_their_provider() {
    let settings = [
        ("batch_size_tiingo", "7"),
        ("batch_size_finnhub", "4"),
        ("batch_size_polygon", "30"),
        ("batch_size_alphavantage", "9"),
    ];
    let stack = start(Watchlist::new(22, 0), &settings).await;
    for ((name, service), (_, size)) in JOBS.into_iter().zip(settings) {
        expect(&stack.orchestrator, &tick(name), 200).await;
        let calls = stack.providers.get(service).journal().calls();
        let mut sizes: Vec<_> = calls.iter().map(|call| call.tickers.len()).collect();
        sizes.sort_unstable();
        let size: usize = size.parse().expect("a number");
        let last = sizes.remove(0);
        assert_eq!(sizes, vec![size; 30 / size - usize::from(30 % size == 0)], "{service}");
        assert_eq!(last, if 30 % size == 0 { size } else { 30 % size }, "{service}");
        let asked = stack.providers.get(service).journal().tickers();
        assert_same(asked, stack.watchlist.tickers(Scope::EntireWatchlist));
    }
}

#[tokio::test]
async fn every_call_has_the_body_of_the_contract() {
    let stack = start(Watchlist::new(12, 12), &[("batch_size_finnhub", "5")]).await;
    let name = "finnhub-fundamentals-earnings";
    expect(&stack.orchestrator, &tick(name), 200).await;
    let calls = stack.providers.finnhub().journal().calls();
    for path in ["/fetch/fundamentals", "/fetch/earnings"] {
        let of_path: Vec<_> = calls.iter().filter(|call| call.path == path).collect();
        let asked = of_path.iter().flat_map(|call| call.tickers.clone());
        assert_same(asked, stack.watchlist.tickers(Scope::EntireWatchlist));
    }
    for call in calls {
        assert_eq!(call.headers["content-type"], "application/json");
        let body = json!({
            "tickers": call.tickers,
            "scope": "entire_watchlist",
            "job_id": name,
            "run_time": "2025-11-20T15:00:00Z",
        });
        assert_eq!(call.body, body);
    }
}

#[tokio::test]
async fn concurrent_calls_stay_within_the_limit() {
    let settings = [("batch_size_tiingo", "2"), ("max_concurrency_tiingo", "3")];
    let stack = start(Watchlist::new(40, 0), &settings).await;
    stack.providers.tiingo().set_latency(Duration::from_millis(20), Duration::ZERO);
    expect(&stack.orchestrator, &tick("tiingo-daily-prices"), 200).await;
    assert_eq!(stack.providers.tiingo().max_in_flight(), 3, "as many as allowed, never more");
}

#[tokio::test]
async fn documents_are_written_while_later_calls_are_in_progress() {
    let settings = [
        ("batch_size_tiingo", "1"),
        ("max_concurrency_tiingo", "2"),
        ("retry_base_ms", "200"),
        ("retry_max_ms", "500"),
    ];
    let stack = start(Watchlist::new(10, 0).without_indices(), &settings).await;
    let tickers = stack.watchlist.tickers(job("tiingo-daily-prices").scope);
    let tiingo = stack.providers.tiingo();
    // The second batch gets no response until the service is restarted.
    tiingo.fault(Fault::hang().ticker(&tickers[1]).times(1));
    let sending = tokio::spawn({
        let url = stack.orchestrator.url().to_owned();
        async move { tick("tiingo-daily-prices").send(&url).await }
    });
    tiingo.journal().wait_for(10, PATIENCE).await.expect("all batches are sent");
    let others = (tickers.len() - 1) * 5;
    wait_until("the other batches' documents are stored", async || {
        count(&stack.db, "prices_daily").await == others
    })
    .await;
    let pending = tiingo.journal().calls().into_iter().filter(|call| call.outcome == Outcome::Pending);
    assert_eq!(pending.map(|call| call.tickers).collect::<Vec<_>>(), [[tickers[1].clone()]]);
    assert!(!sending.is_finished());

    tiingo.restart().await.expect("restarted");
    let reply = sending.await.expect("no panic").expect("an answer");
    assert_eq!(reply.status, 200, "{:#}", reply.body);
    assert_eq!(count(&stack.db, "prices_daily").await, others + 5);
}
