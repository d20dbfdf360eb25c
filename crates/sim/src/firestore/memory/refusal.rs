//! Errors in the form of Google's APIs.

use http::StatusCode;
use serde_json::{Value as Json, json};

use super::Reply;

/// Why a request or a single write is not carried out.
#[derive(Clone, Debug)]
pub struct Refusal {
    status: &'static str,
    message: String,
}

/// Canonical name, number and HTTP status.
const STATUSES: [(&str, i64, u16); 10] = [
    ("INVALID_ARGUMENT", 3, 400),
    ("DEADLINE_EXCEEDED", 4, 504),
    ("NOT_FOUND", 5, 404),
    ("ALREADY_EXISTS", 6, 409),
    ("PERMISSION_DENIED", 7, 403),
    ("RESOURCE_EXHAUSTED", 8, 429),
    ("FAILED_PRECONDITION", 9, 400),
    ("ABORTED", 10, 409),
    ("UNIMPLEMENTED", 12, 501),
    ("UNAVAILABLE", 14, 503),
];

impl Refusal {
    /// `status` is one of the canonical names.
    pub fn new(status: &'static str, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new("INVALID_ARGUMENT", message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new("NOT_FOUND", message)
    }

    /// The request uses a part of the API that is left out here.
    pub(super) fn unsupported(what: &str) -> Self {
        let message = format!("the embedded Firestore does not support {what}: use the emulator");
        Self::new("UNIMPLEMENTED", message)
    }

    fn numbers(&self) -> (i64, u16) {
        let found = STATUSES.iter().find(|(name, ..)| *name == self.status);
        found.map_or((13, 500), |(_, code, http)| (*code, *http))
    }

    /// The response to a request that is refused as a whole.
    pub fn into_reply(self) -> Reply {
        let (_, http) = self.numbers();
        let status = StatusCode::from_u16(http).expect("a valid status");
        let body = json!({"error": {"code": http, "message": self.message, "status": self.status}});
        Reply { status, body }
    }

    /// The status of a single write in the response to a `batchWrite`.
    pub fn into_write_status(self) -> Json {
        json!({"code": self.numbers().0, "message": self.message})
    }
}
