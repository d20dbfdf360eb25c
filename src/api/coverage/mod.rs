//! Coverage, for operators: which data there is for which day.

pub(super) mod query;
pub(super) mod ticker;
mod watched;

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, NaiveDate, Utc};
use http::{StatusCode, Uri};
use serde::Serialize;

use super::answer::json;
use super::runs::unavailable;
use crate::api::problem::Problem;
use crate::app::App;
use crate::calendar::schedule::Schedule;
use crate::catalogue::Dataset;
use crate::firestore::FirestoreError;
use crate::ledger::coverage::days::Follows;
use crate::ledger::coverage::verify::Verified;
use crate::ledger::coverage::{Counts, DaySummary};
use crate::ops::coverage::{feeding, latest_day};
use crate::run::cell::{CellState, Day};
use query::DaysQuery;

/// Most tickers of one state that are named.
pub(super) const NAMED_MAX: usize = 1_000;
/// Most flags in one response.
pub(super) const FLAGS_MAX: usize = 1_000;
/// The state of expected tickers about which nothing is known.
const MISSING: &str = "missing";

/// How many tickers of a day are in which state.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct CountsView {
    /// Tickers that the day's scheduled runs have planned; those of the watchlist if no run came.
    expected: u64,
    stored: u64,
    /// Stored, but doubtful: `GET /flags` says why.
    flagged: u64,
    empty: u64,
    stale: u64,
    failed: u64,
    deferred: u64,
    /// Expected tickers about which nothing is known.
    missing: u64,
}

impl From<Counts> for CountsView {
    fn from(counts: Counts) -> Self {
        let Counts { expected, stored, flagged, empty, stale, failed, deferred, missing, .. } = counts;
        Self { expected, stored, flagged, empty, stale, failed, deferred, missing }
    }
}

/// One day of a dataset.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Debug, Serialize)]
struct SessionCoverage {
    /// `YYYY-MM-DD`
    date: String,
    #[serde(flatten)]
    counts: CountsView,
    /// When a cell last changed; null if no run has recorded anything.
    changed_at: Option<DateTime<Utc>>,
}

/// The coverage of a dataset.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Debug, Serialize)]
pub(super) struct CoverageGrid {
    dataset: &'static str,
    /// Sessions of US equities, oldest first; days in New York if the dataset has no sessions.
    sessions: Vec<SessionCoverage>,
}

/// `GET /coverage`
pub(super) async fn grid(State(app): State<Arc<App>>, uri: Uri) -> Response {
    let query = match DaysQuery::parse(uri.query().unwrap_or_default(), &app) {
        Ok(query) => query,
        Err(problem) => return problem.into_response(),
    };
    match sessions(&app, &query).await {
        Ok(sessions) => json(StatusCode::OK, &CoverageGrid { dataset: query.dataset.name, sessions }),
        Err(error) => unavailable(error),
    }
}

async fn sessions(app: &App, query: &DaysQuery) -> Result<Vec<SessionCoverage>, FirestoreError> {
    let found = app.engine.coverage.counts(query.dataset.name, &query.days).await?;
    let follows = Follows::of(query.dataset);
    let latest = latest_day(query.dataset, &app.config.ticks.calendar, app.engine.world.clock.now());
    let was_due =
        |date: NaiveDate| latest.is_some_and(|latest| date <= latest) && is_due(query.dataset, date);
    let mut sessions = Vec::new();
    for date in follows.days(&app.config.ticks.calendar, query.days.clone()) {
        let summary = found.iter().find(|summary| summary.date == date);
        let planned = summary.is_some_and(|summary| summary.counts.expected > 0);
        // Nothing is known of a day that no run has been due for yet, or never is.
        if summary.is_none() && !was_due(date) {
            continue;
        }
        let mut counts = summary.map_or_else(Counts::default, |summary| summary.counts);
        if !planned {
            let watched = watched::of(app, query.dataset).await?;
            counts.expected = u64::try_from(watched.len()).unwrap_or(u64::MAX);
            counts.missing = counts.expected.saturating_sub(counts.known());
        }
        let changed_at = summary.and_then(|summary| summary.changed_at);
        sessions.push(SessionCoverage { date: date.to_string(), counts: counts.into(), changed_at });
    }
    Ok(sessions)
}

