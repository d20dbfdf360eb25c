//! The catalogue, for people and tools.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Serialize;

use super::answer::json;
use crate::app::App;
use crate::catalogue::job::SCHEDULE_TIME_ZONE;
use crate::catalogue::{self, Job};

/// All jobs.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Serialize)]
pub(super) struct Jobs {
    jobs: Vec<JobView>,
}

/// One catalogue entry.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Serialize)]
struct JobView {
    job: &'static str,
    route: &'static str,
    scope: &'static str,
    provider: &'static str,
    endpoints: Vec<EndpointView>,
    schedule: &'static str,
    time_zone: &'static str,
    summary: &'static str,
}

#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Serialize)]
struct EndpointView {
    path: &'static str,
    dataset: &'static str,
    collection: String,
    /// Whether it can be requested for past days.
    past_days: bool,
}

pub(super) async fn list(State(app): State<Arc<App>>) -> Response {
    json(StatusCode::OK, &Jobs { jobs: catalogue::jobs().map(|job| view(&app, job)).collect() })
}

fn view(app: &App, job: &'static Job) -> JobView {
    let endpoint = |endpoint: &catalogue::Endpoint| {
        let collection = app.config.collections.of(endpoint.dataset).to_owned();
        EndpointView {
            path: endpoint.path,
            dataset: endpoint.dataset.name,
            collection,
            past_days: endpoint.window.is_some(),
        }
    };
    JobView {
        job: job.name,
        route: job.route,
        scope: job.scope.name(),
        provider: job.provider.name(),
        endpoints: job.endpoints.iter().map(endpoint).collect(),
        schedule: job.schedule,
        time_zone: SCHEDULE_TIME_ZONE,
        summary: job.summary,
    }
}
