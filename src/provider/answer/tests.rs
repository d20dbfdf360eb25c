use serde_json::json;

use super::*;

fn read(dataset: Dataset, asked: &[&str], body: &Json) -> Harvest {
    let config = crate::config::tests::parse(&[]).unwrap();
    let context = Context {
        collections: &config.collections,
        source: "s",
        run_id: "r",
        now: chrono::DateTime::UNIX_EPOCH,
    };
    let asked: Vec<_> = asked.iter().map(|ticker| Ticker::parse(ticker).unwrap()).collect();
    let body = body.to_string();
    let envelope = Envelope::parse(body.as_bytes()).unwrap();
    harvest(&envelope, dataset, &asked, &context).unwrap()
}

fn succeeded(harvest: &Harvest) -> Vec<&str> {
    harvest.succeeded.iter().map(Ticker::as_str).collect()
}

fn failed(harvest: &Harvest) -> Vec<(&str, &str)> {
    harvest.failed.iter().map(|(ticker, reason)| (ticker.as_str(), reason.as_str())).collect()
}

fn quote(ticker: &str) -> Json {
    json!({"ticker": ticker, "data": {"current_price": 1.5, "timestamp": 1_700_000_000}})
}

#[test]
fn every_ticker_asked_for_is_accounted_for() {
    let body = json!({"status": "ok", "errors": ["Failed: D (unknown symbol)", "slow today"], "data": [
        quote("A"),
        {"ticker": "B", "error": "Invalid symbol", "data": null},
        {"ticker": "C", "data": null},
        null,
        quote("Z"),
    ]});
    let harvest = read(Dataset::Quotes, &["A", "B", "C", "D", "E"], &body);
    assert_eq!(succeeded(&harvest), ["A"]);
    let expect = [
        ("B", "Invalid symbol"),
        ("C", "the provider's entry has no data and gives no reason"),
        ("D", "Failed: D (unknown symbol)"),
        ("E", "the provider's answer has no entry for it"),
    ];
    assert_eq!(failed(&harvest), expect);
    assert_eq!(harvest.remarks, ["answer has an entry for Z, which was not asked for", "slow today"]);
    assert_eq!(harvest.rejected[0].reasons, ["entry names no ticker"]);
    assert_eq!(harvest.records.len(), 2);
}

#[test]
fn a_ticker_without_news_has_succeeded() {
    let body = json!({"status": "ok", "data": [{"ticker": "A", "data": [], "count": 0}]});
    assert_eq!(succeeded(&read(Dataset::FinnhubNews, &["A"], &body)), ["A"]);
}

#[test]
fn one_broken_record_costs_itself_and_all_broken_the_ticker() {
    let good = json!({"article_id": "f_1", "headline": "H"});
    let body = json!({"status": "ok", "data": [
        {"ticker": "A", "data": [good, {"headline": "no id"}]},
        {"ticker": "B", "data": [{"headline": "no id"}]},
    ]});
    let harvest = read(Dataset::FinnhubNews, &["A", "B"], &body);
    assert_eq!(succeeded(&harvest), ["A"]);
    assert_eq!(failed(&harvest), [("B", "all 1 records break their schema")]);
    assert_eq!((harvest.records.len(), harvest.rejected.len()), (1, 2));
}

#[test]
fn a_failed_indicator_is_named_and_the_others_are_stored() {
    let good = json!({"data": {"date": "2026-11-20", "value": 1.5}});
    let body = json!({"status": "ok", "data": [
        {"ticker": "A", "data": {"RSI": good, "SMA": {"error": "limit reached"}}},
    ]});
    let harvest = read(Dataset::TechnicalIndicators, &["A"], &body);
    assert_eq!(failed(&harvest), [("A", "SMA: limit reached")]);
    assert_eq!(harvest.records.len(), 1);
}

#[test]
fn market_news_needs_no_ticker() {
    let body = json!({"status": "ok", "data": [
        {"ticker": null, "article_id": "polygon_market_1", "title": "T"},
        {"ticker": null, "error": "page 2 failed"},
    ]});
    let harvest = read(Dataset::MarketNews, &[], &body);
    assert_eq!(
        (harvest.records.len(), harvest.remarks.as_slice()),
        (1, ["page 2 failed".to_owned()].as_slice())
    );
}

#[test]
fn a_remark_names_a_ticker_only_as_a_word() {
    for (symbol, remark, expected) in [
        ("F", "Failed: F", true),
        ("F", "F: not found.", true),
        ("F", "no data for F.", true),
        ("F", "Failed: F...", true),
        ("F", "Failed: FB", false),
        ("F", "Failed: F.B", false),
        ("F", "Failed: BRK-F", false),
        ("F", "Failed: f", false),
        ("M", "Failed: M&M.NS", false),
        ("M&M.NS", "Failed: M&M.NS", true),
        ("BACpL", "Failed: BACPL", false),
        ("BAC$L", "(BAC$L)", true),
        ("IC MARKETS:1", "Failed: IC MARKETS:1, IC MARKETS:2", true),
        ("IC MARKETS:1", "Failed: IC MARKETS:12", false),
    ] {
        assert_eq!(names(remark, &Ticker::parse(symbol).unwrap()), expected, "{symbol} in {remark}");
    }
}

#[test]
fn symbols_that_differ_in_case_are_two() {
    let body = json!({"status": "ok", "data": [quote("BACpL"), {"ticker": "BACPL", "error": "unknown", "data": null}]});
    let harvest = read(Dataset::Quotes, &["BACPL", "BACpL", "IC MARKETS:1"], &body);
    assert_eq!(succeeded(&harvest), ["BACpL"]);
    let missing = ("IC MARKETS:1", "the provider's answer has no entry for it");
    assert_eq!(failed(&harvest), [("BACPL", "unknown"), missing]);
}

#[test]
fn an_answer_of_too_many_records_is_not_taken_in() {
    let config = crate::config::tests::parse(&[]).unwrap();
    let context = Context {
        collections: &config.collections,
        source: "s",
        run_id: "r",
        now: chrono::DateTime::UNIX_EPOCH,
    };
    let asked = [Ticker::parse("A").unwrap()];
    let list = |records: usize| json!({"ticker": "A", "data": vec![0; records]});
    for (entries, fits) in [
        (vec![list(RECORDS_MAX)], true),
        (vec![list(RECORDS_MAX), json!(null)], false),
        (vec![list(RECORDS_MAX + 1)], false),
        (vec![json!(0); RECORDS_MAX + 1], false),
    ] {
        let body = json!({"status": "ok", "data": entries}).to_string();
        let envelope = Envelope::parse(body.as_bytes()).unwrap();
        let got = harvest(&envelope, Dataset::DailyPrices, &asked, &context).map(drop);
        let expect =
            if fits { Ok(()) } else { Err("answer has too many records: more than 100000".to_owned()) };
        assert_eq!(got, expect);
    }
}

#[test]
fn a_reason_of_a_megabyte_is_told_in_its_beginning() {
    let body = json!({"status": "ok", "data": [{"ticker": "A", "error": "x".repeat(1 << 20)}]});
    let harvest = read(Dataset::Quotes, &["A"], &body);
    assert!(harvest.failed[0].1.chars().count() < 400);
}
