//! Each of the eleven jobs stores all its documents, however often it runs.

use std::collections::{BTreeMap, BTreeSet};

use chrono::DateTime;
use e2e::stored::{
    BREAKERS, COVERAGE, RAW_LOGS, RUNS, STATISTICS, assert_exactly, assert_raw_logs, count, datasets, list,
};
use e2e::system::{assert_same, at, expect, job, start};
use serde_json::json;
use sim::endpoint::Endpoint;
use sim::scheduler::{JOBS, Job, Reply, Tick};
use sim::stack::Stack;
use sim::watchlist::{ACTIVE, UNIVERSE, Watchlist};

macro_rules! each_job {
    ($($test:ident: $name:literal,)*) => {
        $(
            #[tokio::test]
            async fn $test() {
                does_its_work(job($name)).await;
            }
        )*

        #[test]
        fn every_job_is_tested() {
            assert_same([$($name),*], JOBS.map(|job| job.name));
        }
    };
}

each_job! {
    tiingo_daily_prices: "tiingo-daily-prices",
    tiingo_daily_prices_indices: "tiingo-daily-prices-indices",
    finnhub_quote_portfolio: "finnhub-quote-portfolio",
    finnhub_quote_indices: "finnhub-quote-indices",
    finnhub_company_news_universe: "finnhub-company-news-universe",
    finnhub_company_news_portfolio: "finnhub-company-news-portfolio",
    finnhub_fundamentals_earnings: "finnhub-fundamentals-earnings",
    polygon_news_universe: "polygon-news-universe",
    polygon_news_portfolio: "polygon-news-portfolio",
    polygon_news_market: "polygon-news-market",
    alpha_vantage_technical_indicators: "alpha-vantage-technical-indicators",
}

/// A run gives exactly the expected documents, raw logs and counts; the next tick with the same data adds none.
async fn does_its_work(job: &Job) {
    let stack = start(Watchlist::new(60, 12), &[]).await;
    for provider in stack.providers.all() {
        provider.journal().keep_bodies(true);
    }
    let run_time = at(0);
    let tick = |minutes| Tick::new(job, at(minutes)).field("run_time", json!(run_time.to_rfc3339()));

    let reply = expect(&stack.orchestrator, &tick(0), 200).await;
    let first = format!("{}_2025-11-20T15:00:00Z", job.name);
    assert_answer(&stack, job, &reply, &first, false);
    assert_exactly(&stack, job, run_time, &first).await;
    assert_raw_logs(&stack).await;
    let counts = record_counts(&stack).await;
    assert_only_known_collections(&stack).await;

    let again = expect(&stack.orchestrator, &tick(5), 200).await;
    let second = format!("{}_2025-11-20T15:05:00Z", job.name);
    let is_compared = job.endpoints[0] != Endpoint::FINNHUB_QUOTES;
    assert_answer(&stack, job, &again, &second, is_compared);
    assert_eq!(record_counts(&stack).await, counts, "the second run adds no record");
    assert_exactly(&stack, job, run_time, if is_compared { &first } else { &second }).await;
    assert_raw_logs(&stack).await;
    assert_eq!(count(&stack.db, RUNS).await, 2);
    let statistics = &list(&stack.db, STATISTICS).await[0].fields;
    assert_eq!(
        [&statistics["jobs_processed"], &statistics["jobs_successful"], &statistics["jobs_failed"]],
        [2, 2, 0]
    );
}

/// The response has the form of the contract, and its counts are those of the run.
fn assert_answer(stack: &Stack, job: &Job, reply: &Reply, run_id: &str, is_unchanged: bool) {
    let (body, data) = (&reply.body, &reply.body["data"]);
    let expected = stack.expected(job, at(0));
    let mut collections = BTreeMap::<&str, usize>::new();
    for (collection, _) in expected.keys().filter(|_| !is_unchanged) {
        *collections.entry(collection).or_default() += 1;
    }
    let stored: usize = collections.values().sum();
    let tickers = stack.watchlist.tickers(job.scope).len();
    let calls = calls_of(job, tickers);

    assert_eq!(reply.headers["content-type"], "application/json");
    assert_eq!((&body["status"], &body["job"]), (&json!("ok"), &json!(job.name)), "{body:#}");
    assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()));
    assert!(DateTime::parse_from_rfc3339(body["timestamp"].as_str().expect("a time")).is_ok());
    assert!(data["duration_ms"].is_u64());
    for (name, value) in [
        ("run_id", json!(run_id)),
        ("run_status", json!("succeeded")),
        ("attempt", json!(1)),
        ("trigger", json!("scheduler")),
        ("scope", json!(job.scope.name())),
        ("provider", json!(job.endpoints[0].service().name())),
        ("tickers_requested", json!(tickers)),
        ("tickers_processed", json!(tickers)),
        ("tickers_failed", json!([])),
        ("tickers_pending", json!(0)),
        ("tickers_unchanged", json!(if is_unchanged { tickers } else { 0 })),
        ("records_stored", json!(stored)),
        ("records_unchanged", json!(expected.len() - stored)),
        ("records_revised", json!(0)),
        ("records_rejected", json!(0)),
        ("collections", json!(collections)),
        ("batches", json!(calls)),
        ("calls", json!(calls)),
        ("raw_logs", json!(calls)),
        ("retries", json!(0)),
    ] {
        assert_eq!(data[name], value, "{name} in {body:#}");
    }
    assert_eq!(body.get("duplicate"), None);
}

/// Calls that a job needs with the default batch sizes; one without tickers.
fn calls_of(job: &Job, tickers: usize) -> usize {
    let size = match job.endpoints[0].service().name() {
        "tiingo" | "finnhub" => 50,
        "polygon" => 5,
        "alphavantage" => 2,
        other => panic!("the default batch size of {other} is not known here"),
    };
    tickers.div_ceil(size).max(1) * job.endpoints.len()
}

async fn record_counts(stack: &Stack) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for collection in datasets(&stack.db).await {
        let documents = count(&stack.db, &collection).await;
        counts.insert(collection, documents);
    }
    counts
}

async fn assert_only_known_collections(stack: &Stack) {
    let mut expected = datasets(&stack.db).await;
    expected.extend([UNIVERSE, ACTIVE, RAW_LOGS, RUNS, STATISTICS, BREAKERS, COVERAGE].map(str::to_owned));
    let found: BTreeSet<_> = stack.db.collections().await.expect("the collections").into_iter().collect();
    assert_eq!(found, expected);
}
