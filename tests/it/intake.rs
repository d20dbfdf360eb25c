//! From a response to documents, through the whole service: what is counted is stored, and irregular data is kept.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use http::StatusCode;
use serde_json::{Value as Json, json};
use sim::firestore::to_plain;

use crate::hostile::service::{Played, play, trigger};

const DATABASE: &str = "projects/p/databases/(default)";
const COLLECTIONS: [&str; 6] = [
    "prices_daily",
    "prices_intraday",
    "news_articles",
    "fundamentals",
    "earnings_calendar",
    "technical_indicators",
];

fn answered(route: &str, body: &[u8]) -> Played {
    play((StatusCode::OK, body), |_| trigger(route))
}

/// The documents of a collection as plain JSON, by id.
pub(crate) fn documents(played: &Played, collection: &str) -> BTreeMap<String, Json> {
    let store = played.store.lock().unwrap_or_else(PoisonError::into_inner);
    let plain = |fields: &sim::firestore::memory::Fields| {
        fields.iter().map(|(name, value)| (name.clone(), to_plain(value))).collect()
    };
    store
        .collection(DATABASE, collection)
        .map(|(id, stored)| (id.to_owned(), plain(&stored.fields)))
        .collect()
}

/// The counts in the response must match the collections.
pub(crate) fn assert_counted(played: &Played) {
    let stored: usize = COLLECTIONS.iter().map(|collection| documents(played, collection).len()).sum();
    let data = &played.body["data"];
    assert_eq!(data["records_stored"], stored, "{:#}", played.body);
    let rejected = documents(played, "rejected_records").len();
    assert_eq!(data["records_rejected"], rejected, "{:#}", played.body);
}

fn body(entries: &Json) -> Vec<u8> {
    json!({"status": "ok", "data": entries}).to_string().into_bytes()
}

fn article(id: &Json, headline: &str) -> Json {
    json!({"article_id": id, "headline": headline, "url": format!("https://news.test/{headline}"), "datetime": 0})
}

#[test]
fn articles_without_an_id_are_all_stored() {
    let articles: Vec<_> =
        [json!("finnhub_None"), json!(null), json!("finnhub_1795696800.5"), json!("finnhub_None")]
            .iter()
            .zip(["a", "b", "c", "d"])
            .map(|(id, headline)| article(id, headline))
            .collect();
    let entries = json!([{"ticker": "AAPL", "data": articles}, {"ticker": "T001", "data": articles}]);
    let played = answered("/finnhub/company-news-portfolio", &body(&entries));
    assert_eq!(played.body["status"], "ok", "{:#}", played.body);
    assert_counted(&played);
    let stored = documents(&played, "news_articles");
    assert_eq!(stored.len(), 8, "{stored:#?}");
    let again = answered("/finnhub/company-news-portfolio", &body(&entries));
    assert_eq!(
        stored.keys().collect::<Vec<_>>(),
        documents(&again, "news_articles").keys().collect::<Vec<_>>()
    );
}

#[test]
fn prices_of_the_same_day_are_one_document_and_a_reported_loss() {
    let price = |close: f64| json!({"date": "2026-11-20", "open": 1, "high": 1, "low": 1, "close": close, "volume": 1});
    let entries = json!([{"ticker": "AAPL", "data": [price(1.0), price(2.0), price(2.0)]}, {"ticker": "T001", "data": []}]);
    let played = answered("/tiingo/daily-prices", &body(&entries));
    assert_eq!(played.body["status"], "partial", "{:#}", played.body);
    assert_counted(&played);
    let stored = documents(&played, "prices_daily");
    assert_eq!(stored["AAPL_2026-11-20"]["close"], 2.0);
    let rejected = documents(&played, "rejected_records");
    let (_, loss) = rejected.first_key_value().expect("the loss");
    let reason = "another record in the same response is stored as prices_daily/AAPL_2026-11-20";
    assert_eq!((&loss["ticker"], &loss["reasons"]), (&json!("AAPL"), &json!([reason])));
    let kept: Json = serde_json::from_str(loss["record"]["data"].as_str().expect("text")).expect("JSON");
    assert_eq!(kept["close"], 1.0);
    let note = "duplicate records, each stored once: 1, for example prices_daily/AAPL_2026-11-20";
    assert_eq!(played.body["data"]["remarks"], json!([note]));
}

