//! Tiingo: end-of-day prices.

use crate::catalogue::dataset::{
    Apart, Check, Collection, Dataset, Expects, IdPart, Identify, Kind, Mode, Quality, Shape, optional,
    required,
};
use crate::catalogue::trouble::PART_OF_AN_HOUR;
use crate::catalogue::{Endpoint, Job, Provider, ProviderSpec, Scope, Trouble, WindowParameters};

pub(super) static SPEC: ProviderSpec = ProviderSpec {
    name: "tiingo",
    title: "Tiingo",
    service_url: "http://localhost:8001",
    batch_size: 50,
    max_concurrency: 4,
    article_prefixes: &[],
    phrases: &[("run over your", PART_OF_AN_HOUR), ("invalid token", Trouble::Transient)],
    phrases_without_data: &[],
    jobs: &[
        Job {
            name: "tiingo-daily-prices",
            route: "/tiingo/daily-prices",
            scope: Scope::EntireWatchlist,
            provider: Provider(&SPEC),
            endpoints: &[PRICES],
            schedule: "0 18 * * 1-5",
            summary: "End-of-day prices of the entire watchlist",
        },
        Job {
            name: "tiingo-daily-prices-indices",
            route: "/tiingo/daily-prices-indices",
            scope: Scope::Indices,
            provider: Provider(&SPEC),
            endpoints: &[PRICES],
            schedule: "5 18 * * 1-5",
            summary: "End-of-day prices of the market indices",
        },
    ],
};

const PRICES: Endpoint = Endpoint { path: "/fetch", dataset: &DAILY_PRICES, window: Some(&WINDOW) };

/// One call a year: some 250 records of a quarter of a kilobyte.
static WINDOW: WindowParameters = WindowParameters {
    from: "start_date",
    to: Some("end_date"),
    days_max: 366,
    records_a_day: 1,
    dated: "date",
};

static DAILY_PRICES: Dataset = Dataset {
    name: "daily_prices",
    collection: &Collection { key: "prices_daily", default: "prices_daily", holds: "end-of-day prices" },
    api_name: "daily-prices",
    mode: Mode::Overwrite,
    shape: Shape::List,
    fields: &[
        required("date", Kind::Date),
        required("open", Kind::Number),
        required("high", Kind::Number),
        required("low", Kind::Number),
        required("close", Kind::Number),
        required("volume", Kind::Number),
        optional("adj_open", Kind::Number),
        optional("adj_high", Kind::Number),
        optional("adj_low", Kind::Number),
        optional("adj_close", Kind::Number),
        optional("adj_volume", Kind::Number),
        optional("div_cash", Kind::Number),
        optional("split_factor", Kind::Number),
    ],
    identify: Identify::AsSent,
    apart: Apart::Nothing,
    id: &[IdPart::Field("ticker"), IdPart::Field("date")],
    expects: Expects::Session("date"),
    checks: &[
        Check::TradingDay("date"),
        Check::NotAhead("date"),
        Check::Positive("open"),
        Check::Positive("high"),
        Check::Positive("low"),
        Check::Positive("close"),
        Check::Ordered("low", "high"),
        Check::NotNegative("volume"),
    ],
    quality: Quality::Bars,
    adjusts: &[("div_cash", 0.0), ("split_factor", 1.0)],
    repeats: true,
};
