//! Acme: dividends. A provider that `cargo xtask fifth-provider` adds to a copy of the sources.

use crate::catalogue::dataset::{
    Apart, Check, Collection, Dataset, Expects, IdPart, Identify, Kind, Mode, Quality, Shape, optional,
    required,
};
use crate::catalogue::{Endpoint, Job, Provider, ProviderSpec, Scope, Trouble};

pub(super) static SPEC: ProviderSpec = ProviderSpec {
    name: "acme",
    title: "Acme",
    service_url: "http://localhost:8005",
    batch_size: 20,
    max_concurrency: 2,
    article_prefixes: &[],
    phrases: &[("no such security", Trouble::Permanent)],
    phrases_without_data: &[],
    jobs: &[Job {
        name: "acme-dividends",
        route: "/acme/dividends",
        scope: Scope::EntireWatchlist,
        provider: Provider(&SPEC),
        endpoints: &[Endpoint { path: "/fetch/dividends", dataset: &DIVIDENDS, window: None }],
        schedule: "30 6 * * 1-5",
        summary: "Dividends of the entire watchlist",
    }],
};

static DIVIDENDS: Dataset = Dataset {
    name: "dividends",
    collection: &Collection { key: "dividends", default: "dividends", holds: "dividends" },
    api_name: "dividends",
    mode: Mode::Overwrite,
    shape: Shape::List,
    fields: &[
        required("ex_date", Kind::Date),
        required("amount", Kind::Number),
        optional("currency", Kind::FreeText),
    ],
    identify: Identify::AsSent,
    apart: Apart::Nothing,
    id: &[IdPart::Field("ticker"), IdPart::Field("ex_date")],
    expects: Expects::Nothing,
    checks: &[Check::Positive("amount")],
    quality: Quality::Unchecked,
    adjusts: &[],
    repeats: true,
};
