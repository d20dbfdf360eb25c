//! Alphavantage: technical indicators, whose date and value sit one level down, in `data`.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::dice::Dice;
use crate::endpoint::{DAY, Endpoint, EndpointSpec, Form, MINUTE, Rhythm, Service, ServiceSpec};
use crate::exchange::closed_by;
use crate::job::Job;
use crate::spec::{Spec, ingested};
use crate::watchlist::Scope;

impl Service {
    /// Technical indicators.
    pub const ALPHAVANTAGE: Self = Self(&SPEC);
}

impl Endpoint {
    /// Indicators by name for each ticker.
    pub const ALPHAVANTAGE_INDICATORS: Self = Self(&ENDPOINT);
}

static SPEC: ServiceSpec = ServiceSpec {
    name: "alphavantage",
    title: "AlphaVantage",
    default_port: 8004,
    api_key: "A1PHAVANTAGEKEY0",
    limits: &[(MINUTE, 5, "Per-minute rate limit"), (DAY, 500, "Daily rate limit")],
    is_slow_to_tell_health: true,
    server_error: "AlphaVantage API HTTP error 500",
    address: |ticker, key| {
        format!(
            "https://www.alphavantage.co/query?interval=daily&time_period=14&function=RSI&symbol={ticker}&apikey={key}"
        )
    },
    endpoints: &[Endpoint(&ENDPOINT)],
};

static ENDPOINT: EndpointSpec = EndpointSpec {
    service: Service(&SPEC),
    path: "/fetch",
    collection: "technical_indicators",
    form: Form::Indicators(&INDICATORS, one),
    limit: None,
    records: all,
    past: None,
    document_id: |record| {
        let text = |field: &str| record.get(field).and_then(Value::as_str);
        let date = record.pointer("/data/date").and_then(Value::as_str)?;
        Some(format!("{}_{}_{date}", text("ticker")?, text("indicator")?))
    },
    rhythm: Rhythm::Indicators,
    wrapped: |_, message| message.to_owned(),
    unknown_symbol: Some(
        "API Error: Invalid API call. Please retry or visit the documentation \
         (https://www.alphavantage.co/documentation/) for RSI.",
    ),
    nothing: || json!({}),
};

/// The jobs of Cloud Scheduler, independent of the orchestrator's own table.
pub(super) const JOBS: &[Job] = &[Job {
    name: "alpha-vantage-technical-indicators",
    route: "/alphavantage/technical-indicators",
    scope: Scope::EntireWatchlist,
    schedule: "0 17 * * 1-5",
    endpoints: &[Endpoint::ALPHAVANTAGE_INDICATORS],
}];

/// The indicators of every ticker, in the order in which the service requests them.
pub const INDICATORS: [&str; 7] = ["RSI", "SMA", "EMA", "MACD", "BBANDS", "STOCH", "ADX"];

/// All indicators of one ticker.
fn all(spec: &Spec, ticker: &str, at: DateTime<Utc>) -> Vec<Value> {
    INDICATORS.map(|name| one(spec, ticker, name, at)).to_vec()
}

/// One indicator of one ticker.
fn one(spec: &Spec, ticker: &str, name: &str, at: DateTime<Utc>) -> Value {
    let date = closed_by(at).next().map_or(at.date_naive(), |(date, _)| date).to_string();
    let mut dice = Dice::new(spec.seed, &["indicator", ticker, name, &date]);
    let parts = parts(name);
    let numbers: Vec<f64> = parts.iter().map(|_| dice.cents(1, 40_000)).collect();
    // Upstream sends numbers as strings under its own names; the service keeps them as `raw_data`.
    let raw: serde_json::Map<_, _> = parts
        .iter()
        .zip(&numbers)
        .map(|((upstream, _), number)| ((*upstream).to_owned(), json!(format!("{number:.4}"))))
        .collect();
    let value = match numbers.as_slice() {
        [number] => json!(number),
        several => {
            parts.iter().zip(several).map(|((_, part), number)| ((*part).to_owned(), json!(number))).collect()
        }
    };
    json!({
        "ticker": ticker,
        "indicator": name,
        "interval": "daily",
        "parameters": parameters(name, ticker),
        "data": {"date": date, "raw_data": raw, "value": value},
        "source": "alphavantage",
        "ingested_at": ingested(at),
    })
}

/// The numbers of an indicator: upstream's name and the service's name.
fn parts(name: &str) -> &'static [(&'static str, &'static str)] {
    match name {
        "SMA" => &[("SMA", "sma")],
        "EMA" => &[("EMA", "ema")],
        "RSI" => &[("RSI", "rsi")],
        "MACD" => &[("MACD", "macd"), ("MACD_Signal", "signal"), ("MACD_Hist", "histogram")],
        "BBANDS" => &[
            ("Real Upper Band", "upper_band"),
            ("Real Middle Band", "middle_band"),
            ("Real Lower Band", "lower_band"),
        ],
        "STOCH" => &[("SlowK", "slow_k"), ("SlowD", "slow_d")],
        _ => &[("ADX", "adx")],
    }
}

/// The upstream request's parameters. The service returns the map that it put the API key into.
fn parameters(name: &str, ticker: &str) -> Value {
    let mut sent = match name {
        "RSI" | "ADX" => json!({"time_period": 14}),
        "SMA" | "EMA" => json!({"time_period": 20}),
        "BBANDS" => json!({"time_period": 20, "nbdevup": 2, "nbdevdn": 2, "matype": 0}),
        "MACD" => json!({"fastperiod": 12, "slowperiod": 26, "signalperiod": 9}),
        "STOCH" => {
            json!({"fastkperiod": 14, "slowkperiod": 3, "slowdperiod": 3, "slowkmatype": 0, "slowdmatype": 0})
        }
        _ => json!({}),
    };
    sent["interval"] = json!("daily");
    sent["function"] = json!(name);
    sent["symbol"] = json!(ticker);
    sent["apikey"] = json!(SPEC.api_key);
    sent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbers_or_objects_of_numbers() {
        for record in all(&Spec::default(), "AAPL", crate::spec::moment(None)) {
            let value = &record["data"]["value"];
            let compound = matches!(record["indicator"].as_str(), Some("MACD" | "BBANDS" | "STOCH"));
            assert_eq!(value.is_object(), compound, "{record}");
            assert!(compound || value.is_f64(), "{record}");
        }
    }
}
