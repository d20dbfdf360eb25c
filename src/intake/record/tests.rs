use serde_json::json;

use super::*;
use crate::catalogue::find_dataset;
use crate::firestore::{Fields, Value};

/// The record built from an entry's data, as the fields it is stored with, or the reasons against it.
fn build_one(dataset: &str, ticker: Option<&str>, data: Json) -> Result<(String, Fields), Vec<String>> {
    let config = crate::settings::tests::parse(&[]).unwrap();
    let context = Context {
        collections: &config.collections,
        source: "tiingo",
        run_id: "r",
        now: "2026-11-23T10:00:00Z".parse().unwrap(),
        calendar: &config.ticks.calendar,
        tick: "2026-11-23T10:00:00Z".parse().unwrap(),
        asked: Asked::default(),
    };
    let ticker = ticker.map(|ticker| Ticker::parse(ticker).unwrap());
    let mut found = extract(find_dataset(dataset).unwrap(), ticker.as_ref(), data, &context);
    match (found.records.pop(), found.rejected.pop()) {
        (Some(write), None) => Ok((write.document.to_string(), write.fields)),
        (None, Some(rejected)) => Err(rejected.reasons),
        other => panic!("{other:?}"),
    }
}

fn price() -> Json {
    json!({"ticker": "AAPL", "date": "2026-11-20", "open": 1, "high": 2.5, "low": 1.0, "close": 2.0, "volume": 100})
}

fn with(mut record: Json, name: &str, value: Json) -> Json {
    record[name] = value;
    record
}

#[test]
fn a_price_is_stored_with_its_numbers_kinds_and_its_origin() {
    let (document, fields) = build_one("daily_prices", Some("AAPL"), json!([price()])).unwrap();
    assert_eq!(document, "prices_daily/AAPL_2026-11-20");
    assert_eq!(fields["open"], Value::Integer(1));
    assert_eq!(fields["low"], Value::Double(1.0));
    assert_eq!(fields["date"], Value::string("2026-11-20"));
    assert_eq!(fields["ingested_at"], Value::string("2026-11-23T10:00:00.000Z"));
    assert_eq!(fields["source"], Value::string("tiingo"));
    assert_eq!(fields["schema_version"], Value::Integer(1));
    assert_eq!(fields["run_id"], Value::string("r"));
}

#[test]
fn what_the_provider_says_of_the_origin_is_kept() {
    let record =
        with(with(price(), "ingested_at", json!("2026-11-20T22:00:00Z")), "source", json!("tiingo-iex"));
    let (_, fields) = build_one("daily_prices", Some("AAPL"), json!([record])).unwrap();
    assert_eq!(fields["ingested_at"], Value::string("2026-11-20T22:00:00Z"));
    assert_eq!(fields["source"], Value::string("tiingo-iex"));
}

#[test]
fn every_broken_field_is_named_with_its_value() {
    let record = json!({"ticker": "MSFT", "date": "2026-02-30", "open": "1", "high": null, "low": 1, "close": 1, "volume": 1});
    let reasons = build_one("daily_prices", Some("AAPL"), json!([record])).unwrap_err();
    let expect = [
        "ticker is `MSFT` in the entry for `AAPL`",
        "date must be a date such as 2026-01-31, not \"2026-02-30\"",
        "open must be a number, not \"1\"",
        "high is missing",
    ];
    assert_eq!(reasons, expect);
}

#[test]
fn a_record_that_is_no_map_and_data_that_is_no_list_are_rejected() {
    assert_eq!(
        build_one("daily_prices", Some("A"), json!([null])).unwrap_err(),
        ["the record is not an object"]
    );
    assert_eq!(build_one("daily_prices", Some("A"), json!({})).unwrap_err(), ["data is not a list"]);
}

