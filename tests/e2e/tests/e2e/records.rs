//! One record of each dataset and one raw log, field by field with Firestore's types.

use std::collections::BTreeMap;

use e2e::stored::{RAW_LOGS, as_stored, list};
use e2e::system::{at, expect, job, start, tick};
use serde_json::Value;
use sim::endpoint::Endpoint;
use sim::firestore::Doc;
use sim::watchlist::Watchlist;

/// Fields that every record has.
const COMMON: &str = "ticker stringValue, source stringValue, ingested_at stringValue, schema_version integerValue, run_id stringValue";

/// A document must have exactly these fields and types; `text?` is a string or null.
fn assert_types(doc: &Doc, table: &str) {
    let types: BTreeMap<&str, &str> =
        table.split(',').map(|row| row.trim().split_once(' ').expect("a name and a type")).collect();
    let fields = doc.raw.as_object().expect("fields");
    let found: BTreeMap<&str, &str> = fields
        .iter()
        .map(|(name, value)| {
            let kind = value.as_object().and_then(|value| value.keys().next()).expect("a typed value");
            match (kind.as_str(), types.get(name.as_str())) {
                ("stringValue" | "nullValue", Some(&"text?")) => (name.as_str(), "text?"),
                (kind, _) => (name.as_str(), kind),
            }
        })
        .collect();
    assert_eq!(found, types, "{}", doc.id);
}

async fn check(name: &str, endpoint: Endpoint, id: &str, table: &str) {
    let stack = start(Watchlist::new(3, 3), &[]).await;
    let reply = expect(&stack.orchestrator, &tick(name), 200).await;
    let path = format!("{}/{id}", endpoint.collection());
    let doc = stack.db.get(&path).await.expect("an answer").unwrap_or_else(|| panic!("no {path}"));
    let hash = if endpoint == Endpoint::FINNHUB_QUOTES { "" } else { "content_hash stringValue, " };
    assert_types(&doc, &format!("{COMMON}, {hash}{table}"));
    assert_eq!(doc.fields["run_id"], reply.body["data"]["run_id"]);
    assert_eq!(doc.fields["ingested_at"], "2025-11-20T15:00:00.118812", "the provider's own time is kept");
    let sent = stack.expected(job(name), at(0));
    let run_id = reply.body["data"]["run_id"].as_str().expect("a run id");
    let record = as_stored(sent[&(endpoint.collection(), id.to_owned())].clone(), run_id);
    for (field, value) in record.as_object().expect("a record") {
        assert_eq!(&doc.fields[field], value, "{field}");
    }
}

#[tokio::test]
async fn a_daily_price() {
    check(
        "tiingo-daily-prices",
        Endpoint::TIINGO_PRICES,
        "AAPL_2025-11-19",
        "date stringValue, open doubleValue, high doubleValue, low doubleValue, close doubleValue,
         volume integerValue, adj_open doubleValue, adj_high doubleValue, adj_low doubleValue,
         adj_close doubleValue, adj_volume integerValue, div_cash doubleValue, split_factor doubleValue",
    )
    .await;
}

#[tokio::test]
async fn a_quote() {
    check(
        "finnhub-quote-portfolio",
        Endpoint::FINNHUB_QUOTES,
        "AAPL_2025-11-20T15:00:00",
        "current_price doubleValue, change doubleValue, percent_change doubleValue, high doubleValue,
         low doubleValue, open doubleValue, previous_close doubleValue, timestamp integerValue",
    )
    .await;
}

/// The id of the first document that the job must write for AAPL.
fn first_id(name: &str, endpoint: Endpoint) -> String {
    let spec = sim::data::Spec::default();
    let record = sim::data::records(&spec, endpoint, "AAPL", at(0)).remove(0);
    endpoint.document_id(&record).unwrap_or_else(|| panic!("{name} makes records without an id"))
}

#[tokio::test]
async fn a_company_article_of_finnhub() {
    let (name, endpoint) = ("finnhub-company-news-portfolio", Endpoint::FINNHUB_NEWS);
    check(
        name,
        endpoint,
        &first_id(name, endpoint),
        "article_id stringValue, headline stringValue, summary stringValue, url stringValue,
         original_source stringValue, category stringValue, datetime integerValue, image text?,
         related stringValue",
    )
    .await;
}

const POLYGON_ARTICLE: &str = "article_id stringValue, title stringValue, description stringValue,
    url stringValue, author stringValue, published_utc stringValue, amp_url text?,
    image_url text?, keywords arrayValue, tickers arrayValue";

#[tokio::test]
async fn a_company_article_of_polygon() {
    let (name, endpoint) = ("polygon-news-portfolio", Endpoint::POLYGON_NEWS);
    check(name, endpoint, &first_id(name, endpoint), POLYGON_ARTICLE).await;
}

#[tokio::test]
async fn a_market_article_has_no_ticker() {
    let (name, endpoint) = ("polygon-news-market", Endpoint::POLYGON_MARKET);
    let id = first_id(name, endpoint);
    assert!(id.starts_with("market_polygon_market_"), "{id}");
    let stack = start(Watchlist::new(0, 0), &[]).await;
    expect(&stack.orchestrator, &tick(name), 200).await;
    let doc = stack.db.get(&format!("news_articles/{id}")).await.expect("an answer").expect("the article");
    let common = COMMON.replace("ticker stringValue", "ticker nullValue");
    assert_types(&doc, &format!("{common}, content_hash stringValue, {POLYGON_ARTICLE}"));
}

