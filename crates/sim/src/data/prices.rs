//! Daily prices (tiingo) and quotes (finnhub).

use chrono::{DateTime, Datelike, NaiveDate, Utc, Weekday};
use serde_json::{Value, json};

use super::dice::round2;
use super::{Dice, Spec, ingested, stamp, trading_day};

/// The prices of the last `records_per_ticker` weekdays, oldest first.
pub(super) fn daily(spec: &Spec, ticker: &str, at: DateTime<Utc>) -> Vec<Value> {
    let mut prices: Vec<_> = std::iter::successors(Some(trading_day(at.date_naive())), NaiveDate::pred_opt)
        .filter(|date| !matches!(date.weekday(), Weekday::Sat | Weekday::Sun))
        .take(spec.records_per_ticker)
        .map(|date| price(spec, ticker, date, at))
        .collect();
    prices.reverse();
    prices
}

/// The quote of one ticker at one second.
pub(super) fn quote(spec: &Spec, ticker: &str, at: DateTime<Utc>) -> Value {
    let mut dice = Dice::new(spec.seed, &["quote", ticker, &stamp(at)]);
    let previous = level(spec, ticker);
    let change = round2(dice.cents(1, 900) - 4.505);
    let current = round2(previous + change);
    json!({
        "ticker": ticker,
        "current_price": current,
        "change": change,
        "percent_change": round2(change / previous * 100.0),
        "high": round2(current.max(previous) + dice.cents(0, 150)),
        "low": round2(current.min(previous) - dice.cents(0, 150)),
        "open": round2(previous + dice.cents(0, 80)),
        "previous_close": previous,
        "timestamp": at.timestamp(),
        "source": "finnhub",
        "ingested_at": ingested(at),
    })
}

fn price(spec: &Spec, ticker: &str, date: NaiveDate, at: DateTime<Utc>) -> Value {
    let date = date.to_string();
    let mut dice = Dice::new(spec.seed, &["price", ticker, &date]);
    let open = round2(level(spec, ticker) + dice.cents(0, 400));
    let close = round2(open + dice.cents(0, 600) - 3.0);
    let high = round2(open.max(close) + dice.cents(1, 200));
    let low = round2(open.min(close) - dice.cents(1, 200));
    let volume = dice.between(100_000, 90_000_000);
    let (dividend, split) = (dice.chance(5), dice.chance(1));
    // A price that upstream does not have is 0, and an adjusted one the plain one.
    let open = if dice.chance(3) { 0.0 } else { open };
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

/// About what one share of `ticker` costs: between 20 and 480.
fn level(spec: &Spec, ticker: &str) -> f64 {
    Dice::new(spec.seed, &["level", ticker]).cents(2_000, 48_000)
}