#[test]
fn fields_that_firestore_refuses_are_kept_as_text() {
    let record = with(with(price(), "matrix", json!([[1]])), "__x__", json!(2));
    let record = with(with(record, "", json!(3)), "note", json!("kept"));
    let (_, fields) = build_one("daily_prices", Some("AAPL"), json!([record])).unwrap();
    assert_eq!(fields["note"], Value::string("kept"));
    let kept: Json = serde_json::from_str(fields[EXTRA_FIELD].as_str().unwrap()).unwrap();
    assert_eq!(kept, json!({"matrix": [[1]], "__x__": 2, "": 3}));
}

#[test]
fn a_record_too_big_for_a_document_is_rejected() {
    let record = with(price(), "note", json!("x".repeat(1_100_000)));
    let reasons = build_one("daily_prices", Some("AAPL"), json!([record])).unwrap_err();
    assert!(reasons[0].starts_with("too large for a document: 110"), "{reasons:?}");
}

#[test]
fn a_quote_is_named_by_its_own_time() {
    let quote = json!({"current_price": 190.5, "timestamp": 1_700_000_000});
    let (document, _) = build_one("quotes", Some("BRK/B"), quote.clone()).unwrap();
    assert_eq!(document, "prices_intraday/BRK%2FB_2023-11-14T22:13:20");
    for (sent, seconds) in [
        (json!(1_700_000_000_123_i64), 1_700_000_000),
        (json!(1_700_000_000_123_456_i64), 1_700_000_000),
        (json!(1_700_000_000_123_456_789_i64), 1_700_000_000),
        (json!(1.7e12), 1_700_000_000),
    ] {
        let (id, fields) = build_one("quotes", Some("X"), with(quote.clone(), "timestamp", sent)).unwrap();
        assert_eq!(id, "prices_intraday/X_2023-11-14T22:13:20");
        assert_eq!(fields["timestamp"], Value::Integer(seconds));
    }
    let reasons = build_one("quotes", Some("X"), with(quote, "timestamp", json!(0))).unwrap_err();
    assert_eq!(reasons, ["timestamp must be a positive Unix time in seconds or milliseconds, not 0"]);
}

#[test]
fn an_article_needs_no_headline_and_no_time() {
    for article in [
        json!({"article_id": "finnhub_7", "headline": null, "datetime": 0, "image": null, "related": null}),
        json!({"article_id": "finnhub_7", "url": ""}),
    ] {
        let (id, fields) = build_one("finnhub_news", Some("A"), json!([article])).unwrap();
        assert_eq!(id, "news_articles/A_finnhub_7");
        assert_eq!(fields.get("datetime"), article.get("datetime").map(|_| &Value::Integer(0)));
    }
    let polygon = json!([{"article_id": "polygon_7", "title": null, "keywords": null}]);
    assert_eq!(build_one("polygon_news", Some("A"), polygon).unwrap().0, "news_articles/A_polygon_7");
    let market = json!({"article_id": "polygon_market_None", "title": "T"});
    let (id, fields) = build_one("market_news", None, market).unwrap();
    let article_id = fields["article_id"].as_str().unwrap();
    assert!(article_id.starts_with("polygon_market_hash_"), "{article_id}");
    assert_eq!(id, format!("news_articles/market_{article_id}"));
}

#[test]
fn whole_numbers_of_any_size_are_stored() {
    for (sent, stored) in [
        ("9223372036854775807", Value::Integer(i64::MAX)),
        ("9223372036854775808", Value::Double(9_223_372_036_854_775_808.0)),
    ] {
        let number: Json = serde_json::from_str(sent).unwrap();
        let record = with(with(price(), "volume", number.clone()), "note", json!({"n": [number]}));
        let (_, fields) = build_one("daily_prices", Some("AAPL"), json!([record])).unwrap();
        assert_eq!(fields["volume"], stored);
    }
}

