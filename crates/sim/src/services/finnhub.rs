//! Finnhub: quotes, company news, fundamentals, earnings.

use std::time::Duration;

use chrono::{DateTime, Datelike, Days, NaiveDate, Utc};
use serde_json::{Value, json};

use super::level::level;
use super::news::{ARTICLES_A_DAY, CATEGORIES, HEADLINES, first_id, summary, times, times_of};
use crate::dice::{Dice, round2};
use crate::endpoint::{
    DayRange, Endpoint, EndpointSpec, Form, MINUTE, Past, Rhythm, Service, ServiceSpec, id_of,
};
use crate::exchange::last_traded;
use crate::job::Job;
use crate::spec::{Spec, ingested, stamp, trading_day, utc_second};
use crate::watchlist::Scope;

impl Service {
    /// Quotes, company news, fundamentals, earnings.
    pub const FINNHUB: Self = Self(&SPEC);
}

impl Endpoint {
    /// One quote for each ticker.
    pub const FINNHUB_QUOTES: Self = Self(&QUOTES);
    /// Company news, a list for each ticker.
    pub const FINNHUB_NEWS: Self = Self(&NEWS);
    /// One set of figures for each ticker.
    pub const FINNHUB_FUNDAMENTALS: Self = Self(&FUNDAMENTALS);
    /// Past and upcoming reports, a list for each ticker.
    pub const FINNHUB_EARNINGS: Self = Self(&EARNINGS);
}

static SPEC: ServiceSpec = ServiceSpec {
    name: "finnhub",
    title: "Finnhub",
    default_port: 8002,
    api_key: "c5finnhubr01qk3y0uaeg",
    limits: &[(MINUTE, 60, "Per-minute rate limit")],
    is_slow_to_tell_health: false,
    server_error: "Finnhub API error 500: Internal error",
    address: |ticker, key| format!("https://finnhub.io/api/v1/quote?symbol={ticker}&token={key}"),
    endpoints: &[Endpoint(&QUOTES), Endpoint(&NEWS), Endpoint(&FUNDAMENTALS), Endpoint(&EARNINGS)],
};

static QUOTES: EndpointSpec = EndpointSpec {
    service: Service(&SPEC),
    path: "/fetch",
    collection: "prices_intraday",
    form: Form::One,
    limit: None,
    records: |spec, ticker, at| vec![quote(spec, ticker, at)],
    past: None,
    document_id: |record| {
        let seconds = record.get("timestamp").and_then(Value::as_i64)?;
        Some(format!("{}_{}", id_of(record, &[])?, utc_second(seconds)?))
    },
    rhythm: Rhythm::FiveAtOnce(Duration::from_millis(200)),
    wrapped: |ticker, message| format!("Failed to fetch quote for {ticker}: {message}"),
    unknown_symbol: Some("float() argument must be a string or a real number, not 'NoneType'"),
    nothing: || Value::Null,
};

static NEWS: EndpointSpec = EndpointSpec {
    service: Service(&SPEC),
    path: "/fetch/news",
    collection: "news_articles",
    form: Form::List,
    limit: None,
    records: news,
    past: Some(Past { from: "from_date", to: Some("to_date"), records: news_of }),
    document_id: |record| id_of(record, &["article_id"]),
    rhythm: Rhythm::OneByOne(Duration::from_millis(500)),
    wrapped: |ticker, message| format!("Failed to fetch news for {ticker}: {message}"),
    unknown_symbol: None,
    nothing: || json!([]),
};

static FUNDAMENTALS: EndpointSpec = EndpointSpec {
    service: Service(&SPEC),
    path: "/fetch/fundamentals",
    collection: "fundamentals",
    form: Form::One,
    limit: None,
    records: |spec, ticker, at| vec![fundamentals(spec, ticker, at)],
    past: None,
    document_id: |record| id_of(record, &["report_date"]),
    rhythm: Rhythm::OneByOne(Duration::from_millis(500)),
    wrapped: |ticker, message| format!("Failed to fetch fundamentals for {ticker}: {message}"),
    unknown_symbol: None,
    nothing: || Value::Null,
};

static EARNINGS: EndpointSpec = EndpointSpec {
    service: Service(&SPEC),
    path: "/fetch/earnings",
    collection: "earnings_calendar",
    form: Form::List,
    limit: None,
    records: earnings,
    past: None,
    document_id: |record| id_of(record, &["earnings_date"]),
    // One request returns the calendar of all companies.
    rhythm: Rhythm::Together,
    wrapped: |_, message| message.to_owned(),
    unknown_symbol: None,
    nothing: || json!([]),
};

