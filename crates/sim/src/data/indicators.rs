//! Technical indicators (alphavantage): date and value sit one level down, in `data`.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{Dice, Spec, stamp, trading_day};

/// The indicators of every ticker, in the order of the answer.
pub const INDICATORS: [&str; 7] = ["SMA", "EMA", "RSI", "MACD", "BBANDS", "STOCH", "ADX"];

/// All indicators of one ticker.
pub(super) fn all(spec: &Spec, ticker: &str, at: DateTime<Utc>) -> Vec<Value> {
    INDICATORS.map(|name| indicator(spec, ticker, name, at)).to_vec()
}

fn indicator(spec: &Spec, ticker: &str, name: &str, at: DateTime<Utc>) -> Value {
    let date = trading_day(at.date_naive()).to_string();
    let mut dice = Dice::new(spec.seed, &["indicator", ticker, name, &date]);
    let numbers: Vec<(&str, f64)> = parts(name).iter().map(|part| (*part, dice.cents(1, 40_000))).collect();
    // The upstream interface sends its numbers as text under upper-case names; the service keeps them as `raw_data`.
    let raw: serde_json::Map<_, _> =
        numbers.iter().map(|(part, number)| (part.to_uppercase(), json!(format!("{number:.4}")))).collect();
    let value = match numbers.as_slice() {
        [(_, number)] => json!(number),
        several => several.iter().map(|(part, number)| ((*part).to_owned(), json!(number))).collect(),
    };
    json!({
        "ticker": ticker,
        "indicator": name,
        "interval": "daily",
        "parameters": {"time_period": 14, "series_type": "close"},
        "data": {"date": date, "value": value, "raw_data": raw},
        "source": "alphavantage",
        "ingested_at": stamp(at),
    })
}

/// The numbers that an indicator consists of.
fn parts(name: &str) -> &'static [&'static str] {
    match name {
        "SMA" => &["sma"],
        "EMA" => &["ema"],
        "RSI" => &["rsi"],
        "MACD" => &["macd", "macd_signal", "macd_hist"],
        "BBANDS" => &["upper_band", "middle_band", "lower_band"],
        "STOCH" => &["slow_k", "slow_d"],
        _ => &["adx"],
    }
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
