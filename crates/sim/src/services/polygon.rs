//! Polygon: company and market news.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::news::{ARTICLES_A_DAY, AUTHORS, HEADLINES, first_id, summary, times, times_of};
use crate::dice::Dice;
use crate::endpoint::{
    DayRange, Endpoint, EndpointSpec, Form, Limit, MINUTE, Past, Rhythm, Service, ServiceSpec, id_of,
};
use crate::job::Job;
use crate::spec::{Spec, ingested, stamp};
use crate::watchlist::Scope;

impl Service {
    /// Company and market news.
    pub const POLYGON: Self = Self(&SPEC);
}

impl Endpoint {
    /// Company news, a list for each ticker.
    pub const POLYGON_NEWS: Self = Self(&NEWS);
    /// Market news: the entries are the articles, and there are no tickers.
    pub const POLYGON_MARKET: Self = Self(&MARKET);
}

static SPEC: ServiceSpec = ServiceSpec {
    name: "polygon",
    title: "Polygon",
    default_port: 8003,
    api_key: "p0LyG0nKeYp0LyG0nKeYp0LyG0nKeY00",
    limits: &[(MINUTE, 5, "Per-minute rate limit")],
    is_slow_to_tell_health: false,
    server_error: "Polygon API error 500: Internal error",
    address: |ticker, key| {
        format!("https://api.polygon.io/v2/reference/news?ticker={ticker}&limit=10&apikey={key}")
    },
    endpoints: &[Endpoint(&NEWS), Endpoint(&MARKET)],
};

static NEWS: EndpointSpec = EndpointSpec {
    service: Service(&SPEC),
    path: "/fetch",
    collection: "news_articles",
    form: Form::List,
    limit: Some(Limit { usual: 10, most: 1_000, wanted: 100 }),
    records: company,
    past: Some(Past { from: "published_date", to: None, records: company_of }),
    document_id: |record| id_of(record, &["article_id"]),
    rhythm: Rhythm::OneByOne(Duration::from_secs(12)),
    wrapped: |ticker, message| format!("Failed to fetch news for {ticker}: {message}"),
    unknown_symbol: None,
    nothing: || json!([]),
};

static MARKET: EndpointSpec = EndpointSpec {
    service: Service(&SPEC),
    path: "/fetch/market",
    collection: "news_articles",
    form: Form::Articles,
    limit: None,
    records: |spec, _, at| market(spec, at),
    past: None,
    document_id: |record| Some(format!("market_{}", record.get("article_id")?.as_str()?)),
    rhythm: Rhythm::Whole,
    wrapped: |_, message| format!("Polygon API error: Failed to fetch market news: {message}"),
    unknown_symbol: None,
    nothing: || json!([]),
};

/// The jobs of Cloud Scheduler, independent of the orchestrator's own table.
pub(super) const JOBS: &[Job] = &[
    Job {
        name: "polygon-news-universe",
        route: "/polygon/news-universe",
        scope: Scope::EntireWatchlist,
        schedule: "0 8-17/3 * * 1-5",
        endpoints: &[Endpoint::POLYGON_NEWS],
    },
    Job {
        name: "polygon-news-portfolio",
        route: "/polygon/news-portfolio",
        scope: Scope::ActiveSymbols,
        schedule: "0 8-18 * * 1-5",
        endpoints: &[Endpoint::POLYGON_NEWS],
    },
    Job {
        name: "polygon-news-market",
        route: "/polygon/news-market",
        scope: Scope::None,
        schedule: "0,30 8-18 * * 1-5",
        endpoints: &[Endpoint::POLYGON_MARKET],
    },
];

/// Company news in the format of polygon's service.
fn company(spec: &Spec, ticker: &str, at: DateTime<Utc>) -> Vec<Value> {
    let mut dice = Dice::new(spec.seed, &["polygon news", ticker, &stamp(at)]);
    let first = first_id(&mut dice);
    times(spec.records_per_ticker, at)
        .map(|(number, published)| {
            let id = format!("polygon_{}", first + number);
            article(&mut dice, Some(ticker), &id, published, at)
        })
        .collect()
}

/// The news of some days: the same on each day that it is asked for.
fn company_of(spec: &Spec, ticker: &str, days: DayRange, at: DateTime<Utc>) -> Vec<Value> {
    times_of(spec.records_per_ticker.min(ARTICLES_A_DAY), days, at)
        .map(|(day, number, published)| {
            let mut dice = Dice::new(spec.seed, &["polygon news", ticker, &day.to_string()]);
            let id = format!("polygon_{}", first_id(&mut dice) + number);
            article(&mut dice, Some(ticker), &id, published, at)
        })
        .collect()
}

/// Market news: articles without a ticker.
fn market(spec: &Spec, at: DateTime<Utc>) -> Vec<Value> {
    let mut dice = Dice::new(spec.seed, &["polygon market", &stamp(at)]);
    let first = first_id(&mut dice);
    times(spec.market_articles, at)
        .map(|(number, published)| {
            let id = format!("polygon_market_{}", first + number);
            article(&mut dice, None, &id, published, at)
        })
        .collect()
}

fn article(
    dice: &mut Dice,
    ticker: Option<&str>,
    id: &str,
    published: DateTime<Utc>,
    at: DateTime<Utc>,
) -> Value {
    let mentioned = ticker.map_or_else(|| vec!["SPY", "QQQ"], |ticker| vec![ticker, "SPY"]);
    let url = format!("https://news.example.com/{id}");
    json!({
        "ticker": ticker,
        "article_id": id,
        "title": format!("{} {}", ticker.unwrap_or("The market"), dice.pick(&HEADLINES)),
        "description": summary(dice),
        "url": url,
        "author": dice.pick(&AUTHORS),
        "published_utc": stamp(published),
        "amp_url": dice.chance(50).then(|| format!("{url}/amp")),
        "image_url": dice.chance(70).then(|| format!("{url}.jpg")),
        "keywords": ["markets", "économie"],
        "tickers": mentioned,
        "source": "polygon",
        "ingested_at": ingested(at),
    })
}