/// The jobs of Cloud Scheduler, independent of the orchestrator's own table.
pub(super) const JOBS: &[Job] = &[
    Job {
        name: "finnhub-quote-portfolio",
        route: "/finnhub/quote-portfolio",
        scope: Scope::ActiveSymbols,
        schedule: "*/5 9-16 * * 1-5",
        endpoints: &[Endpoint::FINNHUB_QUOTES],
    },
    Job {
        name: "finnhub-quote-indices",
        route: "/finnhub/quote-indices",
        scope: Scope::Indices,
        schedule: "*/5 9-16 * * 1-5",
        endpoints: &[Endpoint::FINNHUB_QUOTES],
    },
    Job {
        name: "finnhub-company-news-universe",
        route: "/finnhub/company-news-universe",
        scope: Scope::EntireWatchlist,
        schedule: "0 8-18/2 * * 1-5",
        endpoints: &[Endpoint::FINNHUB_NEWS],
    },
    Job {
        name: "finnhub-company-news-portfolio",
        route: "/finnhub/company-news-portfolio",
        scope: Scope::ActiveSymbols,
        schedule: "0 8-18 * * 1-5",
        endpoints: &[Endpoint::FINNHUB_NEWS],
    },
    Job {
        name: "finnhub-fundamentals-earnings",
        route: "/finnhub/fundamentals-earnings",
        scope: Scope::EntireWatchlist,
        schedule: "0 7 * * 1-5",
        endpoints: &[Endpoint::FINNHUB_FUNDAMENTALS, Endpoint::FINNHUB_EARNINGS],
    },
];

/// Days between two reports of one company.
const QUARTER_DAYS: u64 = 91;

/// The quote of one ticker at one second, or at the last close while the exchange is closed.
fn quote(spec: &Spec, ticker: &str, at: DateTime<Utc>) -> Value {
    let traded = last_traded(at);
    let mut dice = Dice::new(spec.seed, &["quote", ticker, &stamp(traded)]);
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
        "timestamp": traded.timestamp(),
        "source": "finnhub",
        "ingested_at": ingested(at),
    })
}

/// Company news in the format of finnhub's service.
fn news(spec: &Spec, ticker: &str, at: DateTime<Utc>) -> Vec<Value> {
    let mut dice = Dice::new(spec.seed, &["finnhub news", ticker, &stamp(at)]);
    let first = first_id(&mut dice);
    times(spec.records_per_ticker, at)
        .map(|(number, published)| article(&mut dice, ticker, first + number, published, at))
        .collect()
}

/// The news of some days: the same on each day that it is asked for.
fn news_of(spec: &Spec, ticker: &str, days: DayRange, at: DateTime<Utc>) -> Vec<Value> {
    times_of(spec.records_per_ticker.min(ARTICLES_A_DAY), days, at)
        .map(|(day, number, published)| {
            let mut dice = Dice::new(spec.seed, &["finnhub news", ticker, &day.to_string()]);
            let first = first_id(&mut dice);
            article(&mut dice, ticker, first + number, published, at)
        })
        .collect()
}

fn article(dice: &mut Dice, ticker: &str, id: u64, published: DateTime<Utc>, at: DateTime<Utc>) -> Value {
    json!({
        "ticker": ticker,
        "article_id": format!("finnhub_{id}"),
        "headline": format!("{ticker} {}", dice.pick(&HEADLINES)),
        "summary": summary(dice),
        "url": format!("https://news.example.com/{id}"),
        "original_source": "Example Wire",
        "category": dice.pick(&CATEGORIES),
        "datetime": published.timestamp(),
        "image": dice.chance(80).then_some(""),
        "related": ticker,
        "source": "finnhub",
        "ingested_at": ingested(at),
    })
}

/// The figures of the quarter of `at`, which the service uses as the report's date. A few of them are null or whole
/// numbers, as in real data.
fn fundamentals(spec: &Spec, ticker: &str, at: DateTime<Utc>) -> Value {
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

/// One upcoming report, then the past ones, newest first.
fn earnings(spec: &Spec, ticker: &str, at: DateTime<Utc>) -> Vec<Value> {
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

/// A day of the ticker's own within 91 days after `today`; it is the same on every day before it.
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
    fn the_report_is_dated_by_the_current_quarter() {
        let at = |text| crate::spec::moment(Some(text));
        let quarter = |text| fundamentals(&Spec::default(), "AAPL", at(text))["report_date"].clone();
        assert_eq!(quarter("2025-02-03T12:00:00Z"), "2025-Q1");
        assert_eq!(quarter("2025-11-03T12:00:00Z"), "2025-Q4");
    }

    #[test]
    fn an_upcoming_report_has_no_actual_numbers() {
        let reports = earnings(&Spec::default(), "AAPL", crate::spec::moment(None));
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
