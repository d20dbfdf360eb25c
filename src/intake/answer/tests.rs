use serde_json::json;

use super::*;
use crate::catalogue::find_dataset;

fn read(dataset: &str, asked: &[&str], body: &Json) -> Intake {
    read_text(dataset, asked, body.to_string().as_bytes())
}

fn read_text(dataset: &str, asked: &[&str], body: &[u8]) -> Intake {
    read_asked(dataset, asked, body, "s", Asked::default())
}

fn read_asked(dataset: &str, asked: &[&str], body: &[u8], source: &'static str, of: Asked<'_>) -> Intake {
    let config = crate::settings::tests::parse(&[]).unwrap();
    let context = Context {
        collections: &config.collections,
        source,
        run_id: "r",
        now: "2023-11-14T22:20:00Z".parse().unwrap(),
        calendar: &config.ticks.calendar,
        tick: "2023-11-14T22:20:00Z".parse().unwrap(),
        asked: of,
    };
    let asked: Vec<_> = asked.iter().map(|ticker| Ticker::parse(ticker).unwrap()).collect();
    let dataset = find_dataset(dataset).unwrap();
    take_in(&Envelope::parse(body).unwrap(), dataset, &asked, &context).unwrap()
}

fn succeeded(intake: &Intake) -> Vec<&str> {
    intake.succeeded.iter().map(Ticker::as_str).collect()
}

fn failed(intake: &Intake) -> Vec<(&str, &str)> {
    intake.failed.iter().map(|(ticker, reason)| (ticker.as_str(), reason.as_str())).collect()
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
    let intake = read("quotes", &["A", "B", "C", "D", "E"], &body);
    assert_eq!(succeeded(&intake), ["A"]);
    let expect = [
        ("B", "Invalid symbol"),
        ("D", "Failed: D (unknown symbol)"),
        ("E", "the provider's response has no entry for it"),
    ];
    assert_eq!(failed(&intake), expect);
    let empty = Lacking {
        ticker: Ticker::parse("C").unwrap(),
        outcome: Outcome::Empty,
        reason: "the provider returned no records for it".to_owned(),
    };
    assert_eq!(intake.lacking, [empty]);
    assert_eq!(intake.remarks, ["response has an entry for Z, which was not requested", "slow today"]);
    assert_eq!(intake.rejected[0].reasons, ["entry has no ticker"]);
    assert_eq!(intake.records.len(), 2);
}

/// Prices of these days, the last of which is a Monday.
fn prices(ticker: &str, days: &[&str]) -> Json {
    let price =
        |day: &&str| json!({"date": day, "open": 1.5, "high": 2, "low": 1, "close": 1.5, "volume": 1});
    json!({"ticker": ticker, "data": days.iter().map(price).collect::<Vec<_>>()})
}

#[test]
fn a_ticker_without_the_record_that_is_due_is_empty_or_stale() {
    let body = json!({"status": "ok", "data": [
        prices("A", &["2023-11-10", "2023-11-13"]),
        prices("B", &["2023-11-09", "2023-11-10"]),
        prices("C", &[]),
        // Its only current record is on a Sunday, which cannot be.
        prices("D", &["2023-11-10", "2023-11-12"]),
        prices("E", &["2023-11-12"]),
    ]});
    let intake = read("daily_prices", &["A", "B", "C", "D", "E"], &body);
    assert_eq!(succeeded(&intake), ["A"]);
    let lacking: Vec<_> =
        intake.lacking.iter().map(|lacking| (lacking.ticker.as_str(), lacking.outcome)).collect();
    assert_eq!(lacking, [("B", Outcome::Stale), ("C", Outcome::Empty), ("D", Outcome::Stale)]);
    assert_eq!(intake.lacking[0].reason, "newest record is dated 2023-11-10; expected 2023-11-13");
    let reason = "all 1 records were rejected: date must be a trading day, not 2023-11-12 (Sunday)";
    assert_eq!(failed(&intake), [("E", reason)]);
    assert_eq!((intake.records.len(), intake.rejected.len()), (5, 2));
    assert_eq!(intake.stale_flagged, 1, "one repeats the day before");
}

