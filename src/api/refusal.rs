//! The responses to callers who may not call.

use std::time::Duration;

use crate::api::problem::Problem;
use crate::auth::Refusal;

/// The response to a refused caller; the log has the details.
pub(super) fn tell(refusal: &Refusal, path: &str) -> Problem {
    match refusal {
        Refusal::NoToken => {
            tracing::info!(http.path = path, "request refused: no token");
            Problem::unauthorized(
                "bearer token required: an ID token of the scheduler's service account, or the operator token",
            )
        }
        Refusal::BadToken(reason) => {
            tracing::warn!(http.path = path, reason, "request refused: invalid token");
            Problem::unauthorized("the bearer token is invalid")
        }
        Refusal::WrongCaller(denial) => {
            tracing::warn!(http.path = path, reason = %denial, "request refused: caller not allowed");
            Problem::forbidden("the caller is not allowed to use this service")
        }
        Refusal::ForeignPage => {
            tracing::warn!(http.path = path, "request refused: page from another origin");
            Problem::forbidden(
                "pages from other origins may not make changes; cors_allow_origins lists the allowed ones",
            )
        }
        Refusal::NoKeys(reason) => {
            tracing::error!(
                http.path = path,
                reason,
                "callers cannot be verified: Google's keys are unavailable"
            );
            Problem::unavailable("the caller cannot be verified at the moment", Duration::from_secs(10))
        }
    }
}
