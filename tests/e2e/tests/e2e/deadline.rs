//! A run that does not fit into one request continues in the next ones.

use std::time::Duration;

use e2e::stored::{assert_exactly, assert_raw_logs, assert_statistics};
use e2e::system::{assert_same, at, job, retry_after, start, tick};
use sim::watchlist::{Scope, Watchlist};

#[tokio::test]
async fn a_run_that_needs_several_requests_fetches_every_ticker_once() {
    let name = "tiingo-daily-prices";
    let settings =
        [("job_deadline_seconds", "5"), ("batch_size_tiingo", "1"), ("max_concurrency_tiingo", "1")];
    let stack = start(Watchlist::new(20, 0).without_indices(), &settings).await;
    let tiingo = stack.providers.tiingo();
    tiingo.set_latency(Duration::from_millis(300), Duration::ZERO);
    let replies = tick(name).deliver(stack.orchestrator.url(), 10, Duration::ZERO).await;
    let replies: Vec<_> = replies.into_iter().map(|reply| reply.expect("an answer")).collect();
    let (last, others) = replies.split_last().expect("an attempt");
    assert_eq!(last.status, 200, "{:#}", last.body);
    assert!(!others.is_empty(), "the first request must not be enough");
    let mut pending = 20;
    for reply in others {
        assert_eq!(reply.status, 503);
        retry_after(reply);
        let left = reply.body["data"]["tickers_pending"].as_u64().expect("a number");
        assert!(left > 0 && left < pending, "every request makes progress: {left} of {pending}");
        pending = left;
    }
    assert_eq!(last.body["data"]["attempt"], replies.len());
    assert_same(tiingo.journal().tickers(), stack.watchlist.tickers(Scope::EntireWatchlist));
    assert_exactly(&stack, job(name), at(0), "tiingo-daily-prices_2025-11-20T15:00:00Z").await;
    assert_raw_logs(&stack).await;
    assert_statistics(&stack.db).await;
}
