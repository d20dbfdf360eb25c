//! What the simulated providers answer, as pure functions of endpoint, ticker, time and seed.
//!
//! The same arguments always give the same records, so a test can compute what must be stored instead of
//! copying it from an answer.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::endpoint::{DayRange, Endpoint, Form};
use crate::providers::Fetch;
pub use crate::services::INDICATORS;
pub use crate::spec::{Spec, moment};

/// The records that `endpoint` returns for `ticker`; market news ignores the ticker.
pub fn records(spec: &Spec, endpoint: Endpoint, ticker: &str, at: DateTime<Utc>) -> Vec<Value> {
    (endpoint.spec().records)(spec, ticker, at)
}

/// The records that `endpoint` returns for `ticker` and these days; those of its own time if it cannot be asked for days.
pub fn records_of(
    spec: &Spec,
    endpoint: Endpoint,
    ticker: &str,
    days: DayRange,
    at: DateTime<Utc>,
) -> Vec<Value> {
    match endpoint.spec().past {
        Some(past) => (past.records)(spec, ticker, days, at),
        None => records(spec, endpoint, ticker, at),
    }
}

/// As [`entries`], for these days.
pub fn entries_of(
    spec: &Spec,
    endpoint: Endpoint,
    tickers: &[String],
    days: DayRange,
    limit: Option<usize>,
    at: DateTime<Utc>,
) -> Vec<Value> {
    let most = endpoint.spec().limit.map_or(usize::MAX, |known| limit.unwrap_or(known.usual));
    let entry = |ticker: &String| form(endpoint, ticker, most, records_of(spec, endpoint, ticker, days, at));
    tickers.iter().map(entry).collect()
}

/// The entries of `data` in the answer to a request for `tickers`.
pub fn entries(spec: &Spec, endpoint: Endpoint, tickers: &[String], at: DateTime<Utc>) -> Vec<Value> {
    entries_within(spec, endpoint, tickers, None, at)
}

/// As [`entries`], for a request with this `limit`, if the endpoint takes one.
pub fn entries_within(
    spec: &Spec,
    endpoint: Endpoint,
    tickers: &[String],
    limit: Option<usize>,
    at: DateTime<Utc>,
) -> Vec<Value> {
    if endpoint.has_articles() {
        return records(spec, endpoint, "", at);
    }
    let most = endpoint.spec().limit.map_or(usize::MAX, |known| limit.unwrap_or(known.usual));
    tickers.iter().map(|ticker| entry(spec, endpoint, ticker, most, at)).collect()
}

/// As [`entries_within`], but with only these indicators, in this order. An unknown indicator gets a value too.
pub(crate) fn asked(spec: &Spec, endpoint: Endpoint, fetch: &Fetch) -> Vec<Value> {
    let Fetch { tickers, indicators, limit, days, at } = fetch;
    let at = *at;
    if let Some(days) = days {
        return entries_of(spec, endpoint, tickers, *days, *limit, at);
    }
    let mut entries = entries_within(spec, endpoint, tickers, *limit, at);
    if let Form::Indicators(names, one) = endpoint.spec().form
        && *indicators != names
    {
        for (entry, ticker) in entries.iter_mut().zip(tickers) {
            let chosen = indicators.iter().map(|name| (name.clone(), one(spec, ticker, name, at)));
            entry["data"] = chosen.collect::<serde_json::Map<_, _>>().into();
            entry["indicators_count"] = json!(indicators.len());
        }
    }
    entries
}

/// The documents that a run over `tickers` must leave behind, by collection and document id. Where an answer may be cut,
/// these are the records that the larger answer has.
///
/// The value is the provider's record; the orchestrator adds its own fields.
pub fn documents(
    spec: &Spec,
    endpoint: Endpoint,
    tickers: &[String],
    at: DateTime<Utc>,
) -> BTreeMap<(&'static str, String), Value> {
    let one = [String::new()];
    let tickers = if endpoint.has_articles() { &one } else { tickers };
    let most = endpoint.spec().limit.map_or(usize::MAX, |limit| limit.wanted);
    tickers
        .iter()
        .flat_map(|ticker| records(spec, endpoint, ticker, at).into_iter().take(most))
        .filter_map(|record| Some(((endpoint.collection(), endpoint.document_id(&record)?), record)))
        .collect()
}

fn entry(spec: &Spec, endpoint: Endpoint, ticker: &str, most: usize, at: DateTime<Utc>) -> Value {
    form(endpoint, ticker, most, records(spec, endpoint, ticker, at))
}

