//! A bad item never affects the others: it is kept whole and reported.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use e2e::stored::{REJECTED, count, list, payload};
use e2e::system::{at, expect, job, start, tick};
use serde_json::{Value, json};
use sim::providers::{Defect, Fault};
use sim::scheduler::Tick;
use sim::stack::Stack;
use sim::watchlist::Watchlist;

/// The expected outcome of a defective record.
#[derive(Clone, Copy)]
enum Fate {
    /// Stored; the part that Firestore refuses is in `extra_json`, which contains this.
    Stored(&'static str),
    /// Kept in `rejected_records` with a reason that contains the first string; the kept record contains the second.
    Rejected(&'static str, &'static str),
    /// The provider has nothing of the ticker.
    TickerEmpty,
}

const SYMBOL: &str = "T050";
const TICKERS: usize = 100;

fn tickers() -> Vec<String> {
    (0..TICKERS).map(|number| format!("T{number:03}")).collect()
}

async fn check(stack: &Stack, defect: Defect, fate: Fate) {
    stack.db.delete_all().await.expect("emptied");
    stack.providers.clear();
    stack.providers.tiingo().fault(Fault::bad_records([defect]).ticker(SYMBOL));
    let reply = expect(&stack.orchestrator, &tick("tiingo-daily-prices").tickers(tickers()), 200).await;
    let data = &reply.body["data"];
    let prices: BTreeSet<String> =
        list(&stack.db, "prices_daily").await.into_iter().map(|doc| doc.id).collect();
    for ticker in tickers().iter().filter(|ticker| *ticker != SYMBOL) {
        let of_ticker = prices.iter().filter(|id| id.starts_with(&format!("{ticker}_"))).count();
        assert_eq!(of_ticker, 5, "{defect:?} of {SYMBOL} costs {ticker}");
    }
    let (own, rejected) = (prices.len() - 99 * 5, list(&stack.db, REJECTED).await);
    match fate {
        Fate::Stored(extra) => {
            assert_eq!((own, rejected.len(), &reply.body["status"]), (6, 0, &json!("ok")), "{defect:?}");
            let doc = stack.db.get(&format!("prices_daily/{SYMBOL}_2004-03-01")).await.expect("an answer");
            let kept = &doc.expect("the odd record").fields["extra_json"];
            assert!(kept.as_str().unwrap_or_default().contains(extra), "{defect:?}: {kept}");
        }
        Fate::Rejected(reason, part) => {
            assert_eq!((own, rejected.len()), (5, 1), "{defect:?}");
            assert_eq!((&reply.body["status"], &data["records_rejected"]), (&json!("partial"), &json!(1)));
            let doc = &rejected[0];
            assert!(doc.fields["reasons"].to_string().contains(reason), "{defect:?}: {:#}", doc.fields);
            let record = payload(&stack.db, REJECTED, doc, "record").await;
            let record = String::from_utf8(record).expect("JSON");
            assert!(record.contains(part), "{defect:?}: {}", &record[..record.len().min(300)]);
            assert!(serde_json::from_str::<Value>(&record).is_ok());
            assert_eq!(doc.fields["job"], "tiingo-daily-prices");
            assert_eq!(doc.fields["run_id"], data["run_id"]);
        }
        Fate::TickerEmpty => {
            assert_eq!((own, &reply.body["status"]), (0, &json!("partial")), "{defect:?}");
            let empty = json!([{
                "ticker": SYMBOL,
                "endpoint": "/fetch",
                "outcome": "empty",
                "reason": "the provider returned no records for it",
            }]);
            assert_eq!((&data["tickers_empty"], &data["tickers_failed"]), (&empty, &json!([])));
        }
    }
}

#[tokio::test]
async fn each_defect_costs_only_its_own_record() {
    let stack = start(Watchlist::new(0, 0), &[]).await;
    for (defect, fate) in [
        (Defect::MissingDate, Fate::Rejected("date is missing", "\"close\"")),
        (Defect::TextNumbers, Fate::Rejected("close must be a number, not \\\"NaN\\\"", "\"close\":\"NaN\"")),
        (Defect::NullRecord, Fate::Rejected("the record is not an object", "null")),
        (Defect::NestedArray, Fate::Stored("{\"matrix\":[[1,2],[3,4]]}")),
        (Defect::ReservedName, Fate::Stored("{\"__reserved__\":1}")),
        (Defect::EmptyName, Fate::Stored("{\"\":1}")),
        (Defect::HugeField(1_200_000), Fate::Rejected("too large for a document", "\"padding\"")),
        (Defect::ErrorInPlace, Fate::Rejected("date is missing", "simulated failure of one record")),
        // A price has nothing to flatten: the record is valid.
        (Defect::FlatIndicator, Fate::Stored("")),
        (Defect::NullEntry, Fate::Rejected("entry has no ticker", "null")),
        (Defect::NullData, Fate::TickerEmpty),
    ] {
        check(&stack, defect, fate).await;
    }
}

#[tokio::test]
async fn a_quote_is_its_tickers_only_record() {
    let stack = start(Watchlist::new(0, 0), &[]).await;
    stack.providers.finnhub().fault(Fault::bad_records([Defect::TextNumbers]).ticker(SYMBOL));
    let reply = expect(&stack.orchestrator, &tick("finnhub-quote-portfolio").tickers(tickers()), 200).await;
    assert_eq!(reply.body["status"], "partial");
    assert_eq!(reply.body["data"]["tickers_processed"], 99);
    assert_eq!(reply.body["data"]["tickers_failed"][0]["ticker"], SYMBOL, "{:#}", reply.body);
    assert_eq!(count(&stack.db, "prices_intraday").await, 99);
    assert_eq!(count(&stack.db, REJECTED).await, 1);
}

#[tokio::test]
async fn a_failed_or_flat_indicator_does_not_affect_the_others() {
    let stack = start(Watchlist::new(0, 0), &[]).await;
    let alphavantage = stack.providers.alphavantage();
    alphavantage.fault(Fault::bad_records([Defect::ErrorInPlace]).ticker("T001"));
    alphavantage.fault(Fault::bad_records([Defect::FlatIndicator]).ticker("T002"));
    alphavantage.fault(Fault::bad_records([Defect::MissingDate]).ticker("T003"));
    let tick = tick("alpha-vantage-technical-indicators").tickers(["T001", "T002", "T003", "T004"]);
    let reply = expect(&stack.orchestrator, &tick, 200).await;
    let ids = stack.db.ids("technical_indicators").await.expect("the ids");
    let of = |ticker: &str| ids.iter().filter(|id| id.starts_with(ticker)).count();
    assert_eq!((of("T001"), of("T002"), of("T003"), of("T004")), (6, 7, 6, 7), "{:#}", reply.body);
    assert_eq!(reply.body["status"], "partial");
    assert!(ids.contains(&format!("T002_SMA_{}", (at(0) - TimeDelta::days(1)).format("%Y-%m-%d"))));
    let data = &reply.body["data"];
    assert_eq!((&data["tickers_failed"], &data["records_rejected"]), (&json!([]), &json!(2)));
    assert_eq!(data["remarks"], json!(["T001: SMA: simulated failure of one record"]));
    let kept = list(&stack.db, REJECTED).await;
    assert!(kept.iter().any(|doc| doc.fields["reasons"] == json!(["SMA: simulated failure of one record"])));
}

#[tokio::test]
async fn market_news_keeps_its_valid_articles() {
    let stack = start(Watchlist::new(0, 0), &[]).await;
    let defects = [Defect::EmptyName, Defect::NullEntry, Defect::MissingDate, Defect::NestedArray];
    stack.providers.polygon().fault(Fault::bad_records(defects));
    let reply = expect(&stack.orchestrator, &tick("polygon-news-market"), 200).await;
    // The article without an id gets one made from its content.
    assert_eq!(count(&stack.db, "news_articles").await, 23, "{:#}", reply.body);
    assert_eq!(count(&stack.db, REJECTED).await, 1);
    assert_eq!(reply.body["data"]["records_stored"], 23);
    assert_eq!(reply.body["status"], "partial");
}

#[tokio::test]
async fn an_error_instead_of_market_news_fails_the_call() {
    let stack = start(Watchlist::new(0, 0), &[]).await;
    let polygon = stack.providers.polygon();
    let body = |error: &str| json!({"status": "ok", "data": [{"error": error}], "errors": null}).to_string();
    polygon.fault(Fault::body(body("Request failed: Server disconnected")).times(1));
    let reply = expect(&stack.orchestrator, &tick("polygon-news-market"), 200).await;
    assert_eq!((&reply.body["status"], &reply.body["data"]["records_stored"]), (&json!("ok"), &json!(20)));
    assert_eq!(polygon.journal().calls().len(), 2, "it was called once more");

    polygon.fault(Fault::body(body("Polygon API error 403: not in your plan")));
    let reply = expect(&stack.orchestrator, &Tick::new(job("polygon-news-market"), at(1)), 502).await;
    assert_eq!(reply.body["status"], "error", "{:#}", reply.body);
}

#[tokio::test]
async fn a_ticker_without_indicators_fails_without_holding_up_others() {
    let stack = start(Watchlist::new(0, 0), &[("batch_size_alphavantage", "1")]).await;
    let alphavantage = stack.providers.alphavantage();
    let name = "alpha-vantage-technical-indicators";
    let indicators = ["SMA", "EMA", "RSI", "MACD", "BBANDS", "STOCH", "ADX"];
    let nothing = || Fault::indicator_errors(indicators).detail("No time series data found for SMA");
    alphavantage.fault(nothing().ticker("T000"));
    let reply = expect(&stack.orchestrator, &tick(name).tickers(["T000", "T001", "T002", "T003"]), 200).await;
    let data = &reply.body["data"];
    assert_eq!((&reply.body["status"], &data["tickers_processed"]), (&json!("partial"), &json!(3)));
    assert_eq!(data["tickers_failed"][0]["ticker"], "T000", "{data:#}");

    // The same message for all means the daily limit: after three of them no more calls are made.
    alphavantage.clear();
    alphavantage.journal().clear();
    alphavantage.fault(nothing());
    let tick = Tick::new(job(name), at(1)).tickers(["T000", "T001", "T002", "T003", "T004"]);
    let reply = expect(&stack.orchestrator, &tick, 503).await;
    assert_eq!(reply.body["data"]["tickers_failed"], json!([]), "{:#}", reply.body);
    let pending = reply.body["data"]["pending"].as_array().expect("a list").iter();
    assert_eq!(pending.filter_map(|work| work["tickers"].as_array()).map(Vec::len).sum::<usize>(), 5);
    assert_eq!(alphavantage.journal().calls().len(), 3);
    assert!(e2e::system::retry_after(&reply) > 3_000, "{:#}", reply.body);
}

#[tokio::test]
async fn a_ticker_with_a_slash_has_documents_too() {
    let stack = start(Watchlist::new(0, 0), &[]).await;
    let reply =
        expect(&stack.orchestrator, &tick("tiingo-daily-prices").tickers(["BRK/B", "AAPL"]), 200).await;
    assert_eq!((&reply.body["status"], &reply.body["data"]["records_stored"]), (&json!("ok"), &json!(10)));
    let docs = list(&stack.db, "prices_daily").await;
    let slashed: Vec<_> = docs.iter().filter(|doc| doc.fields["ticker"] == "BRK/B").collect();
    assert_eq!(slashed.len(), 5);
    assert!(slashed.iter().any(|doc| doc.id == "BRK%2FB_2025-11-19"), "{:?}", slashed[0].id);
}

#[tokio::test]
async fn failed_tickers_are_reported_with_the_providers_message() {
    let stack = start(Watchlist::new(0, 0), &[]).await;
    let tiingo = stack.providers.tiingo();
    tiingo.fault(Fault::ticker_errors(["T001", "T002", "T003"]).detail("symbol is delisted"));
    tiingo.fault(Fault::drop_tickers(["T004"]));
    let reply = expect(&stack.orchestrator, &tick("tiingo-daily-prices").tickers(tickers()), 200).await;
    let data = &reply.body["data"];
    assert_eq!((&reply.body["status"], &data["tickers_processed"]), (&json!("partial"), &json!(96)));
    assert_eq!(count(&stack.db, "prices_daily").await, 96 * 5);
    let mut failed = data["tickers_failed"].as_array().expect("a list").clone();
    failed.sort_by_key(|failure| failure["ticker"].as_str().map(str::to_owned));
    assert_eq!(failed.len(), 4, "{failed:#?}");
    for (failure, ticker) in failed.iter().zip(["T001", "T002", "T003", "T004"]) {
        assert_eq!((&failure["ticker"], &failure["endpoint"]), (&json!(ticker), &json!("/fetch")));
        let expected = if ticker == "T004" { "has no entry for it" } else { "symbol is delisted" };
        let reason = failure["reason"].as_str().expect("a reason");
        assert!(reason.contains(expected), "{reason}");
    }
    let logs = list(&stack.db, e2e::stored::RAW_LOGS).await;
    let log = logs.iter().find(|log| log.fields["metadata"]["tickers_failed"] != json!([])).expect("a log");
    assert_eq!(log.fields["metadata"]["tickers_failed"], json!(["T001", "T002", "T003", "T004"]));
    assert_eq!(log.fields["metadata"]["tickers_successful"].as_array().map(Vec::len), Some(46));
}

#[tokio::test]
async fn earnings_that_fail_next_to_fundamentals_are_reported() {
    let stack = start(Watchlist::new(0, 0), &[]).await;
    stack.providers.finnhub().fault(Fault::ticker_errors(["T001"]).path("/fetch/earnings"));
    let tick = tick("finnhub-fundamentals-earnings").tickers(["T000", "T001"]);
    let reply = expect(&stack.orchestrator, &tick, 200).await;
    assert_eq!(reply.body["status"], "partial");
    let failed = &reply.body["data"]["tickers_failed"];
    assert_eq!((&failed[0]["ticker"], &failed[0]["endpoint"]), (&json!("T001"), &json!("/fetch/earnings")));
    assert_eq!(count(&stack.db, "fundamentals").await, 2);
    assert_eq!(count(&stack.db, "earnings_calendar").await, 5);
}

#[tokio::test]
async fn a_run_in_which_nothing_succeeded_is_an_error() {
    let stack = start(Watchlist::new(0, 0), &[]).await;
    stack.providers.tiingo().fault(Fault::ticker_errors(tickers()).detail("no subscription"));
    let reply = expect(&stack.orchestrator, &tick("tiingo-daily-prices").tickers(tickers()), 502).await;
    assert_eq!(reply.body["status"], "error");
    let failed = reply.body["data"]["tickers_failed"].as_array().expect("a list");
    assert_eq!(failed.len(), TICKERS);
    assert!(failed.iter().all(|failure| failure["reason"] == "no subscription"), "{:#}", failed[0]);
    assert_eq!(count(&stack.db, "prices_daily").await, 0);
}
