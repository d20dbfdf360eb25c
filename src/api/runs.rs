//! The ledger and the breakers, for operators.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri};
use serde::Serialize;
use url::form_urlencoded;

use super::answer::json;
use crate::api::problem::{FieldError, Problem};
use crate::app::App;
use crate::catalogue::{self, Provider};
use crate::engine::Answer;
use crate::firestore::FirestoreError;
use crate::intake::call_log;
use crate::ledger::summary::{ListedRun, RunSummary};
use crate::ledger::{Filter, PageToken};
use crate::resilience::breaker::BreakerState;
use crate::run::Status;
use crate::run::report::{ReportStatus, RunReport};

/// Runs per page, unless the caller asks for fewer or more.
const LIMIT_DEFAULT: usize = 20;
const LIMIT_MAX: usize = 200;

/// The query of `GET /runs`; strings, so that each error can be reported.
#[derive(Debug, Default)]
struct ListQuery {
    job: Option<String>,
    status: Option<String>,
    limit: Option<String>,
    page_token: Option<String>,
}

#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Serialize)]
pub(super) struct RunList {
    runs: Vec<RunLine>,
    next_page_token: Option<String>,
}

/// One run in a list; `GET /runs/{run_id}` returns all details.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Serialize)]
struct RunLine {
    status: ReportStatus,
    job: String,
    message: String,
    data: RunSummary,
}

pub(super) async fn list(State(app): State<Arc<App>>, uri: Uri) -> Response {
    let query = match ListQuery::parse(uri.query().unwrap_or_default()) {
        Ok(query) => query,
        Err(problem) => return problem.into_response(),
    };
    let filter = match filter(&query) {
        Ok(filter) => filter,
        Err(problem) => return problem.into_response(),
    };
    match app.engine.ledger.list(&filter).await {
        Ok(page) => {
            let line = |ListedRun { job, message, summary }| RunLine {
                status: summary.run_status.into(),
                job,
                message,
                data: summary,
            };
            let runs = page.runs.into_iter().map(line).collect();
            json(StatusCode::OK, &RunList { runs, next_page_token: page.next_page_token })
        }
        Err(error) => unavailable(error),
    }
}

impl ListQuery {
    /// Reads a query; unknown parameters are ignored.
    fn parse(text: &str) -> Result<Self, Problem> {
        let mut query = Self::default();
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            let field = match &*name {
                "job" => &mut query.job,
                "status" => &mut query.status,
                "limit" => &mut query.limit,
                "page_token" => &mut query.page_token,
                _ => continue,
            };
            if field.replace(value.into_owned()).is_some() {
                return Err(Problem::invalid(vec![FieldError::new(
                    name.into_owned(),
                    "",
                    "is given more than once",
                )]));
            }
        }
        Ok(query)
    }
}

fn filter(query: &ListQuery) -> Result<Filter<'_>, Problem> {
    let mut errors = Vec::new();
    if let Some(name) = &query.job
        && catalogue::find(name).is_none()
    {
        let message = format!("is not a known job; known jobs: {}", catalogue::job::names());
        errors.push(FieldError::new("job", name, message));
    }
    let status = query.status.as_deref().map(|name| (name, Status::parse(name)));
    if let Some((name, None)) = status {
        let known = Status::ALL.map(Status::name).join(", ");
        errors.push(FieldError::new("status", name, format!("must be one of {known}")));
    }
    let limit = query
        .limit
        .as_deref()
        .map(|text| (text, text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit))));
    if let Some((text, None)) = limit {
        errors.push(FieldError::new("limit", text, format!("must be a whole number from 1 to {LIMIT_MAX}")));
    }
    let token = query.page_token.as_deref().map(|text| (text, PageToken::parse(text)));
    if let Some((text, None)) = &token {
        errors.push(FieldError::new("page_token", *text, "is not a page token from an earlier response"));
    }
    Problem::check(errors)?;
    Ok(Filter {
        job: query.job.as_deref(),
        status: status.and_then(|(_, status)| status),
        limit: limit.and_then(|(_, limit)| limit).unwrap_or(LIMIT_DEFAULT),
        after: token.and_then(|(_, token)| token),
        ..Filter::default()
    })
}

pub(super) async fn show(State(app): State<Arc<App>>, Path(run_id): Path<String>) -> Response {
    match app.engine.ledger.get(&run_id).await {
        Ok(Some(state)) => json(StatusCode::OK, &RunReport::new(&state)),
        Ok(None) => no_run(&run_id),
        Err(error) => unavailable(error),
    }
}

/// The provider calls of a run.
pub(super) async fn calls(State(app): State<Arc<App>>, Path(run_id): Path<String>) -> Response {
    match app.engine.ledger.get(&run_id).await {
        Ok(Some(_)) => {}
        Ok(None) => return no_run(&run_id),
        Err(error) => return unavailable(error),
    }
    match call_log::calls(&app.engine.firestore, &app.config.collections.raw_logs, &run_id).await {
        Ok(calls) => json(StatusCode::OK, &calls),
        Err(error) => unavailable(error),
    }
}

/// Every provider's breaker, as shared by all instances.
pub(super) async fn breakers(State(app): State<Arc<App>>) -> Response {
    let refreshed = Provider::all().map(|provider| app.engine.breakers.refresh(provider));
    if let Err(error) = futures::future::try_join_all(refreshed).await {
        return unavailable(error);
    }
    let breakers = Provider::all().into_iter().map(|provider| breaker(&app, provider)).collect();
    json(StatusCode::OK, &BreakerList { breakers })
}

/// A provider's breaker.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Serialize)]
pub(super) struct BreakerView {
    provider: &'static str,
    breaker: BreakerState,
}

#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Serialize)]
pub(super) struct BreakerList {
    breakers: Vec<BreakerView>,
}

pub(super) fn breaker(app: &App, provider: Provider) -> BreakerView {
    BreakerView { provider: provider.name(), breaker: app.engine.breakers.state(provider) }
}

pub(super) fn no_provider(name: &str) -> Response {
    let known = Provider::all().map(Provider::name).join(", ");
    Problem::not_found(format!("no provider `{name}`; known providers: {known}")).into_response()
}

pub(super) fn no_run(run_id: &str) -> Response {
    Problem::not_found(format!("no run `{run_id}`; GET /runs lists the latest")).into_response()
}

pub(super) fn unavailable(error: FirestoreError) -> Response {
    Answer::Unavailable(error).into_response()
}