#[test]
fn doubtful_records_are_stored_and_counted() {
    let mut body = json!({"status": "ok", "data": [prices("A", &["2023-11-10", "2023-11-13"])]});
    body["data"][0]["data"][1]["close"] = json!(3);
    let intake = read("daily_prices", &["A"], &body);
    let flagged = intake.records.iter().filter(|record| quality::is_flagged(record)).count();
    assert_eq!((succeeded(&intake), intake.records.len(), flagged), (vec!["A"], 2, 1));
}

#[test]
fn a_ticker_without_news_has_succeeded() {
    let body = json!({"status": "ok", "data": [{"ticker": "A", "data": [], "count": 0}]});
    assert_eq!(succeeded(&read("finnhub_news", &["A"], &body)), ["A"]);
}

#[test]
fn one_broken_record_costs_itself_and_all_broken_the_ticker() {
    let good = json!({"article_id": "f_1", "headline": "H"});
    let body = json!({"status": "ok", "data": [
        {"ticker": "A", "data": [good, {"summary": "no id"}]},
        {"ticker": "B", "data": [{"summary": "no id"}]},
    ]});
    let intake = read("finnhub_news", &["A", "B"], &body);
    assert_eq!(succeeded(&intake), ["A"]);
    let reason = "all 1 records were rejected: article_id is missing, and so are url, headline, datetime";
    assert_eq!(failed(&intake), [("B", reason)]);
    assert_eq!((intake.records.len(), intake.rejected.len()), (1, 2));
}

#[test]
fn an_indicator_that_fails_costs_no_ticker_unless_all_do() {
    let mut good = indicators(&[]);
    let premium = json!({"Information": "This is a premium endpoint."});
    good["data"]["SMA"] = json!({"error": "limit reached"});
    good["data"]["MACD"] = json!({"data": premium});
    let body = json!({"status": "ok", "data": [
        good,
        {"ticker": "B", "data": {"RSI": {"error": "limit reached"}, "SMA": {"error": "limit reached"}}},
    ]});
    let intake = read("technical_indicators", &["A", "B"], &body);
    assert_eq!(succeeded(&intake), ["A"]);
    assert_eq!(failed(&intake), [("B", "RSI: limit reached; SMA: limit reached")]);
    assert_eq!(intake.records.len(), 5);
    let reasons: Vec<_> = intake.rejected.iter().flat_map(|rejected| &rejected.reasons).collect();
    assert_eq!(reasons, ["MACD: Information: This is a premium endpoint.", "SMA: limit reached"]);
    assert_eq!(intake.rejected[1].record, r#"{"SMA":{"error":"limit reached"}}"#);
    let remarks = ["A: MACD: Information: This is a premium endpoint.", "A: SMA: limit reached"];
    assert_eq!(intake.remarks, remarks);
}

#[test]
fn words_in_the_place_of_data_are_the_tickers_error() {
    let words = "We have a limit of 25 requests per day.";
    for (dataset, key, data) in [
        ("technical_indicators", "Information: ", json!({"Information": words})),
        ("technical_indicators", "", json!(words)),
        ("daily_prices", "Note: ", json!({"Note": words})),
        ("quotes", "detail: ", json!({"detail": words})),
        ("fundamentals", "", json!({"error": words})),
        ("finnhub_news", "", json!(words)),
    ] {
        let body = json!({"status": "ok", "data": [{"ticker": "A", "data": data}]});
        let intake = read(dataset, &["A"], &body);
        assert_eq!(failed(&intake), [("A", format!("{key}{words}").as_str())], "{data}");
        assert!(intake.rejected.is_empty());
    }
    // A record may have a message beside its data.
    let body = json!({"status": "ok", "data": [
        {"ticker": "A", "data": {"current_price": 1, "timestamp": 1_700_000_000, "message": "delayed"}},
    ]});
    assert_eq!(succeeded(&read("quotes", &["A"], &body)), ["A"]);
}

#[test]
fn an_odd_record_is_kept_raw_under_its_ticker_beside_the_others() {
    let deep = ["{\"a\":".repeat(140), "1".to_owned(), "}".repeat(140)].concat();
    let odd = format!(r#"{{"article_id":"f_2","extra":{deep}}}"#);
    let body = format!(
        r#"{{"status":"ok","data":[
            {{"ticker":"A","data":[{{"article_id":"f_1"}},{odd}],"count":2}},
            {{"ticker":"B","data":[{odd}]}},
            {{"ticker":"C","data":[{{"article_id":"f_3"}}]}}]}}"#
    );
    let intake = read_text("finnhub_news", &["A", "B", "C"], body.as_bytes());
    assert_eq!(succeeded(&intake), ["A", "C"]);
    let reason = "cannot be read: it is nested more than 127 levels deep";
    assert_eq!(failed(&intake), [("B", format!("all 1 records were rejected: {reason}").as_str())]);
    assert_eq!((intake.records.len(), intake.rejected.len()), (2, 2));
    let kept = &intake.rejected[0];
    assert_eq!(
        (kept.ticker.as_deref(), kept.reasons.as_slice()),
        (Some("A"), [reason.to_owned()].as_slice())
    );
    assert_eq!(kept.record, odd);
}

