//! Tiingo: end-of-day prices.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value, json};

use super::level::level;
use crate::dice::{Dice, round2};
use crate::endpoint::{
    DayRange, Endpoint, EndpointSpec, Form, HOUR, MINUTE, Past, Rhythm, Service, ServiceSpec, id_of,
};
use crate::exchange::closed_by;
use crate::job::Job;
use crate::spec::{Spec, ingested};
use crate::watchlist::Scope;

impl Service {
    /// End-of-day prices.
    pub const TIINGO: Self = Self(&SPEC);
}

impl Endpoint {
    /// End-of-day prices, a list for each ticker.
    pub const TIINGO_PRICES: Self = Self(&PRICES);
}

static SPEC: ServiceSpec = ServiceSpec {
    name: "tiingo",
    title: "Tiingo",
    default_port: 8001,
    api_key: "7e1a5c0de7e1a5c0de7e1a5c0de7e1a5c0de7e1a",
    limits: &[(HOUR, 1000, "Hourly rate limit"), (MINUTE, 50, "Per-minute rate limit")],
    is_slow_to_tell_health: false,
    server_error: "Tiingo API error 500: Internal error",
    address: |ticker, key| {
        format!(
            "https://api.tiingo.com/tiingo/daily/{ticker}/prices?startDate=2026-10-27&endDate=2026-11-26&format=json&token={key}"
        )
    },
    endpoints: &[Endpoint(&PRICES)],
};

static PRICES: EndpointSpec = EndpointSpec {
    service: Service(&SPEC),
    path: "/fetch",
    collection: "prices_daily",
    form: Form::List,
    limit: None,
    records: daily,
    past: Some(Past { from: "start_date", to: Some("end_date"), records: daily_of }),
    document_id: |record| id_of(record, &["date"]),
    rhythm: Rhythm::FiveAtOnce(Duration::from_millis(500)),
    wrapped: |ticker, message| format!("Failed to fetch daily prices for {ticker}: {message}"),
    unknown_symbol: None,
    nothing: || Value::Null,
};

/// The jobs of Cloud Scheduler, independent of the orchestrator's own table.
pub(super) const JOBS: &[Job] = &[
    Job {
        name: "tiingo-daily-prices",
        route: "/tiingo/daily-prices",
        scope: Scope::EntireWatchlist,
        schedule: "0 18 * * 1-5",
        endpoints: &[Endpoint::TIINGO_PRICES],
    },
    Job {
        name: "tiingo-daily-prices-indices",
        route: "/tiingo/daily-prices-indices",
        scope: Scope::Indices,
        schedule: "5 18 * * 1-5",
        endpoints: &[Endpoint::TIINGO_PRICES],
    },
];

/// The prices of the last `records_per_ticker` sessions that have closed, oldest first.
fn daily(spec: &Spec, ticker: &str, at: DateTime<Utc>) -> Vec<Value> {
    prices(spec, ticker, closed_by(at).map(|(date, _)| date).take(spec.records_per_ticker), at)
}

/// The prices of the sessions of some days that have closed, oldest first.
fn daily_of(spec: &Spec, ticker: &str, (from, to): DayRange, at: DateTime<Utc>) -> Vec<Value> {
    let sessions = closed_by(at).map(|(date, _)| date).take_while(|date| *date >= from);
    let mut prices = prices(spec, ticker, sessions, at);
    prices.retain(|price| price["date"].as_str().is_some_and(|date| *date <= *to.to_string()));
    prices
}

/// The prices of these sessions, which come latest first, oldest first. Each split and each dividend changes the adjusted
/// prices of all sessions before it.
fn prices(
    spec: &Spec,
    ticker: &str,
    sessions: impl Iterator<Item = NaiveDate>,
    at: DateTime<Utc>,
) -> Vec<Value> {
    let mut factor = 1.0;
    let mut prices: Vec<_> = sessions
        .map(|date| {
            let mut price = price(spec, ticker, date, at);
            let raw = |name: &str| price[name].as_f64().unwrap_or_default();
            let (split, dividend, close) = (raw("split_factor"), raw("div_cash"), raw("close"));
            let adjusted = ["open", "high", "low", "close"].map(|name| (name, round2(raw(name) * factor)));
            factor *= (1.0 - dividend / close) / split;
            for (name, value) in adjusted {
                price[format!("adj_{name}")] = json!(value);
            }
            price
        })
        .collect();
    prices.reverse();
    prices
}

fn price(spec: &Spec, ticker: &str, date: NaiveDate, at: DateTime<Utc>) -> Value {
    let date = date.to_string();
    let mut dice = Dice::new(spec.seed, &["price", ticker, &date]);
    // A few percent around the ticker's level: no two days are as far apart as a doubtful jump.
    let level = level(spec, ticker);
    let open = round2(level * (1.0 + dice.cents(0, 400) / 100.0));
    let close = round2(open * (0.97 + dice.cents(0, 600) / 100.0));
    let high = round2(open.max(close) + dice.cents(1, 200));
    let low = round2(open.min(close) - dice.cents(1, 200));
    let volume = dice.between(100_000, 90_000_000);
    let (dividend, split) = (dice.chance(5), dice.chance(1));
    json!({
        "ticker": ticker,
        "date": date,
        "open": open, "high": high, "low": low, "close": close, "volume": volume,
        "adj_open": open, "adj_high": high, "adj_low": low, "adj_close": close, "adj_volume": volume,
        "div_cash": if dividend { dice.cents(10, 90) } else { 0.0 },
        "split_factor": if split { 2.0 } else { 1.0 },
        "source": "tiingo",
        "ingested_at": ingested(at),
    })
}
