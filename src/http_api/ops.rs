//! Status and metrics.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;

use super::answer::json;
use crate::app::{Answer, App};
use crate::ops::alerts::Rules;
use crate::ops::snapshot::Snapshot;
use crate::ops::status::StatusReport;
use crate::ops::{exposition, metrics};

pub(super) async fn status(State(app): State<Arc<App>>) -> Response {
    json(StatusCode::OK, &*StatusReport::of(&app).await)
}

/// Without Firestore there are no true numbers: the scrape fails, and Prometheus sees `up` at 0.
pub(super) async fn metrics(State(app): State<Arc<App>>) -> Response {
    match Snapshot::of(&app).await {
        Ok(snapshot) => {
            let rules = Rules { config: &app.config.alerts };
            let text = metrics::render(&snapshot, &app.config.collections, &rules, app.world.clock.now());
            ([(CONTENT_TYPE, exposition::CONTENT_TYPE)], text).into_response()
        }
        Err(error) => Answer::Unavailable(error).into_response(),
    }
}
