//! From domain values to HTTP responses.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::api::problem::{FieldError, Problem};
use crate::auth::CHALLENGES;
use crate::engine::Answer;
use crate::run::report::retry_after_seconds;

/// When to retry while Firestore is unreachable.
const FIRESTORE_RETRY_AFTER: Duration = Duration::from_secs(30);

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let wait = self.retry_after;
        let mut response = json(self.status, &self);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            for challenge in CHALLENGES {
                response.headers_mut().append(http::header::WWW_AUTHENTICATE, challenge);
            }
        }
        with_retry_after(response, wait)
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        match self {
            Self::Ended { report, retry_after } => {
                with_retry_after(json(report.http_status(), &report), retry_after)
            }
            Self::Finished(report) => json(StatusCode::OK, &report),
            Self::Running { report, retry_after } => {
                with_retry_after(json(StatusCode::CONFLICT, &report), Some(retry_after))
            }
            Self::TooLarge(reason) => {
                Problem::invalid(vec![FieldError::new("from", "", reason)]).into_response()
            }
            Self::Different => Problem::key_reused().into_response(),
            Self::Unavailable(error) => {
                tracing::error!(%error, "firestore is unreachable");
                Problem::unavailable(error.to_string(), FIRESTORE_RETRY_AFTER).into_response()
            }
        }
    }
}

/// A JSON response. (axum's own adds 20 KB to the component for request errors that cannot occur here.)
pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    match serde_json::to_vec(body) {
        Ok(body) => {
            let mut response = Response::new(Body::from(body));
            *response.status_mut() = status;
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
        Err(error) => {
            tracing::error!(%error, "response could not be encoded");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

fn with_retry_after(mut response: Response, wait: Option<Duration>) -> Response {
    if let Some(wait) = wait {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after_seconds(wait)));
    }
    response
}

/// Whether the configuration is valid.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Serialize)]
pub(super) struct Health<'a> {
    /// `healthy` or `unhealthy`.
    status: &'static str,
    service: &'static str,
    version: &'static str,
    /// All configuration errors.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    errors: &'a [String],
}

pub(super) fn health(errors: &[String]) -> Response {
    let (code, status) = if errors.is_empty() {
        (StatusCode::OK, "healthy")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "unhealthy")
    };
    let body = Health { status, service: "orchestrator", version: env!("CARGO_PKG_VERSION"), errors };
    json(code, &body)
}
