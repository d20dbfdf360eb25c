//! Technical indicators (alphavantage): date and value sit one level down, in `data`.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Dice, Spec, ingested, trading_day};
use crate::endpoint::Service;
use crate::providers::words::api_key;

/// The indicators of every ticker, in the order in which the service asks for them.
pub const INDICATORS: [&str; 7] = ["RSI", "SMA", "EMA", "MACD", "BBANDS", "STOCH", "ADX"];

/// All indicators of one ticker.
pub(super) fn all(spec: &Spec, ticker: &str, at: DateTime<Utc>) -> Vec<Value> {
    INDICATORS.map(|name| one(spec, ticker, name, at)).to_vec()
}

/// One indicator of one ticker.
pub(super) fn one(spec: &Spec, ticker: &str, name: &str, at: DateTime<Utc>) -> Value {
    let date = trading_day(at.date_naive()).to_string();
    let mut dice = Dice::new(spec.seed, &["indicator", ticker, name, &date]);
    let parts = parts(name);
    let numbers: Vec<f64> = parts.iter().map(|_| dice.cents(1, 40_000)).collect();
    // Upstream sends its numbers as text under names of its own; the service keeps them as `raw_data`.
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

/// The numbers that an indicator consists of: upstream's name and the service's.
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

/// What the service has sent upstream: it hands back the very map that it has put the API key into.
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
    sent["apikey"] = json!(api_key(Service::Alphavantage));
    sent
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_numbers_or_objects_of_numbers() {
        for record in all(&Spec::default(), "AAPL", super::super::moment(None)) {
            let value = &record["data"]["value"];
            let compound = matches!(record["indicator"].as_str(), Some("MACD" | "BBANDS" | "STOCH"));
            assert_eq!(value.is_object(), compound, "{record}");
            assert!(compound || value.is_f64(), "{record}");
        }
    }
}