#[test]
fn one_invalid_value_rejects_one_record() {
    let deep = ["{\"a\":".repeat(140), "1".to_owned(), "}".repeat(140)].concat();
    let odds: [&[u8]; 6] = [deep.as_bytes(), b"1e999", b"\"\xff\"", b"\"\\ud800\"", b"NaN", b"\"\x01\""];
    for odd in odds {
        let article = |id: &str, value: &[u8]| {
            [format!("{{\"article_id\":\"finnhub_{id}\",\"extra\":").as_bytes(), value, b"}"].concat()
        };
        let body = [
            b"\xef\xbb\xbf{\"status\":\"ok\",\"data\":[{\"ticker\":\"AAPL\",\"data\":[".as_slice(),
            &article("1", b"18446744073709551615"),
            b",",
            &article("2", odd),
            b"]},{\"ticker\":\"T001\",\"data\":[",
            &article("3", b"1"),
            b"]}]}",
        ]
        .concat();
        let played = answered("/finnhub/company-news-portfolio", &body);
        assert_eq!((played.status, &played.body["status"]), (StatusCode::OK, &json!("partial")));
        assert_counted(&played);
        let stored = documents(&played, "news_articles");
        assert_eq!(stored.keys().collect::<Vec<_>>(), ["AAPL_finnhub_1", "T001_finnhub_3"]);
        assert_eq!(stored["AAPL_finnhub_1"]["extra"], 18_446_744_073_709_551_615.0);
        let rejected = documents(&played, "rejected_records");
        let (_, kept) = rejected.first_key_value().expect("the odd one");
        assert_eq!(kept["ticker"], "AAPL");
        assert!(
            kept["reasons"][0].as_str().is_some_and(|reason| reason.starts_with("cannot be read: ")),
            "{kept:#}"
        );
    }
}

#[test]
fn a_raw_log_describes_the_call_and_whether_any_ticker_succeeded() {
    let gone = |ticker: &str| json!({"ticker": ticker, "error": "unknown symbol", "data": null});
    let quote = json!({"ticker": "T001", "data": {"current_price": 1, "timestamp": 1_700_000_000_123_i64}});
    for (second, is_error) in [(gone("T001"), true), (quote, false)] {
        let played = answered("/finnhub/quote-portfolio", &body(&json!([gone("AAPL"), second])));
        let logs = documents(&played, "api_usage_logs");
        let (_, log) = logs.first_key_value().expect("a log");
        assert_eq!(log["response"]["error_flag"], is_error, "{log:#}");
        assert_eq!(
            (&log["metadata"]["api_name"], &log["metadata"]["endpoint"]),
            (&json!("quote"), &json!("/fetch"))
        );
        assert_eq!(log["request"]["timestamp"], "2026-11-23T18:00:00.002000Z");
    }
}

fn news(articles: usize) -> Json {
    let article = |number| json!({"article_id": format!("polygon_{number}"), "url": format!("https://news.test/{number}")});
    json!((0..articles).map(article).collect::<Vec<_>>())
}

#[test]
fn news_that_may_be_cut_is_requested_once_more_with_a_larger_number() {
    for (articles, calls, is_cut) in [(9, 1, false), (10, 2, false), (99, 2, false), (100, 2, true)] {
        let entries =
            json!([{"ticker": "AAPL", "data": news(articles)}, {"ticker": "T001", "data": news(3)}]);
        let played = answered("/polygon/news-portfolio", &body(&entries));
        assert_eq!(played.body["status"], "ok", "{:#}", played.body);
        assert_counted(&played);
        let logs = documents(&played, "api_usage_logs");
        let limits: Vec<_> = logs.values().map(|log| log["request"]["params"]["limit"].clone()).collect();
        assert_eq!(limits.len(), calls, "{articles}: {limits:?}");
        assert_eq!(limits.iter().filter(|limit| **limit == 100).count(), calls - 1, "{limits:?}");
        let larger = logs.values().find(|log| log["request"]["params"]["limit"] == 100);
        if let Some(larger) = larger {
            assert_eq!(larger["request"]["params"]["tickers"], json!(["AAPL"]), "the other was not cut");
        }
        let stored = documents(&played, "news_articles");
        let marked = stored.values().filter(|article| article["quality"] == json!(["cut_at_limit"])).count();
        assert_eq!(marked, if is_cut { articles } else { 0 });
        let remarks = played.body["data"]["remarks"].to_string();
        let told = remarks.contains("1 ticker has as many records as were asked for, 100, for example AAPL");
        assert_eq!(told, is_cut, "{remarks}");
        assert_eq!(played.body["data"]["records_flagged"], 0);
    }
}

#[test]
fn a_rejected_article_does_not_hide_that_an_answer_is_cut() {
    let mut articles = news(10);
    articles[4] = json!(7);
    let entries = json!([{"ticker": "AAPL", "data": articles}, {"ticker": "T001", "data": []}]);
    let played = answered("/polygon/news-portfolio", &body(&entries));
    assert_counted(&played);
    assert_eq!(documents(&played, "api_usage_logs").len(), 2, "{:#}", played.body);
    assert_eq!(played.body["data"]["records_rejected"], 1);
}
