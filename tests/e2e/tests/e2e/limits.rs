//! With services that limit and pause as the deployed ones do, only faster, every job eventually completes.
//!
//! A minute takes [`MINUTE`], for the services and, through `limit_window_seconds`, for the orchestrator.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use e2e::runtime::builder;
use e2e::stored::{RAW_LOGS, assert_exactly, count, list, payload};
use e2e::system::{PATIENCE, get, job, start_with, tick};
use serde_json::Value;
use sim::endpoint::Service;
use sim::providers::{Pace, Provider};
use sim::scheduler::Reply;
use sim::stack::{Parts, Stack};
use sim::watchlist::{Scope, Watchlist};

/// Duration of the services' minute.
const MINUTE: Duration = Duration::from_secs(2);

/// A system with services that have the deployed limits.
async fn limited(watchlist: Watchlist) -> Stack {
    let pace = Pace::Deployed { times_faster: 30 };
    assert_eq!(pace.minute(), MINUTE);
    let parts = Parts { watchlist: Some(watchlist), pace: Some(pace), ..Parts::default() };
    start_with(parts, builder().variable("limit_window_seconds", "2")).await
}

/// Delivers a tick as Cloud Scheduler does, until it succeeds.
async fn deliver(stack: &Stack, name: &str) -> Reply {
    let start = Instant::now();
    loop {
        let reply = tick(name).send(stack.orchestrator.url()).await.expect("an answer");
        if reply.status == 200 {
            return reply;
        }
        let is_report = reply.body["data"].is_object();
        assert!(reply.status == 503 && is_report, "{name}: {} {:#}", reply.status, reply.body);
        assert!(start.elapsed() < PATIENCE * 4, "{name}: {:#}", reply.body);
        let wait = reply.headers.get("retry-after").and_then(|seconds| seconds.parse().ok()).unwrap_or(1);
        tokio::time::sleep(Duration::from_secs(wait)).await;
    }
}

/// Delivers a tick and expects that nothing is missing.
async fn completes(stack: &Stack, name: &str) {
    let reply = deliver(stack, name).await;
    let data = &reply.body["data"];
    assert_eq!((&data["run_status"], &data["tickers_pending"]), (&"succeeded".into(), &0.into()), "{data:#}");
}

/// Calls that returned only refusals.
fn in_vain(provider: &Provider) -> usize {
    let answers = provider.journal().calls().into_iter().filter_map(|call| call.response);
    let bodies = answers.filter_map(|body| serde_json::from_slice::<Value>(&body).ok());
    bodies.filter(|body| body["data"].as_array().is_none_or(|entries| entries.iter().all(is_refused))).count()
}

fn is_refused(entry: &Value) -> bool {
    let indicators = entry["data"].as_object().filter(|data| !data.is_empty());
    entry.get("error").is_some()
        || indicators.is_some_and(|indicators| indicators.values().all(|value| value.get("error").is_some()))
}

fn keep_bodies(stack: &Stack) {
    stack.providers.all().iter().for_each(|provider| provider.journal().keep_bodies(true));
}

#[tokio::test]
async fn tiingo_completes_120_tickers() {
    let stack = limited(Watchlist::new(120, 0).without_indices()).await;
    keep_bodies(&stack);
    completes(&stack, "tiingo-daily-prices").await;
    assert_eq!(count(&stack.db, "prices_daily").await, 120 * 5);
    assert!(in_vain(stack.providers.tiingo()) <= 3, "{} calls in vain", in_vain(stack.providers.tiingo()));
}

#[tokio::test]
async fn finnhub_completes_60_tickers_at_all_endpoints() {
    let stack = limited(Watchlist::new(60, 60).without_indices()).await;
    keep_bodies(&stack);
    for name in ["finnhub-quote-portfolio", "finnhub-company-news-universe", "finnhub-fundamentals-earnings"]
    {
        completes(&stack, name).await;
    }
    for (collection, each) in
        [("prices_intraday", 1), ("news_articles", 5), ("fundamentals", 1), ("earnings_calendar", 5)]
    {
        assert_eq!(count(&stack.db, collection).await, 60 * each, "{collection}");
    }
    let vain = in_vain(stack.providers.finnhub());
    assert!(vain <= 6, "{vain} calls in vain");
}

/// Three jobs of one provider in the same minute do not use up each other's limit, nor does an open dashboard.
#[tokio::test]
async fn polygon_completes_20_tickers_next_to_its_other_jobs_and_an_open_dashboard() {
    let stack = limited(Watchlist::new(20, 3).without_indices()).await;
    keep_bodies(&stack);
    let url = stack.orchestrator.url().to_owned();
    let page = async {
        loop {
            for path in ["/status", "/runs", "/metrics"] {
                assert_eq!(get(&stack.orchestrator, path).await.status, 200, "{url}{path}");
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let jobs = ["polygon-news-universe", "polygon-news-portfolio", "polygon-news-market"];
    let all = futures::future::join_all(jobs.map(|name| completes(&stack, name)));
    tokio::select! {
        _ = all => {}
        () = page => unreachable!("the page is watched forever"),
    }
    let spec = stack.providers.polygon().spec();
    let expected: BTreeMap<_, _> =
        jobs.iter().flat_map(|name| stack.expected(job(name), e2e::system::at(0))).collect();
    assert_eq!(count(&stack.db, "news_articles").await, expected.len(), "{spec:?}");
    let requests = stack.providers.polygon().journal().requests();
    assert!(requests.iter().all(|request| request.path != "/health"), "no health checks are sent");
    let vain = in_vain(stack.providers.polygon());
    assert!(vain <= 6, "{vain} calls in vain");
}

#[tokio::test]
async fn alphavantage_completes_all_seven_indicators_of_6_tickers() {
    let stack = limited(Watchlist::new(6, 0).without_indices()).await;
    keep_bodies(&stack);
    let reply = deliver(&stack, "alpha-vantage-technical-indicators").await;
    let data = &reply.body["data"];
    assert_eq!(data["run_status"], "succeeded", "{data:#}");
    let run_id = data["run_id"].as_str().expect("a run id");
    assert_exactly(&stack, job("alpha-vantage-technical-indicators"), e2e::system::at(0), run_id).await;
    let vain = in_vain(stack.providers.alphavantage());
    assert!(vain <= 9, "{vain} calls in vain");
    assert_eq!(stack.watchlist.tickers(Scope::EntireWatchlist).len(), 6);
    for log in list(&stack.db, RAW_LOGS).await {
        let body = payload(&stack.db, RAW_LOGS, &log, "response").await;
        let has_data = String::from_utf8_lossy(&body).contains("\"date\"");
        assert_eq!(log.fields["response"]["error_flag"], !has_data, "{}", log.id);
    }
    assert_eq!(stack.providers.get(Service::ALPHAVANTAGE).pace().minute(), MINUTE);
}
