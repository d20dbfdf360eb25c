//! Acme: dividends. A service that `cargo xtask fifth-provider` adds to a copy of the sources.

use std::time::Duration;

use chrono::{DateTime, Days, Utc};
use serde_json::{Value, json};

use crate::dice::Dice;
use crate::endpoint::{Endpoint, EndpointSpec, Form, MINUTE, Rhythm, Service, ServiceSpec, id_of};
use crate::job::Job;
use crate::spec::{Spec, ingested};
use crate::watchlist::Scope;

impl Service {
    /// Dividends.
    pub const ACME: Self = Self(&SPEC);
}

static SPEC: ServiceSpec = ServiceSpec {
    name: "acme",
    title: "Acme",
    default_port: 8005,
    api_key: "acme-key-0123456789",
    limits: &[(MINUTE, 30, "Per-minute rate limit")],
    is_slow_to_tell_health: false,
    server_error: "Acme API error 500: Internal error",
    address: |ticker, key| format!("https://api.acme.example/dividends?symbol={ticker}&token={key}"),
    endpoints: &[Endpoint(&DIVIDENDS)],
};

static DIVIDENDS: EndpointSpec = EndpointSpec {
    service: Service(&SPEC),
    path: "/fetch/dividends",
    collection: "dividends",
    form: Form::List,
    limit: None,
    records: dividends,
    past: None,
    document_id: |record| id_of(record, &["ex_date"]),
    rhythm: Rhythm::OneByOne(Duration::from_millis(500)),
    wrapped: |ticker, message| format!("Failed to fetch dividends for {ticker}: {message}"),
    unknown_symbol: None,
    nothing: || json!([]),
};

/// The jobs of Cloud Scheduler, independent of the orchestrator's own table.
pub(super) const JOBS: &[Job] = &[Job {
    name: "acme-dividends",
    route: "/acme/dividends",
    scope: Scope::EntireWatchlist,
    schedule: "30 6 * * 1-5",
    endpoints: &[Endpoint(&DIVIDENDS)],
}];

/// One dividend per quarter, newest first.
fn dividends(spec: &Spec, ticker: &str, at: DateTime<Utc>) -> Vec<Value> {
    let days = std::iter::successors(Some(at.date_naive()), |day| day.checked_sub_days(Days::new(91)));
    let dividend = |day: chrono::NaiveDate| {
        let day = day.to_string();
        let amount = Dice::new(spec.seed, &["dividend", ticker, &day]).cents(1, 300);
        json!({
            "ticker": ticker,
            "ex_date": day,
            "amount": amount,
            "currency": "USD",
            "source": "acme",
            "ingested_at": ingested(at),
        })
    };
    days.take(spec.records_per_ticker).map(dividend).collect()
}
