//! What the simulated providers answer, as pure functions of endpoint, ticker, time and seed.
//!
//! The same arguments always give the same records, so a test can compute what must be stored instead of
//! copying it from an answer.

mod company;
mod dice;
mod indicators;
mod news;
mod prices;

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Days, NaiveDate, SecondsFormat, TimeDelta, Utc, Weekday};
use serde_json::{Value, json};

use crate::endpoint::Endpoint;
pub(crate) use dice::{Dice, filler};
pub use indicators::INDICATORS;

/// What the answers are made from, beside the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// Another seed gives other numbers and other words.
    pub seed: u64,
    /// Prices, articles and earnings per ticker. Quotes and fundamentals are always one, indicators always seven.
    pub records_per_ticker: usize,
    /// Articles in one answer of the market news.
    pub market_articles: usize,
}

impl Default for Spec {
    fn default() -> Self {
        Self { seed: 1, records_per_ticker: 5, market_articles: 20 }
    }
}

/// The time that records refer to: the request's `run_time`, or 2024-03-15T16:00:00Z where it has none.
pub fn moment(run_time: Option<&str>) -> DateTime<Utc> {
    run_time
        .and_then(|text| DateTime::parse_from_rfc3339(text).ok())
        .map_or_else(|| DateTime::from_timestamp_nanos(1_710_518_400_000_000_000), |time| time.to_utc())
}

/// The records that `endpoint` returns for `ticker`; market news ignores the ticker.
pub fn records(spec: &Spec, endpoint: Endpoint, ticker: &str, at: DateTime<Utc>) -> Vec<Value> {
    match endpoint {
        Endpoint::TiingoPrices => prices::daily(spec, ticker, at),
        Endpoint::FinnhubQuotes => vec![prices::quote(spec, ticker, at)],
        Endpoint::FinnhubNews => news::finnhub(spec, ticker, at),
        Endpoint::FinnhubFundamentals => vec![company::fundamentals(spec, ticker, at)],
        Endpoint::FinnhubEarnings => company::earnings(spec, ticker, at),
        Endpoint::PolygonNews => news::polygon(spec, ticker, at),
        Endpoint::PolygonMarket => news::market(spec, at),
        Endpoint::AlphavantageIndicators => indicators::all(spec, ticker, at),
    }
}

/// The entries of `data` in the answer to a request for `tickers`.
pub fn entries(spec: &Spec, endpoint: Endpoint, tickers: &[String], at: DateTime<Utc>) -> Vec<Value> {
    if endpoint == Endpoint::PolygonMarket {
        return news::market(spec, at);
    }
    tickers.iter().map(|ticker| entry(spec, endpoint, ticker, at)).collect()
}

/// The same, of alphavantage only these indicators in this order; one that nobody knows has a value too.
pub(crate) fn asked(
    spec: &Spec,
    endpoint: Endpoint,
    tickers: &[String],
    indicators: &[String],
    at: DateTime<Utc>,
) -> Vec<Value> {
    let mut entries = entries(spec, endpoint, tickers, at);
    if endpoint == Endpoint::AlphavantageIndicators && indicators != INDICATORS {
        for (entry, ticker) in entries.iter_mut().zip(tickers) {
            let chosen =
                indicators.iter().map(|name| (name.clone(), indicators::one(spec, ticker, name, at)));
            entry["data"] = chosen.collect::<serde_json::Map<_, _>>().into();
            entry["indicators_count"] = json!(indicators.len());
        }
    }
    entries
}

/// The documents that a run over `tickers` must leave behind, by collection and document id.
///
/// The value is the provider's record; the orchestrator adds fields of its own to it.
pub fn documents(
    spec: &Spec,
    endpoint: Endpoint,
    tickers: &[String],
    at: DateTime<Utc>,
) -> BTreeMap<(&'static str, String), Value> {
    let one = [String::new()];
    let tickers = if endpoint == Endpoint::PolygonMarket { &one } else { tickers };
    tickers
        .iter()
        .flat_map(|ticker| records(spec, endpoint, ticker, at))
        .filter_map(|record| Some(((endpoint.collection(), endpoint.document_id(&record)?), record)))
        .collect()
}

