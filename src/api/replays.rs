//! Replays: stored answers are taken in once more.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::response::IntoResponse;
use http::{HeaderMap, StatusCode};
use serde::Serialize;

use super::answer::json;
use super::orders::{Carried, order};
use super::read;
use super::request::idempotency_key;
use super::request::replay::{ReplayOrder, parse_replay, parse_replays};
use super::runs::no_run;
use crate::api::problem::{FieldError, Problem};
use crate::app::App;
use crate::auth::Caller;
use crate::base::id::new_uuid;
use crate::base::text;
use crate::catalogue::{self, Job};
use crate::engine::execute::differences::Differences;
use crate::engine::replay::{RUNS_MAX, Recalling, Selected};
use crate::ledger::orders::Action;
use crate::run::Status;
use crate::run::report::ReportStatus;

/// What a replay would do; nothing has been done.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Serialize)]
pub(super) struct ReplayPreview {
    status: ReportStatus,
    job: &'static str,
    message: String,
    data: ReplayPreviewData,
}

#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Serialize)]
struct ReplayPreviewData {
    /// Always true.
    dry_run: bool,
    #[serde(flatten)]
    found: Differences,
}

/// `POST /runs/{run_id}/replay`
pub(super) async fn replay(
    State(app): State<Arc<App>>,
    Path(run_id): Path<String>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Carried {
    let how = parse_replay(&read(&app, body).await?)?;
    let Some(state) = app.engine.ledger.get(&run_id).await? else { return Ok(no_run(&run_id)) };
    let Some(job) = catalogue::find(&state.job) else {
        return Err(Problem::conflict(format!("{} is not a job any more", state.job)).into());
    };
    if state.status == Status::Running {
        return Err(Problem::conflict(format!("{run_id} is running: replay it when it has ended")).into());
    }
    if state.replay.is_some() {
        let message = format!("{run_id} is a replay itself: replay the runs whose answers it has taken in");
        return Err(Problem::conflict(message).into());
    }
    let wanted = Recalling { job, asked: run_id.clone(), runs: vec![run_id] };
    begin(&app, wanted, how, &caller, idempotency_key(&headers)?).await
}

/// `POST /replays`
pub(super) async fn replays(
    State(app): State<Arc<App>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Carried {
    let wanted = parse_replays(&read(&app, body).await?)?;
    let (job, from, until) = (wanted.job, wanted.from, wanted.until);
    let asked = format!("{} from {} to {}", job.name, from.to_rfc3339(), until.to_rfc3339());
    // What a key stands for does not change while runs come and go.
    let key = idempotency_key(&headers)?;
    if let Some(given) = key.as_deref().filter(|_| !wanted.how.dry_run)
        && let Some(known) = app.engine.ledger.get(&run_id_of(job, given)).await?
    {
        let runs = known.replay.map(|replay| replay.runs).unwrap_or_default();
        return begin(&app, Recalling { job, runs, asked }, wanted.how, &caller, key).await;
    }
    let runs = match app.engine.in_time(app.engine.replayable(job, from, until)).await? {
        Selected::Runs(runs) if !runs.is_empty() => runs,
        Selected::Runs(_) => {
            let message = format!("no run of {} was created then, or none has ended", job.name);
            return Err(Problem::invalid(vec![FieldError::new("from", from.to_rfc3339(), message)]).into());
        }
        Selected::TooMany => {
            let message = format!("more than {RUNS_MAX} runs are too many for one replay: choose less time");
            return Err(Problem::invalid(vec![FieldError::new("from", from.to_rfc3339(), message)]).into());
        }
    };
    begin(&app, Recalling { job, runs, asked }, wanted.how, &caller, key).await
}

async fn begin(
    app: &App,
    wanted: Recalling,
    how: ReplayOrder,
    Caller(who): &Caller,
    key: Option<String>,
) -> Carried {
    let (job, subject) = (wanted.job.name, wanted.asked.clone());
    if how.dry_run {
        let found = app.engine.differences(&wanted).await?;
        let message = message(&found);
        let data = ReplayPreviewData { dry_run: true, found };
        return Ok(json(StatusCode::OK, &ReplayPreview { status: ReportStatus::Ok, job, message, data }));
    }
    let key = key.unwrap_or_else(|| new_uuid(&app.engine.world));
    let run_id = run_id_of(wanted.job, &key);
    let details = format!("{run_id}: {}", text::count(count(wanted.runs.len()), "run"));
    let order = order(Action::Replay, &subject, who, how.reason.as_deref(), Some(details));
    let order = app.engine.ledger.order(&order);
    Ok(app.engine.replay(run_id, wanted, order).await.into_response())
}

fn run_id_of(job: &Job, key: &str) -> String {
    format!("{}_replay_{key}", job.name)
}

fn message(found: &Differences) -> String {
    let Differences { new, changed, unchanged, superseded, rejected, .. } = found;
    let rest = if found.complete { "" } else { "; there is more: choose fewer runs to see the rest" };
    format!(
        "dry run: {} of {} would make {} new and {changed} changed; {unchanged} unchanged, {superseded} superseded \
         since, {rejected} rejected{rest}",
        text::count(found.answers, "answer"),
        text::count(count(found.runs), "run"),
        text::count(*new, "record"),
    )
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
