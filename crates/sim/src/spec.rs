//! What determines the simulated answers in addition to the request, and the formats of their times.

use chrono::{DateTime, Datelike, Days, NaiveDate, SecondsFormat, TimeDelta, Utc, Weekday};

/// What determines the answers in addition to the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spec {
    /// Another seed gives other numbers and texts.
    pub seed: u64,
    /// Prices, articles and earnings per ticker. Quotes and fundamentals are always one, indicators always seven.
    pub records_per_ticker: usize,
    /// Articles in one market news answer.
    pub market_articles: usize,
}

impl Default for Spec {
    fn default() -> Self {
        Self { seed: 1, records_per_ticker: 5, market_articles: 20 }
    }
}

/// The time that records refer to: the request's `run_time`, or 2024-03-15T16:00:00Z if it has none.
pub fn moment(run_time: Option<&str>) -> DateTime<Utc> {
    run_time
        .and_then(|text| DateTime::parse_from_rfc3339(text).ok())
        .map_or_else(|| DateTime::from_timestamp_nanos(1_710_518_400_000_000_000), |time| time.to_utc())
}

/// `seconds` since 1970 as `YYYY-MM-DDTHH:MM:SS`, UTC.
pub(crate) fn utc_second(seconds: i64) -> Option<String> {
    Some(DateTime::from_timestamp(seconds, 0)?.format("%Y-%m-%dT%H:%M:%S").to_string())
}

pub(crate) fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The format of the services' own times: UTC, in microseconds, without a zone.
pub(crate) fn naive(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%S%.6f").to_string()
}

/// The `ingested_at` of a record: a moment after the run's time.
pub(crate) fn ingested(at: DateTime<Utc>) -> String {
    naive(at + TimeDelta::microseconds(118_812))
}

/// The trading day of `date`: itself, or the Friday before a weekend.
pub(crate) fn trading_day(date: NaiveDate) -> NaiveDate {
    let back = match date.weekday() {
        Weekday::Sat => 1,
        Weekday::Sun => 2,
        _ => 0,
    };
    date.checked_sub_days(Days::new(back)).unwrap_or(date)
}
