//! Orders: what people tell the service to do. Each is stored with who gave it and why.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::response::{IntoResponse, Response};
use chrono::SubsecRound;
use http::{StatusCode, Uri};
use serde::Serialize;
use url::form_urlencoded;

use super::answer::json;
use super::read;
use super::request::order::{ResumeOrder, parse_optional_reason, parse_pause, parse_reason, parse_resume};
use super::runs::{breaker, no_provider, no_run, unavailable};
use crate::api::problem::{FieldError, Problem};
use crate::app::App;
use crate::auth::Caller;
use crate::catalogue::{self, Job, Provider};
use crate::engine::orders::{Resumed, Selection, Stopped};
use crate::firestore::FirestoreError;
use crate::ledger::orders::{Action, GivenOrder, Order};
use crate::ledger::pauses::{Pause, PauseView, Window};

/// Orders in a list, unless the caller asks for fewer or more.
pub(super) const LISTED_DEFAULT: usize = 50;
pub(super) const LISTED_MAX: usize = 500;

/// The latest orders.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Serialize)]
pub(super) struct OrderList {
    /// Newest first.
    orders: Vec<GivenOrder>,
}

/// Whether a job is paused.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Serialize)]
pub(super) struct JobPause {
    job: &'static str,
    /// Null if its ticks are run.
    paused: Option<PauseView>,
}

/// What an order to resume many runs has done, or would do.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Serialize)]
pub(super) struct ResumedRuns {
    dry_run: bool,
    /// Runs that the filter matches; `limit` of them are listed.
    matched: usize,
    /// Oldest first, in the order in which they are resumed.
    runs: Vec<Resumed>,
}

/// Why an order was not carried out.
pub(super) enum Refused {
    Problem(Box<Problem>),
    Firestore(FirestoreError),
}

pub(super) type Carried = Result<Response, Refused>;

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl From<FirestoreError> for Refused {
    fn from(error: FirestoreError) -> Self {
        Self::Firestore(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Problem(problem) => problem.into_response(),
            Self::Firestore(error) => unavailable(error),
        }
    }
}

/// `GET /orders`
pub(super) async fn list(State(app): State<Arc<App>>, uri: Uri) -> Carried {
    let limit = limit(uri.query().unwrap_or_default())?;
    let orders = app.engine.in_time(app.engine.ledger.orders(limit)).await?;
    Ok(json(StatusCode::OK, &OrderList { orders }))
}

/// The limit that a query asks for; unknown parameters are ignored.
fn limit(query: &str) -> Result<usize, Problem> {
    let mut given = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "limit");
    let Some((_, text)) = given.next() else { return Ok(LISTED_DEFAULT) };
    let limit = text.parse().ok().filter(|limit| (1..=LISTED_MAX).contains(limit));
    limit.filter(|_| given.next().is_none()).ok_or_else(|| {
        let message = format!("must be one whole number from 1 to {LISTED_MAX}");
        Problem::invalid(vec![FieldError::new("limit", crate::base::text::excerpt(&text, 80), message)])
    })
}

/// `POST /jobs/{job}/pause`
pub(super) async fn pause(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Extension(Caller(who)): Extension<Caller>,
    body: Body,
) -> Carried {
    let job = find(&name)?;
    let now = app.engine.world.clock.now().trunc_subsecs(6);
    let wanted = parse_pause(&read(&app, body).await?, now)?;
    let details = wanted.until.map(|until| format!("until {}", until.to_rfc3339()));
    let order = order(Action::Pause, job.name, &who, Some(&wanted.reason), details);
    let window = Window { since: now, until: wanted.until };
    let pause = Pause { window, by: who, reason: wanted.reason, earlier: Vec::new() };
    let order = app.engine.ledger.order(&order);
    let paused = app.engine.in_time(app.engine.ledger.pause(job.name, &pause, &order)).await?;
    app.ops.forget();
    Ok(json(StatusCode::OK, &JobPause { job: job.name, paused: Some(paused.view()) }))
}

/// `POST /jobs/{job}/unpause`
pub(super) async fn unpause(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Extension(Caller(who)): Extension<Caller>,
    body: Body,
) -> Carried {
    let job = find(&name)?;
    let reason = parse_reason(&read(&app, body).await?)?;
    let order = order(Action::Unpause, job.name, &who, Some(&reason), None);
    let order = app.engine.ledger.order(&order);
    let now = app.engine.world.clock.now().trunc_subsecs(6);
    if app.engine.in_time(app.engine.ledger.unpause(job.name, now, &order)).await?.is_none() {
        return Err(Problem::conflict(format!("{} is not paused", job.name)).into());
    }
    app.ops.forget();
    Ok(json(StatusCode::OK, &JobPause { job: job.name, paused: None }))
}

