//! The plan of a backfill, before it is started.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;

use super::answer::json;
use super::orders::order;
use crate::app::App;
use crate::auth::Caller;
use crate::engine::Answer;
use crate::engine::backfill::{NoPlan, Plan};
use crate::ledger::orders::Action;
use crate::run::report::ReportStatus;
use crate::run::{Backfill, Trigger};

/// What a backfill would do; nothing has been done.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Serialize)]
pub(super) struct BackfillPreview {
    status: ReportStatus,
    job: &'static str,
    message: String,
    data: PreviewData,
}

#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Serialize)]
struct PreviewData {
    /// Always true.
    dry_run: bool,
    #[serde(flatten)]
    backfill: Backfill,
    #[serde(flatten)]
    plan: Plan,
}

pub(super) async fn preview(app: &App, trigger: &Trigger, backfill: Backfill) -> Response {
    match app.engine.preview(trigger, backfill).await {
        Ok(plan) => {
            let data = PreviewData { dry_run: true, backfill, plan };
            let job = trigger.job.name;
            let message = message(&data.plan);
            json(StatusCode::OK, &BackfillPreview { status: ReportStatus::Ok, job, message, data })
        }
        Err(NoPlan::TooLarge(reason)) => Answer::TooLarge(reason).into_response(),
        Err(NoPlan::Firestore(error)) => Answer::Unavailable(error).into_response(),
    }
}

/// Runs a backfill; the order is stored with it.
pub(super) async fn start(app: &App, trigger: Trigger, backfill: Backfill, caller: &Caller) -> Response {
    let whom = match &trigger.tickers {
        Some(tickers) => format!("{} tickers", tickers.len()),
        None => trigger.scope.to_string(),
    };
    let only = backfill.only.name();
    let details = format!("{} of {}, {whom}, only {only}", trigger.job.name, backfill.window);
    let why = trigger.reason.as_deref();
    let order = order(Action::Backfill, &trigger.run_id, &caller.0, why, Some(details));
    let order = app.engine.ledger.order(&order);
    app.engine.run_by_order(trigger, Some(order)).await.into_response()
}

fn message(plan: &Plan) -> String {
    if plan.cells == 0 {
        return "dry run: nothing to fill".to_owned();
    }
    let counted = |count: usize, word: &str| {
        if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
    };
    let time = match plan.minutes {
        Some(minutes) => format!(
            ", about {} at the present rate",
            counted(usize::try_from(minutes).unwrap_or(usize::MAX), "minute")
        ),
        None => String::new(),
    };
    format!(
        "dry run: {} of {} would be requested with {}{time}",
        counted(plan.cells, "record"),
        counted(plan.tickers, "ticker"),
        counted(plan.calls, "call"),
    )
}
