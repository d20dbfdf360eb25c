use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::catalogue::find_dataset;
use crate::intake::record::{Asked, Context, extract};

/// What a list of records of one ticker becomes: documents with a field, rejected records' reasons, repetitions.
fn settled(dataset: &str, records: Json, field: &str) -> (Vec<(String, Json)>, Vec<String>, usize) {
    let config = crate::settings::tests::parse(&[]).unwrap();
    let context = Context {
        collections: &config.collections,
        source: "s",
        run_id: "r",
        now: "2026-11-23T10:00:00Z".parse().unwrap(),
        calendar: &config.ticks.calendar,
        tick: "2026-11-23T10:00:00Z".parse().unwrap(),
        asked: Asked::default(),
    };
    let dataset = find_dataset(dataset).unwrap();
    let found = extract(dataset, Some(&Ticker::parse("A").unwrap()), records, &context);
    assert!(found.rejected.is_empty(), "{:?}", found.rejected);
    let settled = settle(dataset, found.records);
    let value = |write: &Write| plain(write.fields.get(field).cloned().unwrap_or(Value::NULL));
    let mut stored: Vec<_> =
        settled.records.iter().map(|write| (write.document.id().to_owned(), value(write))).collect();
    stored.sort_by(|a, b| a.0.cmp(&b.0));
    let rejected = settled.rejected.into_iter().flat_map(|rejected| rejected.reasons).collect();
    (stored, rejected, settled.repeated.map_or(0, |(times, _)| times))
}

fn price(date: &str, close: f64) -> Json {
    json!({"date": date, "open": 1, "high": 1, "low": 1, "close": close, "volume": 1})
}

#[test]
fn articles_without_an_id_are_as_many_documents() {
    let article =
        |url: &str| json!({"article_id": "finnhub_None", "headline": "H", "url": url, "datetime": 0});
    let records = json!([article("u1"), article("u2"), article("u3")]);
    let (stored, rejected, repeated) = settled("finnhub_news", records.clone(), "url");
    assert_eq!((stored.len(), rejected.len(), repeated), (3, 0, 0), "{stored:?}");
    assert!(stored.iter().all(|(id, _)| id.starts_with("A_finnhub_hash_")));
    assert_eq!(settled("finnhub_news", records, "url").0, stored, "the same in every run");
}

#[test]
fn different_articles_of_one_id_are_documents_of_their_own_in_any_order() {
    let article =
        |id: &str, headline: &str| json!({"article_id": id, "headline": headline, "ingested_at": headline});
    let (one, two, other) =
        (article("finnhub_7", "one"), article("finnhub_7", "two"), article("finnhub_8", "x"));
    let (stored, rejected, _) = settled("finnhub_news", json!([one, other, two]), "headline");
    assert_eq!((stored.len(), rejected.len()), (3, 0));
    assert_eq!(stored[0].0, "A_finnhub_7");
    assert!(stored[1].0.starts_with("A_finnhub_7_") && stored[1].0.len() == 11 + 33, "{stored:?}");
    assert_eq!(settled("finnhub_news", json!([two, one, other]), "headline").0, stored);
}

#[test]
fn the_same_record_twice_is_one_document_and_no_loss() {
    let article = |time: &str| json!({"article_id": "finnhub_7", "headline": "H", "ingested_at": time});
    let records = json!([article("10:00"), article("10:01"), article("10:02")]);
    let (stored, rejected, repeated) = settled("finnhub_news", records, "ingested_at");
    assert_eq!((stored, rejected, repeated), (vec![("A_finnhub_7".into(), json!("10:02"))], vec![], 2));
}

#[test]
fn two_prices_of_one_day_are_the_last_one_and_a_named_loss() {
    let records = json!([price("2026-01-30", 1.0), price("2026-01-29", 5.0), price("2026-01-30", 2.0)]);
    let (stored, rejected, _) = settled("daily_prices", records, "close");
    assert_eq!(stored, [("A_2026-01-29".into(), json!(5.0)), ("A_2026-01-30".into(), json!(2.0))]);
    assert_eq!(rejected, ["another record in the same response is stored as prices_daily/A_2026-01-30"]);
}

#[test]
fn two_quarters_told_on_one_day_are_kept_apart() {
    let earning = |quarter: i64, eps: f64| json!({"earnings_date": "2026-01-30", "year": 2025, "quarter": quarter, "eps_actual": eps});
    let (stored, rejected, _) =
        settled("earnings", json!([earning(3, 1.5), earning(2, 2.5), earning(2, 3.5)]), "eps_actual");
    let expect = [("A_2026-01-30".into(), json!(1.5)), ("A_2026-01-30_2025-Q2".into(), json!(3.5))];
    assert_eq!(stored, expect);
    assert_eq!(rejected.len(), 1);
    // What says no quarter cannot be told from others.
    let bare = json!({"earnings_date": "2026-01-30", "eps_actual": 9});
    let (stored, rejected, _) = settled("earnings", json!([earning(3, 1.5), bare]), "eps_actual");
    assert_eq!((stored.len(), rejected.len()), (1, 1));
}

proptest! {
    #[test]
    fn every_record_is_a_document_or_named_or_the_same(
        picks in prop::collection::vec((0..3_u8, 0..3_u8, 0..2_u8), 0..12),
        dataset in prop::sample::select(vec!["finnhub_news", "earnings", "daily_prices"]),
    ) {
        let record = |(id, other, quarter): &(u8, u8, u8)| json!({
            "article_id": format!("finnhub_{id}"), "headline": format!("{other}"),
            "date": format!("2026-01-0{}", id + 5), "open": 1, "high": 1, "low": 1, "close": other + 1, "volume": 1,
            "earnings_date": format!("2026-01-0{}", id + 1), "year": 2026, "quarter": quarter, "eps_actual": other,
        });
        let records: Vec<_> = picks.iter().map(record).collect();
        let (stored, rejected, repeated) = settled(dataset, json!(records), "close");
        prop_assert_eq!(stored.len() + rejected.len() + repeated, records.len());
        let names: HashSet<_> = stored.iter().map(|(id, _)| id).collect();
        prop_assert_eq!(names.len(), stored.len());
        let different: HashSet<_> = records.iter().map(ToString::to_string).collect();
        prop_assert_eq!(stored.len() + rejected.len(), different.len());
    }
}

/// Fails by taking minutes.
#[test]
fn twenty_thousand_records_of_one_day_cost_no_more_than_their_number() {
    let records: Vec<_> = (0..20_000).map(|number| price("2026-01-30", f64::from(number + 1))).collect();
    let (stored, rejected, _) = settled("daily_prices", json!(records), "close");
    assert_eq!((stored.len(), rejected.len()), (1, 19_999));
}
