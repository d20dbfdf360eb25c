//! Polygon: company news, and market news, whose articles belong to no ticker.

use crate::catalogue::dataset::{
    Apart, Dataset, Expects, Field, IdPart, Identify, Kind, Mode, NEWS, Quality, Shape, optional,
};
use crate::catalogue::trouble::MINUTE;
use crate::catalogue::{Endpoint, Job, Provider, ProviderSpec, Scope, WindowParameters};

pub(super) static SPEC: ProviderSpec = ProviderSpec {
    name: "polygon",
    title: "Polygon",
    service_url: "http://localhost:8003",
    batch_size: 5,
    max_concurrency: 1,
    // The longer ones first, because the last one is a prefix of each.
    article_prefixes: &["polygon_market_", "polygon_search_", "polygon_"],
    phrases: &[("exceeded the maximum requests per minute", MINUTE)],
    phrases_without_data: &[],
    jobs: &[
        Job {
            name: "polygon-news-universe",
            route: "/polygon/news-universe",
            scope: Scope::EntireWatchlist,
            provider: Provider(&SPEC),
            endpoints: &[Endpoint { path: "/fetch", dataset: &COMPANY_NEWS, window: Some(&WINDOW) }],
            schedule: "0 8-17/3 * * 1-5",
            summary: "Company news of the entire watchlist",
        },
        Job {
            name: "polygon-news-portfolio",
            route: "/polygon/news-portfolio",
            scope: Scope::ActiveSymbols,
            provider: Provider(&SPEC),
            endpoints: &[Endpoint { path: "/fetch", dataset: &COMPANY_NEWS, window: Some(&WINDOW) }],
            schedule: "0 8-18 * * 1-5",
            summary: "Company news of the active positions",
        },
        Job {
            name: "polygon-news-market",
            route: "/polygon/news-market",
            scope: Scope::None,
            provider: Provider(&SPEC),
            endpoints: &[Endpoint { path: "/fetch/market", dataset: &MARKET_NEWS, window: None }],
            schedule: "0,30 8-18 * * 1-5",
            summary: "Market-wide news",
        },
    ],
};

static WINDOW: WindowParameters = WindowParameters {
    from: "published_date",
    to: None,
    days_max: 1,
    records_a_day: 50,
    dated: "published_utc",
};

static COMPANY_NEWS: Dataset = Dataset {
    name: "polygon_news",
    collection: &NEWS,
    api_name: "company-news",
    mode: Mode::Overwrite,
    shape: Shape::List,
    fields: ARTICLE,
    identify: Identify::Article { prefix: "polygon", stable: STABLE },
    apart: Apart::Content,
    id: &[IdPart::Field("ticker"), IdPart::Field("article_id")],
    expects: Expects::Nothing,
    checks: &[],
    quality: Quality::Limited { records: 10, parameter: "limit", larger: 100, dated: "published_utc" },
    adjusts: &[],
    repeats: true,
};

static MARKET_NEWS: Dataset = Dataset {
    name: "market_news",
    collection: &NEWS,
    api_name: "market-news",
    mode: Mode::Overwrite,
    shape: Shape::Bare,
    fields: ARTICLE,
    identify: Identify::Article { prefix: "polygon_market", stable: STABLE },
    apart: Apart::Content,
    id: &[IdPart::Word("market"), IdPart::Field("article_id")],
    expects: Expects::Nothing,
    checks: &[],
    quality: Quality::Unchecked,
    adjusts: &[],
    repeats: true,
};

/// The fields of every article.
const ARTICLE: &[Field] = &[
    optional("article_id", Kind::FreeText),
    optional("title", Kind::FreeText),
    optional("description", Kind::FreeText),
    optional("url", Kind::FreeText),
    optional("author", Kind::FreeText),
    optional("published_utc", Kind::FreeText),
    optional("amp_url", Kind::FreeText),
    optional("image_url", Kind::FreeText),
    optional("keywords", Kind::Texts),
    optional("tickers", Kind::Texts),
];

const STABLE: &[&str] = &["url", "title", "published_utc"];