/// Whether a run is ever due for a day: every session is, of the other days those on which a job has a tick.
fn is_due(dataset: &'static Dataset, date: NaiveDate) -> bool {
    let has_tick =
        |schedule: &str| Schedule::parse(schedule).is_some_and(|schedule| schedule.is_due_on(date));
    Follows::of(dataset).has_sessions() || feeding(dataset).any(|job| has_tick(job.schedule))
}

/// The tickers of one state.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Debug, Serialize)]
struct StateView {
    /// `stored`, `flagged`, `empty`, `stale`, `failed`, `deferred` or `missing`
    state: &'static str,
    count: usize,
    /// As many as fit into a response.
    tickers: Vec<String>,
    /// Number of further ones.
    left_out: usize,
}

/// A day of a dataset.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Debug, Serialize)]
pub(super) struct DayCoverage {
    dataset: &'static str,
    /// `YYYY-MM-DD`
    date: String,
    /// Whether its days are sessions, whose documents can be counted.
    has_sessions: bool,
    expected: usize,
    /// When a cell last changed; null if no run has recorded anything.
    changed_at: Option<DateTime<Utc>>,
    /// The run that changed it last; `verified` if the documents were counted.
    run_id: Option<String>,
    /// States with tickers, what needs attention first.
    states: Vec<StateView>,
}

/// `GET /coverage/{dataset}/{date}`
pub(super) async fn day(
    State(app): State<Arc<App>>,
    Path((dataset, date)): Path<(String, String)>,
) -> Response {
    let day = match query::day(&dataset, &date, &app.config.ticks.calendar) {
        Ok(day) => day,
        Err(problem) => return problem.into_response(),
    };
    match day_coverage(&app, day).await {
        Ok(coverage) => json(StatusCode::OK, &coverage),
        Err(error) => unavailable(error),
    }
}

