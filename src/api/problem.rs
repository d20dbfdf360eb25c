//! Problem details (RFC 9457): what is wrong with a request, for its sender.

use std::borrow::Cow;
use std::time::Duration;

use http::StatusCode;
use serde::Serialize;

/// An invalid field.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldError {
    #[cfg_attr(not(target_family = "wasm"), schema(value_type = String))]
    pub field: Cow<'static, str>,
    /// The value sent, shortened; empty if it would say nothing.
    pub value: String,
    pub message: String,
}

impl FieldError {
    pub fn new(
        field: impl Into<Cow<'static, str>>,
        value: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { field: field.into(), value: value.into(), message: message.into() }
    }
}

/// Problem details (RFC 9457).
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// A path that identifies the kind of problem.
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub title: &'static str,
    #[serde(serialize_with = "status_number")]
    #[cfg_attr(not(target_family = "wasm"), schema(value_type = u16))]
    pub status: StatusCode,
    pub detail: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    #[serde(skip)]
    pub retry_after: Option<Duration>,
}
fn status_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    fn new(status: StatusCode, kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { kind, title, status, detail: detail.into(), errors: Vec::new(), retry_after: None }
    }

    /// Fields with invalid values.
    pub fn invalid(errors: Vec<FieldError>) -> Self {
        let detail = errors
            .iter()
            .map(|error| match error.value.as_str() {
                "" => format!("{}: {}", error.field, error.message),
                value => format!("{} `{value}`: {}", error.field, error.message),
            })
            .collect::<Vec<_>>()
            .join("; ");
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self { errors, ..Self::new(status, "/problems/invalid-request", "Invalid request", detail) }
    }

    /// A problem if there are errors.
    pub fn check(errors: Vec<FieldError>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self::invalid(errors)) }
    }

    pub fn unknown_job(detail: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "/problems/unknown-job", "Unknown job", detail)
    }

    pub fn key_reused() -> Self {
        let detail = "this Idempotency-Key was already used with a different body; use a new key";
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "/problems/key-reused", "Idempotency key reused", detail)
    }

    pub fn body_too_long(limit: usize) -> Self {
        let detail = format!("request body larger than the limit of {limit} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "/problems/body-too-long", "Request body too large", detail)
    }

    pub fn body_broken(reason: &str) -> Self {
        let detail = format!("the request body could not be read: {reason}");
        Self::new(StatusCode::BAD_REQUEST, "/problems/body-broken", "Incomplete request body", detail)
    }

    pub fn body_late(limit: Duration) -> Self {
        let detail = format!("the request body did not arrive within {} s", limit.as_secs());
        Self::new(StatusCode::REQUEST_TIMEOUT, "/problems/body-late", "Request body timed out", detail)
    }

    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "/problems/not-found", "Not found", detail)
    }

    pub fn method_not_allowed(detail: impl Into<String>) -> Self {
        let status = StatusCode::METHOD_NOT_ALLOWED;
        Self::new(status, "/problems/method-not-allowed", "Method not allowed", detail)
    }

    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "/problems/unauthorized", "Not authenticated", detail)
    }

    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "/problems/forbidden", "Not allowed", detail)
    }

    /// What the request is about is not in the state for it.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "/problems/conflict", "Not possible", detail)
    }

    /// The request cannot be carried out now, for a temporary reason.
    pub fn not_now(detail: impl Into<String>, retry_after: Duration) -> Self {
        let problem = Self::new(StatusCode::CONFLICT, "/problems/not-now", "Try again later", detail);
        Self { retry_after: Some(retry_after), ..problem }
    }

    /// Something this service depends on is unavailable; retry later.
    pub fn unavailable(detail: impl Into<String>, retry_after: Duration) -> Self {
        let problem = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "/problems/unavailable",
            "Service unavailable",
            detail,
        );
        Self { retry_after: Some(retry_after), ..problem }
    }

    pub fn misconfigured(errors: &[String]) -> Self {
        let errors = errors.iter().map(|error| FieldError::new("configuration", "", error)).collect();
        let status = StatusCode::SERVICE_UNAVAILABLE;
        let detail = "the configuration is invalid; GET /health lists every error";
        Self { errors, ..Self::new(status, "/problems/misconfigured", "Invalid configuration", detail) }
    }
}
