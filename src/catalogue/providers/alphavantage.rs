//! AlphaVantage: technical indicators.

use crate::catalogue::dataset::{
    Apart, Check, Collection, Dataset, Expects, IdPart, Identify, Kind, Mode, Quality, Shape, optional,
    required,
};
use crate::catalogue::trouble::{MINUTE, NOTHING_OF_A_DAY};
use crate::catalogue::{Endpoint, Job, Provider, ProviderSpec, Scope, Trouble};

pub(super) static SPEC: ProviderSpec = ProviderSpec {
    name: "alphavantage",
    title: "AlphaVantage",
    service_url: "http://localhost:8004",
    batch_size: 2,
    max_concurrency: 1,
    article_prefixes: &[],
    phrases: &[
        ("apikey is invalid or missing", Trouble::Transient),
        ("request per second", MINUTE),
        ("invalid api call", Trouble::Permanent),
        ("empty time series data", Trouble::Permanent),
    ],
    // The service drops the upstream's message when the daily limit is exhausted: then no indicator of a ticker has
    // data. If others have data, this one is not in the key's plan.
    phrases_without_data: &[("no time series data found", NOTHING_OF_A_DAY)],
    jobs: &[Job {
        name: "alpha-vantage-technical-indicators",
        route: "/alphavantage/technical-indicators",
        scope: Scope::EntireWatchlist,
        provider: Provider(&SPEC),
        endpoints: &[Endpoint { path: "/fetch", dataset: &TECHNICAL_INDICATORS, window: None }],
        schedule: "0 17 * * 1-5",
        summary: "Technical indicators of the entire watchlist",
    }],
};

static TECHNICAL_INDICATORS: Dataset = Dataset {
    name: "technical_indicators",
    collection: &Collection {
        key: "indicators",
        default: "technical_indicators",
        holds: "technical indicators",
    },
    api_name: "technical-indicators",
    mode: Mode::Merge,
    shape: Shape::Indicators(&["SMA", "EMA", "RSI", "MACD", "BBANDS", "STOCH", "ADX"]),
    fields: &[
        required("indicator", Kind::Text),
        required("date", Kind::Moment),
        required("value", Kind::NumberOrNumbers),
        optional("interval", Kind::FreeText),
        optional("parameters", Kind::Map),
        // A whole time series of any shape: as a map, its index entries alone could exceed a document's limit.
        optional("raw_data", Kind::Json),
    ],
    identify: Identify::AsSent,
    apart: Apart::Nothing,
    id: &[IdPart::Field("ticker"), IdPart::Field("indicator"), IdPart::Day("date")],
    expects: Expects::Session("date"),
    checks: &[Check::NotAhead("date")],
    quality: Quality::Unchecked,
    adjusts: &[],
    repeats: true,
};
