//! Requests for past days, on the real component: the plan, the run, services that ignore the days, sudden death.

use std::collections::BTreeSet;
use std::time::Duration;

use e2e::system::{PATIENCE, another, assert_same, by_hand, expect, get, send, start};
use serde_json::{Value, json};
use sim::data::{Spec, records_of};
use sim::endpoint::Endpoint;
use sim::providers::Fault;
use sim::scheduler::Tick;
use sim::stack::Stack;
use sim::watchlist::{Scope, Watchlist};

const PRICES: &str = "tiingo-daily-prices";

fn backfill(job: &str, from: &str, to: &str) -> Tick {
    by_hand(job).field("from", json!(from)).field("to", json!(to))
}

/// What the provider has of these tickers for these days.
fn expected(tickers: &[&str], from: &str, to: &str) -> BTreeSet<String> {
    let days = (from.parse().expect("a day"), to.parse().expect("a day"));
    let at = "2026-11-20T12:00:00Z".parse().expect("a time");
    let records = |ticker: &&str| records_of(&Spec::default(), Endpoint::TIINGO_PRICES, ticker, days, at);
    let records: Vec<Value> = tickers.iter().flat_map(records).collect();
    records.iter().filter_map(|record| Endpoint::TIINGO_PRICES.document_id(record)).collect()
}

async fn stored(stack: &Stack) -> Vec<String> {
    stack.db.ids("prices_daily").await.expect("they can be listed")
}

#[tokio::test]
async fn past_days_are_planned_requested_and_then_known() {
    let stack = start(Watchlist::new(8, 5), &[]).await;
    let october = backfill(PRICES, "2026-10-01", "2026-10-30").tickers(["AAPL", "MSFT"]);
    let preview = october.clone().field("dry_run", json!(true));
    let plan = expect(&stack.orchestrator, &preview, 200).await.body;
    let data = &plan["data"];
    assert_eq!(
        (&data["cells"], &data["tickers"], &data["calls"]),
        (&json!(44), &json!(2), &json!(1)),
        "{data:#}"
    );
    assert_eq!((stack.providers.tiingo().journal().count(), stored(&stack).await.len()), (0, 0));

    let report = expect(&stack.orchestrator, &october, 200).await.body;
    let data = &report["data"];
    assert_eq!((&data["trigger"], &data["records_stored"]), (&json!("backfill"), &json!(44)), "{data:#}");
    assert_eq!(data["backfill"], json!({"from": "2026-10-01", "to": "2026-10-30", "only": "missing"}));
    assert_same(stored(&stack).await, expected(&["AAPL", "MSFT"], "2026-10-01", "2026-10-30"));

    let run_id = data["run_id"].as_str().expect("an id");
    let calls = get(&stack.orchestrator, &format!("/runs/{run_id}/calls")).await.body;
    assert_eq!(calls["calls"][0]["window"], json!({"from": "2026-10-01", "to": "2026-10-30"}), "{calls:#}");
    let day = get(&stack.orchestrator, "/coverage/daily_prices/2026-10-14").await.body;
    let states = day["states"].as_array().expect("a list");
    let of_state = states.iter().find(|known| known["state"] == "stored");
    assert_eq!(of_state.map(|known| &known["count"]), Some(&json!(2)), "{day:#}");
    let plan = expect(&stack.orchestrator, &preview, 200).await.body;
    assert_eq!(plan["message"], "dry run: nothing to fill", "{plan:#}");
}

#[tokio::test]
async fn news_of_past_days_are_requested_by_each_services_own_parameters() {
    let stack = start(Watchlist::new(8, 5), &[]).await;
    for (job, requests) in [("finnhub-company-news-universe", 1), ("polygon-news-universe", 3)] {
        let days = backfill(job, "2026-10-05", "2026-10-07").tickers(["AAPL"]);
        let report = expect(&stack.orchestrator, &days, 200).await.body;
        assert_eq!(report["data"]["records_stored"], json!(9), "{report:#}");
        let service = if requests == 1 { stack.providers.finnhub() } else { stack.providers.polygon() };
        assert_eq!(service.journal().calls().len(), requests);
    }
    let day = get(&stack.orchestrator, "/coverage/polygon_news/2026-10-06").await.body;
    let states = day["states"].as_array().expect("a list");
    assert_eq!(states.last().map(|known| known["tickers"].clone()), Some(json!(["AAPL"])), "{day:#}");
}

