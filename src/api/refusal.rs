//! What callers are told who may not call.

use std::time::Duration;

use crate::api::problem::Problem;
use crate::auth::Refusal;

/// What a caller who is turned away is told; the log learns more.
pub(super) fn tell(refusal: &Refusal, path: &str) -> Problem {
    match refusal {
        Refusal::NoToken => {
            tracing::info!(http.path = path, "request without a token refused");
            Problem::unauthorized(
                "a bearer token is needed: an ID token of the scheduler's service account, or the operator's token",
            )
        }
        Refusal::BadToken(reason) => {
            tracing::warn!(http.path = path, reason, "request with a bad token refused");
            Problem::unauthorized("the bearer token is not valid")
        }
        Refusal::WrongCaller(denial) => {
            tracing::warn!(http.path = path, reason = %denial, "request of a wrong caller refused");
            Problem::forbidden("the caller may not use this service")
        }
        Refusal::ForeignPage => {
            tracing::warn!(http.path = path, "a page of another origin asked for a change");
            Problem::forbidden(
                "pages of other origins may change nothing here; cors_allow_origins says which may",
            )
        }
        Refusal::NoKeys(reason) => {
            tracing::error!(
                http.path = path,
                reason,
                "no caller can be verified: Google's keys are out of reach"
            );
            Problem::unavailable("the caller cannot be verified now", Duration::from_secs(10))
        }
    }
}
