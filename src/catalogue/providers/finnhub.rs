//! Finnhub: quotes, company news, fundamentals, the earnings calendar.

use crate::catalogue::dataset::{
    Apart, Check, Collection, Dataset, Expects, IdPart, Identify, Kind, Mode, NEWS, Quality, Shape, optional,
    required,
};
use crate::catalogue::{Endpoint, Job, Provider, ProviderSpec, Scope, Trouble, WindowParameters};

pub(super) static SPEC: ProviderSpec = ProviderSpec {
    name: "finnhub",
    title: "Finnhub",
    service_url: "http://localhost:8002",
    batch_size: 50,
    max_concurrency: 4,
    article_prefixes: &["finnhub_"],
    phrases: &[
        // An unknown symbol: its quote is all zeros and nulls.
        ("float() argument must be a string or a real number, not 'nonetype'", Trouble::Permanent),
        ("don't have access to this resource", Trouble::Permanent),
    ],
    phrases_without_data: &[],
    jobs: &[
        Job {
            name: "finnhub-quote-portfolio",
            route: "/finnhub/quote-portfolio",
            scope: Scope::ActiveSymbols,
            provider: Provider(&SPEC),
            endpoints: &[Endpoint { path: "/fetch", dataset: &QUOTES, window: None }],
            schedule: "*/5 9-16 * * 1-5",
            summary: "Intraday quotes of the active positions",
        },
        Job {
            name: "finnhub-quote-indices",
            route: "/finnhub/quote-indices",
            scope: Scope::Indices,
            provider: Provider(&SPEC),
            endpoints: &[Endpoint { path: "/fetch", dataset: &QUOTES, window: None }],
            schedule: "*/5 9-16 * * 1-5",
            summary: "Intraday quotes of the market indices",
        },
        Job {
            name: "finnhub-company-news-universe",
            route: "/finnhub/company-news-universe",
            scope: Scope::EntireWatchlist,
            provider: Provider(&SPEC),
            endpoints: &[Endpoint { path: "/fetch/news", dataset: &COMPANY_NEWS, window: Some(&WINDOW) }],
            schedule: "0 8-18/2 * * 1-5",
            summary: "Company news of the entire watchlist",
        },
        Job {
            name: "finnhub-company-news-portfolio",
            route: "/finnhub/company-news-portfolio",
            scope: Scope::ActiveSymbols,
            provider: Provider(&SPEC),
            endpoints: &[Endpoint { path: "/fetch/news", dataset: &COMPANY_NEWS, window: Some(&WINDOW) }],
            schedule: "0 8-18 * * 1-5",
            summary: "Company news of the active positions",
        },
        Job {
            name: "finnhub-fundamentals-earnings",
            route: "/finnhub/fundamentals-earnings",
            scope: Scope::EntireWatchlist,
            provider: Provider(&SPEC),
            endpoints: &[
                Endpoint { path: "/fetch/fundamentals", dataset: &FUNDAMENTALS, window: None },
                Endpoint { path: "/fetch/earnings", dataset: &EARNINGS, window: None },
            ],
            schedule: "0 7 * * 1-5",
            summary: "Fundamentals and the earnings calendar of the entire watchlist",
        },
    ],
};

static QUOTES: Dataset = Dataset {
    name: "quotes",
    collection: &Collection { key: "prices_intraday", default: "prices_intraday", holds: "intraday quotes" },
    api_name: "quote",
    mode: Mode::Overwrite,
    shape: Shape::One,
    fields: &[
        required("current_price", Kind::Number),
        required("timestamp", Kind::UnixTime),
        optional("change", Kind::Number),
        optional("percent_change", Kind::Number),
        optional("high", Kind::Number),
        optional("low", Kind::Number),
        optional("open", Kind::Number),
        optional("previous_close", Kind::Number),
    ],
    identify: Identify::AsSent,
    apart: Apart::Nothing,
    id: &[IdPart::Field("ticker"), IdPart::Second("timestamp")],
    expects: Expects::Trading("timestamp"),
    checks: &[Check::Positive("current_price"), Check::Plausible("timestamp")],
    quality: Quality::Unchecked,
    adjusts: &[],
    repeats: false,
};

/// The service itself sends a week by default.
static WINDOW: WindowParameters = WindowParameters {
    from: "from_date",
    to: Some("to_date"),
    days_max: 7,
    records_a_day: 30,
    dated: "datetime",
};

static COMPANY_NEWS: Dataset = Dataset {
    name: "finnhub_news",
    collection: &NEWS,
    api_name: "company-news",
    mode: Mode::Overwrite,
    shape: Shape::List,
    fields: &[
        optional("article_id", Kind::FreeText),
        optional("headline", Kind::FreeText),
        optional("summary", Kind::FreeText),
        optional("url", Kind::FreeText),
        optional("original_source", Kind::FreeText),
        optional("category", Kind::FreeText),
        optional("datetime", Kind::UnixTime),
        optional("image", Kind::FreeText),
        optional("related", Kind::FreeText),
    ],
    identify: Identify::Article { prefix: "finnhub", stable: &["url", "headline", "datetime"] },
    apart: Apart::Content,
    id: &[IdPart::Field("ticker"), IdPart::Field("article_id")],
    expects: Expects::Nothing,
    checks: &[Check::Plausible("datetime")],
    quality: Quality::Unchecked,
    adjusts: &[],
    repeats: true,
};

static FUNDAMENTALS: Dataset = Dataset {
    name: "fundamentals",
    collection: &Collection { key: "fundamentals", default: "fundamentals", holds: "fundamentals" },
    api_name: "fundamentals",
    mode: Mode::Merge,
    shape: Shape::One,
    fields: &[
        required("report_date", Kind::Text),
        optional("market_cap", Kind::Number),
        optional("shares_outstanding", Kind::Number),
        optional("pe_ratio", Kind::Number),
        optional("pb_ratio", Kind::Number),
        optional("roe", Kind::Number),
        optional("roa", Kind::Number),
        optional("debt_to_equity", Kind::Number),
        optional("current_ratio", Kind::Number),
    ],
    identify: Identify::AsSent,
    apart: Apart::Nothing,
    id: &[IdPart::Field("ticker"), IdPart::Field("report_date")],
    expects: Expects::Record,
    checks: &[],
    quality: Quality::Unchecked,
    adjusts: &[],
    repeats: true,
};

static EARNINGS: Dataset = Dataset {
    name: "earnings",
    collection: &Collection { key: "earnings", default: "earnings_calendar", holds: "the earnings calendar" },
    api_name: "earnings",
    mode: Mode::Merge,
    shape: Shape::List,
    fields: &[
        required("earnings_date", Kind::Date),
        optional("quarter", Kind::Integer),
        optional("year", Kind::Integer),
        optional("eps_estimate", Kind::Number),
        optional("eps_actual", Kind::Number),
        optional("revenue_estimate", Kind::Number),
        optional("revenue_actual", Kind::Number),
    ],
    identify: Identify::AsSent,
    apart: Apart::Quarter,
    id: &[IdPart::Field("ticker"), IdPart::Field("earnings_date")],
    expects: Expects::Nothing,
    checks: &[],
    quality: Quality::Unchecked,
    adjusts: &[],
    repeats: true,
};
