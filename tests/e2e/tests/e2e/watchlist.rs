//! How the watchlist's documents and their symbols are read.

use std::collections::BTreeMap;

use e2e::stored::{RUNS, list};
use e2e::system::{assert_same, expect, get, start, tick};
use serde_json::{Value, json};
use sim::stack::Stack;
use sim::watchlist::{ACTIVE, UNIVERSE, Watchlist};

const QUOTES: &str = "finnhub-quote-portfolio";

/// Symbols as exchanges and brokers write them; two differ only in case.
const ODD: [&str; 8] =
    ["BRK/B", "M&M.NS", "BAC$L", "IC MARKETS:1", "BACpL", "BACPL", "50%", "\u{421}\u{411}\u{415}\u{420}"];

/// A system with only these documents in a collection.
async fn with(collection: &str, documents: impl IntoIterator<Item = (String, Value)>) -> Stack {
    let stack = start(Watchlist::new(0, 0).without_indices(), &[]).await;
    let documents = documents.into_iter().map(|(id, fields)| (format!("{collection}/{id}"), fields));
    stack.db.seed(documents.collect()).await.expect("seeded");
    stack
}

fn named(symbols: &[&str]) -> Vec<(String, Value)> {
    let document = |(number, symbol): (usize, &&str)| (format!("d{number}"), json!({"symbol": symbol}));
    symbols.iter().enumerate().map(document).collect()
}

#[tokio::test]
async fn a_symbol_is_requested_matched_and_stored_unchanged() {
    let written = [&ODD[..], &["  SPACED OUT  ", "msft"]].concat();
    let meant = [&ODD[..], &["SPACED OUT", "MSFT"]].concat();
    let stack = with(ACTIVE, named(&written)).await;
    for name in [QUOTES, "finnhub-company-news-portfolio", "polygon-news-portfolio"] {
        let reply = expect(&stack.orchestrator, &tick(name), 200).await;
        assert_eq!(reply.body["status"], "ok", "{:#}", reply.body);
        assert_eq!(reply.body["data"]["tickers_processed"], meant.len());
    }
    let asked = stack.providers.polygon().journal().tickers();
    assert_same(asked, meant.iter().map(|symbol| (*symbol).to_owned()));

    let quotes = list(&stack.db, "prices_intraday").await;
    let by_ticker: BTreeMap<_, _> =
        quotes.iter().map(|quote| (quote.fields["ticker"].as_str().expect("a ticker"), &quote.id)).collect();
    assert_same(by_ticker.keys().copied(), meant.iter().copied());
    for (ticker, id) in by_ticker {
        // A slash is not allowed in an id, and `%` marks the escape.
        let escaped = ticker.replace('%', "%25").replace('/', "%2F");
        assert!(id.starts_with(&format!("{escaped}_")), "{id} of {ticker}");
    }
}

#[tokio::test]
async fn tickers_in_the_body_are_treated_like_the_watchlists_symbols() {
    let stack = with(ACTIVE, []).await;
    let written = [&ODD[..], &[" BACpL ", "msft"]].concat();
    let reply = expect(&stack.orchestrator, &tick(QUOTES).tickers(written), 200).await;
    assert_eq!(reply.body["status"], "ok", "{:#}", reply.body);
    let meant = [&ODD[..], &["MSFT"]].concat();
    let asked = stack.providers.finnhub().journal().tickers();
    assert_same(asked, meant.iter().map(|symbol| (*symbol).to_owned()));
}

/// Documents as imports from tables create them.
fn imported() -> Vec<(String, Value)> {
    let active = |value: Value| json!({"isActive": value});
    let documents = [
        ("GOOD1", active(json!("TRUE"))),
        ("GOOD2", active(json!(1))),
        ("GOOD3", active(json!(""))),
        ("GOOD4", active(Value::Null)),
        ("OFF1", active(json!("false"))),
        ("OFF2", active(json!("FALSE"))),
        ("OFF3", active(json!(0))),
        ("OFF4", active(json!("no"))),
        ("OFF5", active(json!(0.0))),
        ("ODD1", active(json!("sold"))),
        ("ODD2", active(json!(["yes"]))),
        ("ODD3", json!({"symbol": 700})),
        ("ODD4", json!({"ticker": true})),
    ];
    documents.map(|(id, fields)| (id.to_owned(), fields)).into()
}

#[tokio::test]
async fn clear_documents_are_read_and_the_others_are_skipped_and_reported() {
    let stack = with(ACTIVE, imported()).await;
    let reply = expect(&stack.orchestrator, &tick(QUOTES), 200).await;
    assert_same(
        stack.providers.finnhub().journal().tickers(),
        ["GOOD1", "GOOD2", "GOOD3", "GOOD4"].map(str::to_owned),
    );
    assert_eq!(reply.body["status"], "partial", "{:#}", reply.body);
    let message = reply.body["message"].as_str().expect("a message");
    assert!(message.ends_with("4 watchlist documents cannot be read"), "{message}");
    let problems = &reply.body["data"]["watchlist_problems"];
    let unclear = "must be true or false, 1 or 0, or a word such as yes or no";
    let expected = [
        ("ODD1", "isActive", "sold", unclear.to_owned()),
        ("ODD2", "isActive", "1 items", format!("{unclear}, not a list")),
        ("ODD3", "symbol", "700", "must be a string, not a number".to_owned()),
        ("ODD4", "ticker", "true", "must be a string, not a boolean".to_owned()),
    ];
    let expected = expected.map(|(document, field, value, problem)| {
        json!({"document": document, "field": field, "value": value, "problem": problem})
    });
    assert_eq!(*problems, json!(expected));
    assert_eq!(reply.body["data"]["watchlist_problems_count"], 4);

    // The stored report says the same.
    let again = expect(&stack.orchestrator, &tick(QUOTES), 200).await;
    assert_eq!((&again.body["duplicate"], &again.body["status"]), (&json!(true), &json!("partial")));
    assert_eq!(again.body["data"]["watchlist_problems"], *problems);
    let run = get(&stack.orchestrator, &format!("/runs/{}", list(&stack.db, RUNS).await[0].id)).await;
    assert_eq!(run.body["data"]["watchlist_problems"], *problems);
}

#[tokio::test]
async fn a_thousand_unreadable_documents_are_counted_and_the_first_ones_reported() {
    let odd = |number: usize| (format!("D{number:04}"), json!({"symbol": number}));
    let stack = with(UNIVERSE, (0..1_000).map(odd)).await;
    let reply = expect(&stack.orchestrator, &tick("tiingo-daily-prices"), 200).await;
    let data = &reply.body["data"];
    assert_eq!((&reply.body["status"], &data["tickers_requested"]), (&json!("partial"), &json!(0)));
    assert_eq!(data["watchlist_problems_count"], 1_000);
    assert_eq!(data["watchlist_problems"].as_array().expect("a list").len(), 30);
}

#[tokio::test]
async fn documents_outside_the_scope_are_not_read() {
    let document = json!({"sector": ["Index"], "isActive": true});
    let stack = with(UNIVERSE, [("NDX".to_owned(), document)]).await;
    let reply = expect(&stack.orchestrator, &tick("tiingo-daily-prices"), 200).await;
    assert_eq!((&reply.body["status"], &reply.body["data"]["tickers_requested"]), (&json!("ok"), &json!(1)));
    let reply = expect(&stack.orchestrator, &tick("tiingo-daily-prices-indices"), 200).await;
    assert_eq!(reply.body["status"], "partial");
    assert_eq!(reply.body["data"]["watchlist_problems"][0]["field"], "sector");
}