#[test]
fn articles_are_named_by_ticker_or_market() {
    let finnhub = json!([{"article_id": "finnhub_7", "headline": "H"}]);
    assert_eq!(build_one("finnhub_news", Some("A"), finnhub).unwrap().0, "news_articles/A_finnhub_7");
    let polygon = json!([{"article_id": "polygon_a/b", "title": "T", "tickers": ["A"], "keywords": []}]);
    assert_eq!(build_one("polygon_news", Some("A"), polygon).unwrap().0, "news_articles/A_polygon_a%2Fb");
    let market = json!({"ticker": null, "article_id": "polygon_market_9", "title": "T"});
    let (document, fields) = build_one("market_news", None, market).unwrap();
    assert_eq!(
        (document.as_str(), &fields["ticker"]),
        ("news_articles/market_polygon_market_9", &Value::NULL)
    );
}

#[test]
fn fundamentals_and_earnings_may_lack_numbers_but_not_their_date() {
    let (document, fields) =
        build_one("fundamentals", Some("A"), json!({"report_date": "2024-Q4", "pe_ratio": null})).unwrap();
    assert_eq!((document.as_str(), &fields["pe_ratio"]), ("fundamentals/A_2024-Q4", &Value::NULL));
    let reasons = build_one("earnings", Some("A"), json!([{"quarter": 1.5}])).unwrap_err();
    assert_eq!(reasons, ["earnings_date is missing", "quarter must be a whole number, not 1.5"]);
}

#[test]
fn an_indicators_date_and_value_are_found_one_level_down_or_at_the_top() {
    let nested = json!({"RSI": {
        "ticker": "A", "indicator": "RSI", "interval": "daily", "parameters": {"time_period": 14},
        "data": {"date": "2026-11-20", "value": 55.5, "raw_data": {"a": [[1]]}},
    }});
    let (document, fields) = build_one("technical_indicators", Some("A"), nested).unwrap();
    assert_eq!(document, "technical_indicators/A_RSI_2026-11-20");
    assert_eq!(fields["value"], Value::Double(55.5));
    assert_eq!(fields["raw_data"], Value::string(r#"{"a":[[1]]}"#));
    assert_eq!(fields["parameters"], Value::map([("time_period", Value::Integer(14))]));

    let open = json!({"RSI": {"data": {"date": "2026-03-02 12:08:22", "value": 1}}});
    let (document, fields) = build_one("technical_indicators", Some("A"), open).unwrap();
    assert_eq!(document, "technical_indicators/A_RSI_2026-03-02");
    assert_eq!(fields["date"], Value::string("2026-03-02 12:08:22"));

    let minutes = json!({"RSI": {"interval": "5min", "data": {"date": "2026-03-02 12:05", "value": 1}}});
    let (document, _) = build_one("technical_indicators", Some("A"), minutes).unwrap();
    assert_eq!(document, "technical_indicators/A_RSI_2026-03-02 12:05");
    for date in ["2026-03-02 25:08:22", "2026-03-02x", "2026-03-02 ", "2026-02-30 12:08:22", "2026-3-2", "é"]
    {
        let odd = json!({"RSI": {"data": {"date": date, "value": 1}}});
        assert!(build_one("technical_indicators", Some("A"), odd).is_err(), "{date}");
    }

    let own = json!({"SMA_20": {"indicator": "SMA", "data": {"date": "2026-03-02", "value": 1}}});
    let (document, fields) = build_one("technical_indicators", Some("A"), own).unwrap();
    assert_eq!(document, "technical_indicators/A_SMA_20_2026-03-02", "two of one kind have two documents");
    assert_eq!(fields["indicator_reported"], Value::string("SMA"));

    let top = json!({"MACD": {"date": "2026-11-20", "value": {"MACD": 1.5, "Signal": -1}}});
    let (document, fields) = build_one("technical_indicators", Some("A"), top).unwrap();
    assert_eq!(document, "technical_indicators/A_MACD_2026-11-20");
    assert_eq!(fields["value"], Value::map([("MACD", Value::Double(1.5)), ("Signal", Value::Integer(-1))]));
}