#[tokio::test]
async fn fundamentals() {
    let name = "finnhub-fundamentals-earnings";
    let endpoint = Endpoint::FINNHUB_FUNDAMENTALS;
    let id = first_id(name, endpoint);
    assert_eq!(id, "AAPL_2025-Q4");
    let record = sim::data::records(&sim::data::Spec::default(), endpoint, "AAPL", at(0)).remove(0);
    let kind = |field: &str| if record[field].is_null() { "nullValue" } else { "doubleValue" };
    let figures = [
        "market_cap",
        "shares_outstanding",
        "pe_ratio",
        "pb_ratio",
        "roe",
        "roa",
        "debt_to_equity",
        "current_ratio",
    ];
    let table = figures.map(|field| format!("{field} {}", kind(field))).join(", ");
    check(name, endpoint, &id, &format!("report_date stringValue, {table}")).await;
}

#[tokio::test]
async fn an_upcoming_earnings_report() {
    let (name, endpoint) = ("finnhub-fundamentals-earnings", Endpoint::FINNHUB_EARNINGS);
    check(
        name,
        endpoint,
        &first_id(name, endpoint),
        "earnings_date stringValue, quarter integerValue, year integerValue, eps_estimate doubleValue,
         eps_actual nullValue, revenue_estimate doubleValue, revenue_actual nullValue",
    )
    .await;
}

const INDICATOR: &str = "indicator stringValue, interval stringValue, parameters mapValue, date stringValue,
    raw_data stringValue";

#[tokio::test]
async fn an_indicator_with_one_value() {
    let table = format!("{INDICATOR}, value doubleValue");
    let name = "alpha-vantage-technical-indicators";
    check(name, Endpoint::ALPHAVANTAGE_INDICATORS, "AAPL_SMA_2025-11-19", &table).await;
}

#[tokio::test]
async fn an_indicator_with_several_values() {
    let table = format!("{INDICATOR}, value mapValue");
    let name = "alpha-vantage-technical-indicators";
    check(name, Endpoint::ALPHAVANTAGE_INDICATORS, "AAPL_MACD_2025-11-19", &table).await;
}

#[tokio::test]
async fn a_raw_log() {
    let stack = start(Watchlist::new(3, 3), &[]).await;
    stack.providers.finnhub().journal().keep_bodies(true);
    let reply = expect(&stack.orchestrator, &tick("finnhub-quote-portfolio"), 200).await;
    let run_id = &reply.body["data"]["run_id"];
    let log = list(&stack.db, RAW_LOGS).await.remove(0);
    let call = stack.providers.finnhub().journal().calls().remove(0);
    let types = "request mapValue, response mapValue, metadata mapValue, expire_at timestampValue";
    assert_types(&log, types);

    let (request, response, metadata) =
        (&log.fields["request"], &log.fields["response"], &log.fields["metadata"]);
    assert_eq!(request["url"], format!("{}/fetch", stack.providers.finnhub().url()));
    assert_eq!(request["params"], call.body);
    assert_eq!(request["scope"], "active_symbols");
    assert_eq!(
        log.raw.pointer("/request/mapValue/fields/timestamp/stringValue"),
        Some(&request["timestamp"])
    );
    assert!(log.raw.pointer("/metadata/mapValue/fields/ingested_at/stringValue").is_some());
    assert_eq!(response["status_code"], 200);
    assert_eq!((&response["error_flag"], &response["error"]), (&Value::Bool(false), &Value::Null));
    let body = call.response.expect("the journal keeps bodies");
    assert_eq!(response["data"].as_str().map(str::as_bytes), Some(&body[..]));
    for (field, value) in [
        ("job_id", "finnhub-quote-portfolio"),
        ("source", "finnhub"),
        ("api_name", "quote"),
        ("endpoint", "/fetch"),
        ("date", &e2e::system::now().format("%Y-%m-%d").to_string()),
        ("log_id", &log.id),
    ] {
        assert_eq!(metadata[field], value, "{field}");
    }
    assert_eq!(&metadata["run_id"], run_id);
    let tickers = serde_json::json!(["AAPL", "GOOGL", "MSFT"]);
    assert_eq!(metadata["tickers_requested"], tickers);
    assert_eq!(metadata["tickers_successful"], tickers);
    assert_eq!(metadata["tickers_failed"], serde_json::json!([]));
}

/// The service sends ten articles of a ticker unless it is asked for more.
#[tokio::test]
async fn news_of_a_busy_day_is_stored_beyond_the_usual_number_and_marked_only_beyond_the_larger_one() {
    let name = "polygon-news-portfolio";
    for (articles, calls, is_cut) in [(9, 1, false), (40, 2, false), (130, 2, true)] {
        let stack = start(Watchlist::new(3, 3), &[]).await;
        let spec = sim::data::Spec { records_per_ticker: articles, ..sim::data::Spec::default() };
        stack.providers.set_spec(spec);
        let reply = expect(&stack.orchestrator, &tick(name), 200).await;
        let expected = stack.expected(job(name), at(0));
        assert_eq!(expected.len(), 3 * articles.min(100), "{articles}");
        assert_eq!(reply.body["data"]["records_stored"], expected.len(), "{:#}", reply.body);
        let stored = list(&stack.db, "news_articles").await;
        let ids: std::collections::BTreeSet<_> = stored.iter().map(|doc| doc.id.clone()).collect();
        assert_eq!(ids, expected.into_keys().map(|(_, id)| id).collect(), "{articles}");
        let is_marked = |doc: &&Doc| doc.fields["quality"] == serde_json::json!(["cut_at_limit"]);
        assert_eq!(stored.iter().filter(is_marked).count(), if is_cut { stored.len() } else { 0 });
        let asked = stack.providers.polygon().journal().calls();
        let limits: Vec<_> = asked.iter().map(|call| call.body["limit"].clone()).collect();
        assert_eq!(limits, [Value::Null, 100.into()][..calls], "{articles}");
        assert_eq!(list(&stack.db, RAW_LOGS).await.len(), calls, "each call has its raw log");
    }
}
