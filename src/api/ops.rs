//! Status, metrics, and probes of a provider's service.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;

use super::answer::json;
use super::runs::no_provider;
use crate::api::problem::Problem;
use crate::app::App;
use crate::catalogue::Provider;
use crate::engine::Answer;
use crate::ops::alerts::Rules;
use crate::ops::facts::Facts;
use crate::ops::probe::Probed;
use crate::ops::status::StatusReport;
use crate::ops::{exposition, metrics};

pub(super) async fn status(State(app): State<Arc<App>>) -> Response {
    json(StatusCode::OK, &*StatusReport::of(&app.ops).await)
}

/// Probes a provider's service, if that is allowed now.
pub(super) async fn probe(State(app): State<Arc<App>>, Path(name): Path<String>) -> Response {
    let Some(provider) = Provider::parse(&name) else { return no_provider(&name) };
    match crate::ops::probe::probe(&app.ops, provider).await {
        Ok(Probed::Done(result)) => json(StatusCode::OK, &result),
        Ok(Probed::Refused { reason, retry_after }) => Problem::not_now(reason, retry_after).into_response(),
        Err(error) => Answer::Unavailable(error).into_response(),
    }
}

/// Without Firestore there are no correct numbers: the scrape fails, and Prometheus sees `up` at 0.
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    match Facts::of(&app.ops).await {
        Ok(facts) => {
            let rules = Rules { config: &app.config.alerts, ticks: &app.config.ticks };
            let text = metrics::render(&facts, &app.config.collections, &rules, app.engine.world.clock.now());
            ([(CONTENT_TYPE, exposition::CONTENT_TYPE)], text).into_response()
        }
        Err(error) => Answer::Unavailable(error).into_response(),
    }
}