/// `POST /runs/{run_id}/cancel`
pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    Path(run_id): Path<String>,
    Extension(Caller(who)): Extension<Caller>,
    body: Body,
) -> Carried {
    let reason = parse_reason(&read(&app, body).await?)?;
    let order = order(Action::Cancel, &run_id, &who, Some(&reason), None);
    Ok(match app.engine.in_time(app.engine.cancel(&run_id, &order)).await? {
        None => no_run(&run_id),
        Some(Stopped::Cancelled(report)) => json(StatusCode::OK, &report),
        Some(Stopped::Asked(report)) => json(StatusCode::ACCEPTED, &report),
        Some(Stopped::Ended(report)) => {
            let status = report.data.run_status.name();
            let message = &report.message;
            let detail =
                format!("the run had ended before, {status}: there is nothing to cancel ({message})");
            return Err(Problem::conflict(detail).into());
        }
    })
}

/// `POST /runs/{run_id}/resume`
pub(super) async fn resume(
    State(app): State<Arc<App>>,
    Path(run_id): Path<String>,
    Extension(Caller(who)): Extension<Caller>,
    body: Body,
) -> Carried {
    let reason = parse_optional_reason(&read(&app, body).await?)?;
    let order = app.engine.ledger.order(&order(Action::Resume, &run_id, &who, reason.as_deref(), None));
    let answer = app.engine.resume(&run_id, Some(order)).await;
    Ok(answer.map_or_else(|| no_run(&run_id), IntoResponse::into_response))
}

/// `POST /runs/resume`
pub(super) async fn resume_runs(
    State(app): State<Arc<App>>,
    Extension(Caller(who)): Extension<Caller>,
    body: Body,
) -> Carried {
    let start = app.engine.world.clock.instant();
    let ResumeOrder { reason, job, status, from, to, limit, dry_run } =
        parse_resume(&read(&app, body).await?)?;
    let selection = Selection { job, status, from, until: to, limit };
    let found = app.engine.in_time(app.engine.resumable(&selection)).await?;
    let Some((matched, runs)) = found else {
        let message = "more than 1000 runs match: name a job, or a shorter time with `from` and `to`";
        return Err(Problem::invalid(vec![FieldError::new("from", "", message)]).into());
    };
    if dry_run || runs.is_empty() {
        return Ok(json(StatusCode::OK, &ResumedRuns { dry_run, matched, runs }));
    }
    let ids: Vec<_> = runs.iter().map(|run| run.run_id.as_str()).collect();
    let details = Some(ids.join(", "));
    let order = order(Action::ResumeRuns, &selection.words(), &who, reason.as_deref(), details);
    app.engine.in_time(app.engine.ledger.record(&order)).await?;
    let runs = app.engine.resume_all(runs, start).await;
    Ok(json(StatusCode::OK, &ResumedRuns { dry_run, matched, runs }))
}

/// `POST /breakers/{provider}/reset`
pub(super) async fn reset_breaker(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Extension(Caller(who)): Extension<Caller>,
    body: Body,
) -> Carried {
    let Some(provider) = Provider::parse(&name) else { return Ok(no_provider(&name)) };
    let reason = parse_optional_reason(&read(&app, body).await?)?;
    let order = order(Action::ResetBreaker, provider.name(), &who, reason.as_deref(), None);
    app.engine.in_time(app.engine.ledger.record(&order)).await?;
    app.engine.in_time(app.engine.breakers.reset(provider)).await?;
    app.ops.forget();
    Ok(json(StatusCode::OK, &breaker(&app, provider)))
}

pub(super) fn order(
    what: Action,
    subject: &str,
    who: &str,
    why: Option<&str>,
    details: Option<String>,
) -> Order {
    Order { what, subject: subject.to_owned(), who: who.to_owned(), why: why.map(ToOwned::to_owned), details }
}

fn find(name: &str) -> Result<&'static Job, Problem> {
    catalogue::find(name).ok_or_else(|| {
        let name = crate::base::text::excerpt(name, 80);
        Problem::not_found(format!("no job `{name}`; known jobs: {}", catalogue::job::names()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_as_many_orders_as_asked_for() {
        let read = |query: &str| limit(query).map_err(|problem| problem.detail);
        assert_eq!(
            (read(""), read("x=1"), read("limit=500")),
            (Ok(LISTED_DEFAULT), Ok(LISTED_DEFAULT), Ok(500))
        );
        for query in ["limit=0", "limit=501", "limit=x", "limit=5&limit=6"] {
            assert!(read(query).unwrap_err().contains("must be one whole number from 1 to 500"), "{query}");
        }
    }
}