fn form(endpoint: Endpoint, ticker: &str, most: usize, mut records: Vec<Value>) -> Value {
    records.truncate(most);
    let count = records.len();
    match endpoint.spec().form {
        Form::One => {
            json!({"ticker": ticker, "data": records.pop()})
        }
        Form::Indicators(..) => {
            let by_name: serde_json::Map<_, _> = records
                .into_iter()
                .filter_map(|record| Some((record.get("indicator")?.as_str()?.to_owned(), record)))
                .collect();
            json!({"ticker": ticker, "data": by_name, "indicators_count": count})
        }
        Form::List | Form::Articles => json!({"ticker": ticker, "data": records, "count": count}),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn tickers() -> Vec<String> {
        ["AAPL", "MSFT", "BRK.B"].map(str::to_owned).to_vec()
    }

    #[test]
    fn the_same_arguments_give_the_same_records() {
        let (spec, at) = (Spec::default(), moment(Some("2026-11-20T15:05:00Z")));
        for endpoint in Endpoint::ALL {
            assert_eq!(entries(&spec, endpoint, &tickers(), at), entries(&spec, endpoint, &tickers(), at));
        }
        let other = Spec { seed: 2, ..spec };
        assert_ne!(
            records(&spec, Endpoint::TIINGO_PRICES, "AAPL", at),
            records(&other, Endpoint::TIINGO_PRICES, "AAPL", at)
        );
    }

    #[test]
    fn every_record_is_a_document_of_its_own() {
        let (spec, at) = (Spec { records_per_ticker: 20, ..Spec::default() }, moment(None));
        for endpoint in Endpoint::ALL {
            let expected = match endpoint.spec().form {
                Form::One => 3,
                Form::Indicators(names, _) => 3 * names.len(),
                Form::Articles => spec.market_articles,
                Form::List => 60,
            };
            assert_eq!(documents(&spec, endpoint, &tickers(), at).len(), expected, "{endpoint:?}");
        }
    }

    #[test]
    fn an_answer_is_cut_at_its_limit_and_the_newest_articles_stay() {
        let (spec, at) = (Spec { records_per_ticker: 120, ..Spec::default() }, moment(None));
        let asked = |limit| {
            let entry = entries_within(&spec, Endpoint::POLYGON_NEWS, &tickers()[..1], limit, at).remove(0);
            (entry["count"].clone(), entry["data"][0]["article_id"].clone())
        };
        let newest = records(&spec, Endpoint::POLYGON_NEWS, "AAPL", at)[0]["article_id"].clone();
        assert_eq!(asked(None), (json!(10), newest.clone()));
        assert_eq!(asked(Some(50)), (json!(50), newest));
        assert_eq!(asked(Some(1_000)).0, 120);
        assert_eq!(documents(&spec, Endpoint::POLYGON_NEWS, &tickers()[..1], at).len(), 100);
        let prices = entries_within(&spec, Endpoint::TIINGO_PRICES, &tickers()[..1], Some(7), at);
        assert_eq!(prices[0]["count"], 120, "it takes no limit");
    }

    #[test]
    fn every_record_names_its_source_and_time() {
        let (spec, at) = (Spec::default(), moment(Some("2026-11-20T10:05:00-05:00")));
        for endpoint in Endpoint::ALL {
            for record in records(&spec, endpoint, "AAPL", at) {
                assert_eq!(record["source"], endpoint.service().name());
                assert_eq!(
                    record["ingested_at"], "2026-11-20T15:05:00.118812",
                    "the services write times without a zone"
                );
            }
        }
    }

    #[test]
    fn prices_end_at_the_last_weekday() {
        let sunday = moment(Some("2026-11-22T12:00:00Z"));
        let days: BTreeSet<_> = records(&Spec::default(), Endpoint::TIINGO_PRICES, "AAPL", sunday)
            .iter()
            .filter_map(|price| price["date"].as_str().map(str::to_owned))
            .collect();
        assert_eq!(
            days.into_iter().collect::<Vec<_>>(),
            ["2026-11-16", "2026-11-17", "2026-11-18", "2026-11-19", "2026-11-20"]
        );
    }

    #[test]
    fn integral_fields_are_integers_and_the_others_decimals() {
        let (spec, at) = (Spec::default(), moment(None));
        let price = &records(&spec, Endpoint::TIINGO_PRICES, "AAPL", at)[0];
        assert!(price["volume"].is_i64() && price["close"].is_f64() && price["split_factor"].is_f64());
        let quote = &records(&spec, Endpoint::FINNHUB_QUOTES, "AAPL", at)[0];
        assert!(quote["timestamp"].is_i64() && quote["current_price"].is_f64());
        let earning = &records(&spec, Endpoint::FINNHUB_EARNINGS, "AAPL", at)[0];
        assert!(earning["year"].is_i64() && earning["quarter"].is_i64());
    }
}
