//! Fundamentals and earnings (finnhub).

use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use serde_json::{Value, json};

use super::{Dice, Spec, ingested, trading_day};

/// Days between two reports of one company.
const QUARTER_DAYS: u64 = 91;

/// The figures of the quarter that `at` falls in, which is what the service calls its report's date; a few of them
/// are null or whole numbers, as in life.
pub(super) fn fundamentals(spec: &Spec, ticker: &str, at: DateTime<Utc>) -> Value {
    let quarter = format!("{}-Q{}", at.year(), quarter_of(at.date_naive()));
    let mut dice = Dice::new(spec.seed, &["fundamentals", ticker, &quarter]);
    let mut ratio = |low, high| match dice.between(1, 20) {
        1..=2 => Value::Null,
        3 => json!(dice.between(low, high)),
        _ => json!(dice.cents(low, high)),
    };
    json!({
        "ticker": ticker,
        "report_date": quarter,
        "market_cap": ratio(100_000, 300_000_000),
        "shares_outstanding": ratio(10_000, 1_600_000),
        "pe_ratio": ratio(300, 9_000),
        "pb_ratio": ratio(50, 4_000),
        "roe": ratio(1, 6_000),
        "roa": ratio(1, 3_000),
        "debt_to_equity": ratio(1, 400),
        "current_ratio": ratio(30, 500),
        "source": "finnhub",
        "ingested_at": ingested(at),
    })
}

/// One report that is still to come, then the past ones, newest first.
pub(super) fn earnings(spec: &Spec, ticker: &str, at: DateTime<Utc>) -> Vec<Value> {
    let next = next_report(spec, ticker, at.date_naive());
    std::iter::successors(Some(next), |date| date.checked_sub_days(Days::new(QUARTER_DAYS)))
        .take(spec.records_per_ticker)
        .map(|date| earning(spec, ticker, trading_day(date), date > at.date_naive(), at))
        .collect()
}

fn earning(spec: &Spec, ticker: &str, date: NaiveDate, to_come: bool, at: DateTime<Utc>) -> Value {
    let mut dice = Dice::new(spec.seed, &["earnings", ticker, &date.to_string()]);
    let (eps, revenue) = (dice.cents(10, 900), dice.cents(100_000, 9_000_000));
    json!({
        "ticker": ticker,
        "earnings_date": date.to_string(),
        "quarter": quarter_of(date),
        "year": date.year(),
        "eps_estimate": eps,
        "eps_actual": (!to_come).then(|| dice.cents(10, 900)),
        "revenue_estimate": revenue,
        "revenue_actual": (!to_come).then(|| dice.cents(100_000, 9_000_000)),
        "source": "finnhub",
        "ingested_at": ingested(at),
    })
}

/// A day of the ticker's own within the quarter of a year after `today`; the same on every day before it.
fn next_report(spec: &Spec, ticker: &str, today: NaiveDate) -> NaiveDate {
    let offset = u64::from(Dice::new(spec.seed, &["report day", ticker]).between(0, 90));
    let day = u64::try_from(today.num_days_from_ce()).unwrap_or(0);
    let ahead = QUARTER_DAYS - (day + offset) % QUARTER_DAYS;
    today.checked_add_days(Days::new(ahead)).unwrap_or(today)
}

fn quarter_of(date: NaiveDate) -> u32 {
    date.month0() / 3 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_dated_by_the_present_quarter() {
        let at = |text| super::super::moment(Some(text));
        let quarter = |text| fundamentals(&Spec::default(), "AAPL", at(text))["report_date"].clone();
        assert_eq!(quarter("2025-02-03T12:00:00Z"), "2025-Q1");
        assert_eq!(quarter("2025-11-03T12:00:00Z"), "2025-Q4");
    }

    #[test]
    fn a_report_to_come_has_no_actual_numbers() {
        let reports = earnings(&Spec::default(), "AAPL", super::super::moment(None));
        assert!(reports[0]["eps_actual"].is_null() && reports[1]["eps_actual"].is_f64());
    }

    #[test]
    fn the_next_report_does_not_move_from_day_to_day() {
        let spec = Spec::default();
        let today: NaiveDate = "2026-11-20".parse().expect("a date");
        let next = next_report(&spec, "AAPL", today);
        let eve = next.pred_opt().expect("a day before");
        assert_eq!(next_report(&spec, "AAPL", eve), next);
    }
}