fn entry(spec: &Spec, endpoint: Endpoint, ticker: &str, at: DateTime<Utc>) -> Value {
    let mut records = records(spec, endpoint, ticker, at);
    let count = records.len();
    match endpoint {
        Endpoint::FinnhubQuotes | Endpoint::FinnhubFundamentals => {
            json!({"ticker": ticker, "data": records.pop()})
        }
        Endpoint::AlphavantageIndicators => {
            let by_name: serde_json::Map<_, _> = records
                .into_iter()
                .filter_map(|record| Some((record.get("indicator")?.as_str()?.to_owned(), record)))
                .collect();
            json!({"ticker": ticker, "data": by_name, "indicators_count": count})
        }
        _ => json!({"ticker": ticker, "data": records, "count": count}),
    }
}

/// `seconds` since 1970 as `YYYY-MM-DDTHH:MM:SS`, UTC.
pub(crate) fn utc_second(seconds: i64) -> Option<String> {
    Some(DateTime::from_timestamp(seconds, 0)?.format("%Y-%m-%dT%H:%M:%S").to_string())
}

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// As the services write their own times: UTC, to the microsecond, without a zone.
pub(crate) fn naive(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

/// The `ingested_at` of a record: a moment after the run's time.
fn ingested(at: DateTime<Utc>) -> String {
    naive(at + TimeDelta::microseconds(118_812))
}

/// The weekday on which `date`'s data was made: itself, or the Friday before a weekend.
fn trading_day(date: NaiveDate) -> NaiveDate {
    let back = match date.weekday() {
        Weekday::Sat => 1,
        Weekday::Sun => 2,
        _ => 0,
    };
    date.checked_sub_days(Days::new(back)).unwrap_or(date)
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
            records(&spec, Endpoint::TiingoPrices, "AAPL", at),
            records(&other, Endpoint::TiingoPrices, "AAPL", at)
        );
    }

    #[test]
    fn every_record_is_a_document_of_its_own() {
        let (spec, at) = (Spec { records_per_ticker: 20, ..Spec::default() }, moment(None));
        for endpoint in Endpoint::ALL {
            let expected = match endpoint {
                Endpoint::FinnhubQuotes | Endpoint::FinnhubFundamentals => 3,
                Endpoint::AlphavantageIndicators => 3 * INDICATORS.len(),
                Endpoint::PolygonMarket => spec.market_articles,
                _ => 60,
            };
            assert_eq!(documents(&spec, endpoint, &tickers(), at).len(), expected, "{endpoint:?}");
        }
    }

    #[test]
    fn every_record_names_its_source_and_time() {
        let (spec, at) = (Spec::default(), moment(Some("2026-11-20T10:05:00-05:00")));
        for endpoint in Endpoint::ALL {
            for record in records(&spec, endpoint, "AAPL", at) {
                assert_eq!(record["source"], endpoint.service().name());
                assert_eq!(
                    record["ingested_at"], "2026-11-20T15:05:00.118812",
                    "no zone: the services write none"
                );
            }
        }
    }

    #[test]
    fn prices_end_at_the_last_weekday() {
        let sunday = moment(Some("2026-11-22T12:00:00Z"));
        let days: BTreeSet<_> = records(&Spec::default(), Endpoint::TiingoPrices, "AAPL", sunday)
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
        let price = &records(&spec, Endpoint::TiingoPrices, "AAPL", at)[0];
        assert!(price["volume"].is_i64() && price["close"].is_f64() && price["split_factor"].is_f64());
        let quote = &records(&spec, Endpoint::FinnhubQuotes, "AAPL", at)[0];
        assert!(quote["timestamp"].is_i64() && quote["current_price"].is_f64());
        let earning = &records(&spec, Endpoint::FinnhubEarnings, "AAPL", at)[0];
        assert!(earning["year"].is_i64() && earning["quarter"].is_i64());
    }
}