#[test]
fn text_that_is_no_text_costs_its_record_and_the_answer_is_read() {
    let body = b"\xef\xbb\xbf{\"status\":\"ok\",\"data\":[
        {\"ticker\":\"A\",\"data\":{\"current_price\":1,\"timestamp\":1700000000}},
        {\"ticker\":\"B\",\"data\":{\"current_price\":1,\"timestamp\":1700000000,\"x\":\"\xff\"}},
        {\"ticker\":\"\xff\",\"data\":{}}]}";
    let intake = read_text("quotes", &["A", "B"], body);
    assert_eq!(succeeded(&intake), ["A"]);
    assert_eq!(
        failed(&intake)[0].1,
        "all 1 records were rejected: cannot be read: it has bytes that are not UTF-8"
    );
    assert_eq!(intake.rejected.len(), 2);
}

#[test]
fn what_is_counted_is_what_is_stored() {
    let article = |url: &str| json!({"article_id": "finnhub_None", "headline": "H", "url": url});
    let body = json!({"status": "ok", "data": [
        {"ticker": "A", "data": [article("u1"), article("u2"), article("u3"), article("u1"), null, null]},
    ]});
    let intake = read("finnhub_news", &["A"], &body);
    assert_eq!((intake.records.len(), intake.rejected.len()), (3, 1));
    assert!(
        intake.remarks[0].starts_with("duplicate records, each stored once: 1, for example news_articles/")
    );
    assert_eq!(intake.remarks[1], "duplicate rejected records, each kept once: 1");
}

#[test]
fn market_news_needs_no_ticker() {
    let body = json!({"status": "ok", "data": [
        {"ticker": null, "article_id": "polygon_market_1", "title": "T"},
        {"ticker": null, "error": "page 2 failed"},
    ]});
    let intake = read("market_news", &[], &body);
    assert_eq!(
        (intake.records.len(), intake.remarks.as_slice()),
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
    let intake = read("quotes", &["BACPL", "BACpL", "IC MARKETS:1"], &body);
    assert_eq!(succeeded(&intake), ["BACpL"]);
    let missing = ("IC MARKETS:1", "the provider's response has no entry for it");
    assert_eq!(failed(&intake), [("BACPL", "unknown"), missing]);
}

#[test]
fn an_answer_of_too_many_records_is_not_taken_in() {
    let config = crate::settings::tests::parse(&[]).unwrap();
    let context = Context {
        collections: &config.collections,
        source: "s",
        run_id: "r",
        now: "2023-11-14T22:20:00Z".parse().unwrap(),
        calendar: &config.ticks.calendar,
        tick: "2023-11-14T22:20:00Z".parse().unwrap(),
        asked: Asked::default(),
    };
    let asked = [Ticker::parse("A").unwrap()];
    let list = |records: usize| json!({"ticker": "A", "data": vec![0; records]});
    for (entries, fits) in [
        (vec![list(RECORDS_MAX)], true),
        (vec![list(RECORDS_MAX), json!(null)], false),
        (vec![list(RECORDS_MAX + 1)], false),
        (vec![json!(0); RECORDS_MAX + 1], false),
        (vec![json!("NaN"); RECORDS_MAX], true),
        (vec![json!("NaN"); RECORDS_MAX + 1], false),
        (vec![json!({"ticker": "A", "data": vec!["NaN"; RECORDS_MAX]})], true),
        (vec![json!({"ticker": "A", "data": vec!["NaN"; RECORDS_MAX + 1]})], false),
    ] {
        // What stands for itself is refused by the parser.
        let body = json!({"status": "ok", "data": entries}).to_string().replace("\"NaN\"", "NaN");
        let envelope = Envelope::parse(body.as_bytes()).unwrap();
        let got = take_in(&envelope, find_dataset("daily_prices").unwrap(), &asked, &context).map(drop);
        let expect =
            if fits { Ok(()) } else { Err("response has too many records: limit 100000".to_owned()) };
        assert_eq!(got, expect);
    }
}

#[test]
fn a_reason_of_a_megabyte_is_told_in_its_beginning() {
    let body = json!({"status": "ok", "data": [{"ticker": "A", "error": "x".repeat(1 << 20)}]});
    let intake = read("quotes", &["A"], &body);
    assert!(intake.failed[0].1.chars().count() < 400);
}

/// All indicators of a ticker, of the expected session but for these.
fn indicators(other: &[(&str, Option<&str>)]) -> Json {
    let names = ["SMA", "EMA", "RSI", "MACD", "BBANDS", "STOCH", "ADX"];
    let mut data = serde_json::Map::new();
    for name in names {
        let date =
            other.iter().find(|(known, _)| *known == name).map_or(Some("2023-11-13"), |(_, date)| *date);
        if let Some(date) = date {
            data.insert(name.to_owned(), json!({"data": {"date": date, "value": 1}}));
        }
    }
    json!({"ticker": "A", "data": data})
}

fn lacking(intake: &Intake) -> Vec<(Outcome, &str)> {
    intake.lacking.iter().map(|lacking| (lacking.outcome, lacking.reason.as_str())).collect()
}

#[test]
fn one_indicator_that_is_outdated_or_missing_makes_its_ticker_stale() {
    let of = |entry: Json| read("technical_indicators", &["A"], &json!({"status": "ok", "data": [entry]}));
    assert_eq!(succeeded(&of(indicators(&[]))), ["A"]);
    let old = of(indicators(&[("RSI", Some("2023-11-10"))]));
    assert_eq!(lacking(&old), [(Outcome::Stale, "no record of 2023-11-13 for RSI (2023-11-10)")]);
    assert_eq!(old.records.len(), 7, "all are stored");
    let both = of(indicators(&[("ADX", None), ("EMA", Some("2023-11-09 16:00:00"))]));
    let reason = "no record of 2023-11-13 for EMA (2023-11-09), ADX (no record)";
    assert_eq!(lacking(&both), [(Outcome::Stale, reason)]);
    let newer = of(indicators(&[("SMA", Some("2023-11-14"))]));
    assert_eq!(succeeded(&newer), ["A"]);
    // What was rejected, or has failed, is told in another way.
    let mut rejected = indicators(&[]);
    rejected["data"]["SMA"] = json!({"data": {"date": "never", "value": 1}});
    rejected["data"]["EMA"] = json!({"error": "no such function"});
    let rejected = of(rejected);
    assert_eq!((succeeded(&rejected), rejected.rejected.len()), (vec!["A"], 2));
    assert_eq!(lacking(&of(json!({"ticker": "A", "data": {}})))[0].0, Outcome::Empty);
}

#[test]
fn what_an_answer_before_lacked_is_not_forgotten_when_the_other_parts_come() {
    let read = |entry: Json, asked: Asked<'_>| {
        let body = json!({"status": "ok", "data": [entry]}).to_string();
        read_asked("technical_indicators", &["A"], body.as_bytes(), "alphavantage", asked)
    };
    let mut first = indicators(&[("RSI", Some("2023-11-10"))]);
    first["data"]["ADX"] = json!({"error": "Per-minute rate limit (5) exceeded"});
    let first = read(first, Asked::default());
    let partly = &first.partly[0];
    assert_eq!(
        (partly.parts.join(","), partly.outdated.join(",")),
        ("ADX".into(), "RSI (2023-11-10)".into())
    );
    let rest = Asked { parts: &partly.parts, outdated: &partly.outdated, ..Asked::default() };
    let adx = |date: &str| json!({"ticker": "A", "data": {"ADX": {"data": {"date": date, "value": 1}}}});
    assert_eq!(
        lacking(&read(adx("2023-11-13"), rest)),
        [(Outcome::Stale, "no record of 2023-11-13 for RSI (2023-11-10)")]
    );
    let only = Asked { outdated: &[], ..rest };
    assert_eq!(succeeded(&read(adx("2023-11-13"), only)), ["A"], "the other parts were answered before");
    assert_eq!(
        lacking(&read(json!({"ticker": "A", "data": {}}), only)),
        [(Outcome::Stale, "no record of 2023-11-13 for ADX (no record)")]
    );
}