#[tokio::test]
async fn a_service_that_ignores_the_days_is_named() {
    let stack = start(Watchlist::new(8, 5), &[]).await;
    stack.providers.tiingo().fault(Fault::ignored_days());
    let days = backfill(PRICES, "2026-10-05", "2026-10-09").tickers(["AAPL"]);
    let report = expect(&stack.orchestrator, &days, 502).await.body;
    let reason = report["data"]["tickers_failed"][0]["reason"].as_str().expect("a reason").to_owned();
    assert!(reason.contains("ignored the requested days, 2026-10-05 to 2026-10-09"), "{reason}");
}

#[tokio::test]
async fn what_cannot_be_requested_is_refused_by_name() {
    let stack = start(Watchlist::new(8, 5), &[]).await;
    for (tick, words) in [
        (backfill("finnhub-quote-portfolio", "2026-10-05", "2026-10-06"), "its provider takes no dates"),
        (backfill(PRICES, "2036-10-06", "2036-10-07"), "must not be after today"),
        (backfill(PRICES, "2026-10-09", "2026-10-05"), "must not be after to"),
        (backfill(PRICES, "yesterday", "2026-10-05"), "must be a day, YYYY-MM-DD"),
        (by_hand(PRICES).field("only", json!("failed")), "is missing"),
    ] {
        let refused = send(&stack.orchestrator, &tick).await;
        let detail = refused.body["detail"].as_str().unwrap_or_default();
        assert!(refused.status == 422 && detail.contains(words), "{words}: {:#}", refused.body);
    }
}

/// How often the test below kills an instance; `KILLS=100` for more.
const KILLS: usize = 8;

/// A backfill of 50 tickers and a year is killed again and again, at random moments; then it is finished.
#[tokio::test]
async fn a_backfill_that_is_killed_again_and_again_stores_and_counts_each_record_once() {
    let settings = [("batch_size_tiingo", "2"), ("lease_seconds", "5"), ("refetch_history_sessions", "0")];
    let stack = start(Watchlist::new(50, 5).without_indices(), &settings).await;
    let kills = std::env::var("KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(KILLS);
    // At the least, the backfill must outlast all kills.
    let pause = Duration::from_millis(20 + 4 * u64::try_from(kills).expect("few"));
    stack.providers.tiingo().fault(Fault::slow(pause));
    let year = backfill(PRICES, "2025-01-02", "2025-12-31").header("idempotency-key", "a-year");
    for number in 0..kills {
        let victim = another(&stack, &settings).await;
        // Spread over a second and a half, in no order.
        let moment = Duration::from_millis(5 + u64::try_from(number * 7_919 % 1_495).expect("small"));
        // Whether it is finished or refused by then does not matter.
        let _ = tokio::time::timeout(moment, year.send(victim.url())).await;
        victim.kill();
    }
    stack.providers.tiingo().clear();
    let start = std::time::Instant::now();
    let report = loop {
        let reply = send(&stack.orchestrator, &year).await;
        if reply.status == 200 {
            break reply.body;
        }
        assert!(start.elapsed() < 3 * PATIENCE, "{:#}", reply.body);
        tokio::time::sleep(Duration::from_millis(300)).await;
    };
    println!("{kills} kills, attempt {}", report["data"]["attempt"]);
    let tickers = stack.watchlist.tickers(Scope::EntireWatchlist);
    let tickers: Vec<&str> = tickers.iter().map(String::as_str).collect();
    let documents = expected(&tickers, "2025-01-02", "2025-12-31");
    assert_eq!(report["data"]["records_stored"], json!(documents.len()), "{report:#}");
    assert_same(stored(&stack).await, documents);
}
