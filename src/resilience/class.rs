//! What a failed provider call means: the table of classes.

use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::base::ports::TransportError;

/// Kind of failure; it decides what happens next.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The provider could not be reached.
    Connect,
    /// No complete response in time.
    Timeout,
    /// The provider failed: 408, 500, 502, 503, 504.
    Unavailable,
    /// The provider's limit is exhausted: 429.
    RateLimited,
    /// The provider refuses our credentials: 401, 403.
    Unauthorized,
    /// This batch cannot be answered: 400, 413, 422, or a response beyond the size limit.
    BadBatch,
    /// Any other refusal.
    Refused,
    /// The response cannot be parsed: cut off, not JSON, or of the wrong shape.
    Malformed,
    /// No token available, because Google's endpoint is unreachable: the provider was not called.
    Token,
}

impl Class {
    pub const ALL: [Self; 9] = [
        Self::Connect,
        Self::Timeout,
        Self::Unavailable,
        Self::RateLimited,
        Self::Unauthorized,
        Self::BadBatch,
        Self::Refused,
        Self::Malformed,
        Self::Token,
    ];

    /// The name in logs, metric labels and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::RateLimited => "rate_limited",
            Self::Unauthorized => "unauthorized",
            Self::BadBatch => "bad_batch",
            Self::Refused => "refused",
            Self::Malformed => "malformed",
            Self::Token => "token",
        }
    }

    /// The class of an HTTP status; none for a success.
    pub fn of_status(status: StatusCode) -> Option<Self> {
        match status.as_u16() {
            200..=299 => None,
            429 => Some(Self::RateLimited),
            401 | 403 => Some(Self::Unauthorized),
            400 | 413 | 422 => Some(Self::BadBatch),
            408 | 500..=599 => Some(Self::Unavailable),
            _ => Some(Self::Refused),
        }
    }

    pub fn of_transport(error: &TransportError) -> Self {
        match error {
            TransportError::Connect(_) | TransportError::Connection(_) => Self::Connect,
            TransportError::Timeout(_) | TransportError::BodyLate { .. } => Self::Timeout,
            TransportError::Denied(_) => Self::Unauthorized,
            TransportError::BodyBroken { .. } => Self::Malformed,
            // The batch asks for more than one response may hold; its halves will not.
            TransportError::BodyTooLong { .. } => Self::BadBatch,
        }
    }

    /// Whether the breaker counts it: the provider is at fault, not the request.
    pub fn is_provider_failure(self) -> bool {
        matches!(self, Self::Connect | Self::Timeout | Self::Unavailable | Self::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_have_the_classes_of_the_failure_policy() {
        let table = [
            (200, None),
            (204, None),
            (302, Some(Class::Refused)),
            (400, Some(Class::BadBatch)),
            (401, Some(Class::Unauthorized)),
            (403, Some(Class::Unauthorized)),
            (404, Some(Class::Refused)),
            (408, Some(Class::Unavailable)),
            (409, Some(Class::Refused)),
            (413, Some(Class::BadBatch)),
            (422, Some(Class::BadBatch)),
            (429, Some(Class::RateLimited)),
            (500, Some(Class::Unavailable)),
            (502, Some(Class::Unavailable)),
            (503, Some(Class::Unavailable)),
            (504, Some(Class::Unavailable)),
        ];
        for (status, expect) in table {
            assert_eq!(Class::of_status(StatusCode::from_u16(status).unwrap()), expect, "{status}");
        }
    }
}