async fn day_coverage(
    app: &App,
    (dataset, date): (&'static Dataset, NaiveDate),
) -> Result<DayCoverage, FirestoreError> {
    let whole = app.engine.coverage.day(Day { dataset: dataset.name, date }).await?;
    let mut names: Vec<(&'static str, Vec<String>)> =
        [MISSING, "failed", "stale", "empty", "deferred", "flagged", "stored"]
            .map(|state| (state, Vec::new()))
            .into();
    let mut note = |state: &str, ticker: &str| {
        if let Some((_, tickers)) = names.iter_mut().find(|(known, _)| *known == state) {
            tickers.push(ticker.to_owned());
        }
    };
    let mut expected = 0;
    for (ticker, known) in whole.iter().flat_map(|whole| whole.cells.iter()) {
        expected += usize::from(known.expected);
        note(known.cell.as_ref().map_or(MISSING, |cell| cell.state.name()), ticker);
    }
    if expected == 0 {
        let watched = watched::of(app, dataset).await?;
        expected = watched.len();
        let is_known = |ticker: &str| whole.as_ref().is_some_and(|whole| whole.cells.get(ticker).is_some());
        watched.iter().filter(|ticker| !is_known(ticker)).for_each(|ticker| note(MISSING, ticker));
    }
    let state = |(state, mut tickers): (&'static str, Vec<String>)| {
        let count = tickers.len();
        tickers.truncate(NAMED_MAX);
        StateView { state, count, left_out: count - tickers.len(), tickers }
    };
    let summary: Option<DaySummary> = whole.map(|whole| whole.summary);
    Ok(DayCoverage {
        dataset: dataset.name,
        date: date.to_string(),
        has_sessions: Follows::of(dataset).has_sessions(),
        expected,
        changed_at: summary.as_ref().and_then(|summary| summary.changed_at),
        run_id: summary.and_then(|summary| summary.run_id),
        states: names.into_iter().filter(|(_, tickers)| !tickers.is_empty()).map(state).collect(),
    })
}

/// What a count of the documents has shown.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Debug, Serialize)]
pub(super) struct Verification {
    dataset: &'static str,
    /// `YYYY-MM-DD`
    date: String,
    /// Number of documents of the day.
    documents: u64,
    /// Whether the coverage was wrong, and has been corrected.
    changed: bool,
    before: CountsView,
    after: CountsView,
}

/// `POST /coverage/{dataset}/{date}/verify`
pub(super) async fn verify(
    State(app): State<Arc<App>>,
    Path((dataset, date)): Path<(String, String)>,
) -> Response {
    let (dataset, date) = match query::day(&dataset, &date, &app.config.ticks.calendar) {
        Ok(day) => day,
        Err(problem) => return problem.into_response(),
    };
    let Some(records) = Follows::of(dataset).records(dataset, date, &app.config.collections) else {
        return query::no_sessions(dataset).into_response();
    };
    match app.engine.coverage.verify(Day { dataset: dataset.name, date }, &records).await {
        Ok(Verified { documents, changed, before, after }) => {
            tracing::info!(dataset = dataset.name, date = %date, documents, changed, "coverage verified");
            let (before, after) = (before.into(), after.into());
            let date = date.to_string();
            json(
                StatusCode::OK,
                &Verification { dataset: dataset.name, date, documents, changed, before, after },
            )
        }
        Err(error) => unavailable(error),
    }
}

/// A doubtful cell.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Debug, Serialize)]
struct Flag {
    /// `YYYY-MM-DD`
    date: String,
    ticker: String,
    /// Why, as in the field `quality` of its documents.
    codes: Vec<String>,
}

/// The doubtful cells of a dataset.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Debug, Serialize)]
pub(super) struct FlagList {
    dataset: &'static str,
    /// Oldest first, as many as fit into a response.
    flags: Vec<Flag>,
    /// Number of further ones.
    left_out: u64,
}

/// `GET /flags`
pub(super) async fn flags(State(app): State<Arc<App>>, uri: Uri) -> Response {
    let query = match DaysQuery::parse(uri.query().unwrap_or_default(), &app) {
        Ok(query) => query,
        Err(problem) => return problem.into_response(),
    };
    match flagged(&app, &query).await {
        Ok(flags) => json(StatusCode::OK, &flags),
        Err(error) => unavailable(error),
    }
}

/// Only days with flags are read as a whole.
async fn flagged(app: &App, query: &DaysQuery) -> Result<FlagList, FirestoreError> {
    let dataset = query.dataset.name;
    let mut all = FlagList { dataset, flags: Vec::new(), left_out: 0 };
    let summaries = app.engine.coverage.counts(dataset, &query.days).await?;
    for summary in summaries.iter().filter(|summary| summary.counts.flagged > 0) {
        if all.flags.len() >= FLAGS_MAX {
            all.left_out += summary.counts.flagged;
            continue;
        }
        let Some(whole) = app.engine.coverage.day(Day { dataset, date: summary.date }).await? else {
            continue;
        };
        for (ticker, known) in whole.cells.iter() {
            let Some(cell) = known.cell.as_ref().filter(|cell| cell.state == CellState::Flagged) else {
                continue;
            };
            if all.flags.len() >= FLAGS_MAX {
                all.left_out += 1;
                continue;
            }
            let codes = cell.codes.iter().flat_map(|codes| codes.iter().cloned()).collect();
            all.flags.push(Flag { date: summary.date.to_string(), ticker: ticker.to_string(), codes });
        }
    }
    Ok(all)
}

/// What is known about a dataset's name; none of ours is a `Problem` that names them.
fn known_datasets() -> String {
    crate::catalogue::datasets().map(|dataset| dataset.name).collect::<Vec<_>>().join(", ")
}

fn no_dataset(name: &str) -> Problem {
    Problem::not_found(format!("no dataset `{name}`; known datasets: {}", known_datasets()))
}
