//! What is known about one ticker, in every dataset.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use chrono::NaiveDate;
use http::StatusCode;
use serde::Serialize;

use super::query::back;
use crate::api::answer::json;
use crate::api::problem::{FieldError, Problem};
use crate::api::runs::unavailable;
use crate::app::App;
use crate::catalogue::{self, Dataset, Ticker};
use crate::firestore::FirestoreError;
use crate::ledger::coverage::days::Follows;
use crate::ops::coverage::latest_day;
use crate::run::cell::Cell;

/// Sessions, or days, that are looked at.
const SESSIONS: usize = 60;

/// A ticker in all datasets that know it.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Debug, Serialize)]
pub(in crate::api) struct TickerView {
    ticker: String,
    /// Datasets that have known it in the last 60 sessions.
    datasets: Vec<TickerDataset>,
}

/// A ticker in one dataset, over the last 60 sessions or days.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Debug, Serialize)]
struct TickerDataset {
    dataset: &'static str,
    /// The newest session with a stored record, `YYYY-MM-DD`; null if there is none.
    newest: Option<String>,
    /// Sessions without a stored record since the dataset has known the ticker, oldest first.
    missing: Vec<MissingSession>,
    /// The newest of them that a run has reported.
    last_failure: Option<LastFailure>,
}

/// A session without a stored record.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Debug, Serialize)]
struct MissingSession {
    /// `YYYY-MM-DD`
    date: String,
    /// `missing`, `empty`, `stale`, `failed` or `deferred`
    state: &'static str,
}

/// What a run has reported.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Debug, Serialize)]
struct LastFailure {
    /// `YYYY-MM-DD`
    date: String,
    state: &'static str,
    /// The run that found this state; `GET /runs/{run_id}` has the reason.
    run_id: Option<String>,
}

/// `GET /tickers/{ticker}`
pub(in crate::api) async fn show(State(app): State<Arc<App>>, Path(name): Path<String>) -> Response {
    let ticker = match Ticker::parse(&name) {
        Ok(ticker) => ticker,
        Err(error) => {
            let error = FieldError::new("ticker", crate::base::text::excerpt(&name, 80), error.to_string());
            return Problem::invalid(vec![error]).into_response();
        }
    };
    match datasets(&app, ticker.as_str()).await {
        Ok(datasets) => json(StatusCode::OK, &TickerView { ticker: ticker.to_string(), datasets }),
        Err(error) => unavailable(error),
    }
}

/// One dataset after the other: together they may be larger than an instance's memory.
async fn datasets(app: &App, ticker: &str) -> Result<Vec<TickerDataset>, FirestoreError> {
    let mut known = Vec::new();
    for dataset in catalogue::datasets() {
        known.extend(in_dataset(app, dataset, ticker).await?);
    }
    Ok(known)
}

async fn in_dataset(
    app: &App,
    dataset: &'static Dataset,
    ticker: &str,
) -> Result<Option<TickerDataset>, FirestoreError> {
    let (calendar, follows) = (&app.config.ticks.calendar, Follows::of(dataset));
    let now = app.engine.world.clock.now();
    let Some(latest) = latest_day(dataset, calendar, now) else { return Ok(None) };
    let days = back(follows, calendar, latest, SESSIONS)..=latest;
    let mut found: Vec<(NaiveDate, Option<Cell>)> = Vec::new();
    let take = |summary: &crate::ledger::coverage::DaySummary, cells: &crate::ledger::coverage::DayCells| {
        if let Some(known) = cells.get(ticker) {
            found.push((summary.date, known.cell.clone()));
        }
    };
    app.engine.coverage.each_day(dataset.name, &days, take).await?;
    let Some((first, _)) = found.first() else { return Ok(None) };
    let mut view =
        TickerDataset { dataset: dataset.name, newest: None, missing: Vec::new(), last_failure: None };
    // Without sessions, a day without a run is no day that is missing.
    let all = if follows.has_sessions() {
        follows.days(calendar, *first..=latest)
    } else {
        found.iter().map(|(date, _)| *date).collect()
    };
    for date in all {
        let cell = found.iter().find(|(day, _)| *day == date).and_then(|(_, cell)| cell.as_ref());
        view.note(date, cell);
    }
    Ok(Some(view))
}

impl TickerDataset {
    fn note(&mut self, date: NaiveDate, cell: Option<&Cell>) {
        let date = date.to_string();
        match cell {
            Some(cell) if cell.state.is_stored() => self.newest = Some(date),
            Some(cell) => {
                let (state, run_id) = (cell.state.name(), cell.run_id.as_ref().map(ToString::to_string));
                self.last_failure = Some(LastFailure { date: date.clone(), state, run_id });
                self.missing.push(MissingSession { date, state });
            }
            None => self.missing.push(MissingSession { date, state: super::MISSING }),
        }
    }
}
