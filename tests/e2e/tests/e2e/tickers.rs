//! The tickers that a run covers.

use e2e::stored::{assert_exactly, datasets};
use e2e::system::{assert_same, at, expect, job, start, start_with, tick};
use serde_json::json;
use sim::data::Spec;
use sim::endpoint::Service;
use sim::firestore::{Db, Firestore, unique_project};
use sim::stack::Parts;
use sim::watchlist::{FALLBACK_INDICES, Scope, Watchlist};

#[tokio::test]
async fn a_thousand_tickers_are_stored_whole() {
    let stack = start(Watchlist::new(1_000, 50), &[]).await;
    let reply = expect(&stack.orchestrator, &tick("tiingo-daily-prices"), 200).await;
    assert_eq!(reply.body["data"]["tickers_processed"], 1_008);
    assert_eq!(reply.body["data"]["records_stored"], 5 * 1_008);
    assert_exactly(&stack, job("tiingo-daily-prices"), at(0), "tiingo-daily-prices_2025-11-20T15:00:00Z")
        .await;
}

#[tokio::test]
async fn a_watchlist_of_many_pages_is_read_completely() {
    let stack = start(Watchlist::new(2_500, 0), &[]).await;
    stack.providers.set_spec(Spec { records_per_ticker: 1, ..Spec::default() });
    let reply = expect(&stack.orchestrator, &tick("tiingo-daily-prices"), 200).await;
    assert_eq!(reply.body["data"]["tickers_processed"], 2_508);
    let asked = stack.providers.tiingo().journal().tickers();
    assert_same(asked, stack.watchlist.tickers(Scope::EntireWatchlist));
}

#[tokio::test]
async fn market_news_has_no_tickers_and_is_fetched() {
    let stack = start(Watchlist::new(5, 5), &[]).await;
    expect(&stack.orchestrator, &tick("polygon-news-market"), 200).await;
    let calls = stack.providers.polygon().journal().calls();
    assert_eq!(calls.len(), 1);
    assert_eq!((calls[0].path.as_str(), &calls[0].body["tickers"]), ("/fetch/market", &json!([])));
}

#[tokio::test]
async fn an_empty_watchlist_is_reported() {
    let stack = start(Watchlist::new(0, 0).without_indices(), &[]).await;
    for name in ["tiingo-daily-prices", "finnhub-quote-portfolio", "finnhub-fundamentals-earnings"] {
        let reply = expect(&stack.orchestrator, &tick(name), 200).await;
        assert_eq!(reply.body["status"], "ok");
        assert_eq!(reply.body["data"]["tickers_requested"], 0);
        let message = reply.body["message"].as_str().expect("a message");
        assert!(message.contains("has no tickers"), "{message}");
    }
    for service in Service::ALL {
        assert_eq!(stack.providers.get(service).journal().count(), 0, "{service}");
    }
    assert!(datasets(&stack.db).await.is_empty());
}

#[tokio::test]
async fn a_universe_without_active_indices_has_the_four_well_known_ones() {
    let stack = start(Watchlist::new(5, 0).without_indices(), &[]).await;
    expect(&stack.orchestrator, &tick("tiingo-daily-prices-indices"), 200).await;
    assert_same(stack.providers.tiingo().journal().tickers(), FALLBACK_INDICES.map(str::to_owned));
}

#[tokio::test]
async fn tickers_in_the_body_replace_those_of_the_scope() {
    let stack = start(Watchlist::new(5, 5), &[]).await;
    let tick = tick("tiingo-daily-prices").tickers([" msft", "NEW1", "MSFT ", "msft", "brk.b"]);
    let reply = expect(&stack.orchestrator, &tick, 200).await;
    assert_eq!(reply.body["data"]["tickers_requested"], 3, "each counts once");
    assert_eq!(stack.providers.tiingo().journal().tickers(), ["MSFT", "NEW1", "BRK.B"]);
}

#[tokio::test]
async fn an_empty_list_in_the_body_means_the_scope() {
    let stack = start(Watchlist::new(5, 5), &[]).await;
    expect(&stack.orchestrator, &tick("finnhub-quote-portfolio").tickers(Vec::<String>::new()), 200).await;
    assert_same(stack.providers.finnhub().journal().tickers(), stack.watchlist.tickers(Scope::ActiveSymbols));
}

#[tokio::test]
async fn another_database_id_is_used_for_everything() {
    let firestore = Firestore::shared().await.expect("Firestore");
    let project = unique_project();
    let other = Db::new(&firestore.host(), &project, "ingestion");
    let watchlist = Watchlist::new(5, 5);
    watchlist.seed(&other).await.expect("seeded");
    let parts = Parts { project: Some(project), ..Parts::default() };
    let builder = e2e::runtime::builder().variable("firestore_database", "ingestion");
    let mut stack = start_with(parts, builder).await;
    let reply = expect(&stack.orchestrator, &tick("finnhub-quote-portfolio"), 200).await;
    assert_eq!(reply.body["data"]["records_stored"], 5);
    assert!(stack.db.collections().await.expect("an answer").is_empty(), "the default database is untouched");
    (stack.db, stack.watchlist) = (other, watchlist);
    let run_id = "finnhub-quote-portfolio_2025-11-20T15:00:00Z";
    assert_exactly(&stack, job("finnhub-quote-portfolio"), at(0), run_id).await;
}
