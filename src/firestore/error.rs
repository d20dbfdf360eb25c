//! What went wrong with a Firestore request, by canonical status
//! (<https://cloud.google.com/apis/design/errors>).

use http::StatusCode;
use serde::Deserialize;

use crate::base::ports::TransportError;
use crate::google::TokenError;

/// A canonical status other than OK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    Cancelled,
    Unknown,
    InvalidArgument,
    DeadlineExceeded,
    NotFound,
    AlreadyExists,
    PermissionDenied,
    ResourceExhausted,
    FailedPrecondition,
    Aborted,
    OutOfRange,
    Unimplemented,
    Internal,
    Unavailable,
    DataLoss,
    Unauthenticated,
}

/// Number (google.rpc.Code), name and value of every status.
const CODES: [(i64, &str, Code); 16] = [
    (1, "CANCELLED", Code::Cancelled),
    (2, "UNKNOWN", Code::Unknown),
    (3, "INVALID_ARGUMENT", Code::InvalidArgument),
    (4, "DEADLINE_EXCEEDED", Code::DeadlineExceeded),
    (5, "NOT_FOUND", Code::NotFound),
    (6, "ALREADY_EXISTS", Code::AlreadyExists),
    (7, "PERMISSION_DENIED", Code::PermissionDenied),
    (8, "RESOURCE_EXHAUSTED", Code::ResourceExhausted),
    (9, "FAILED_PRECONDITION", Code::FailedPrecondition),
    (10, "ABORTED", Code::Aborted),
    (11, "OUT_OF_RANGE", Code::OutOfRange),
    (12, "UNIMPLEMENTED", Code::Unimplemented),
    (13, "INTERNAL", Code::Internal),
    (14, "UNAVAILABLE", Code::Unavailable),
    (15, "DATA_LOSS", Code::DataLoss),
    (16, "UNAUTHENTICATED", Code::Unauthenticated),
];

impl Code {
    pub fn name(self) -> &'static str {
        CODES.iter().find(|(.., code)| *code == self).map_or("UNKNOWN", |(_, name, _)| name)
    }

    /// The status with that number; none for 0, which is OK.
    pub fn from_number(number: i64) -> Option<Self> {
        match number {
            0 => None,
            _ => Some(CODES.iter().find(|(n, ..)| *n == number).map_or(Self::Unknown, |(.., code)| *code)),
        }
    }

    fn from_name(name: &str) -> Option<Self> {
        CODES.iter().find(|(_, n, _)| *n == name).map(|(.., code)| *code)
    }

    /// The canonical status for an HTTP status, if the body names none.
    fn from_http(status: StatusCode) -> Self {
        match status.as_u16() {
            400 => Self::InvalidArgument,
            401 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 => Self::NotFound,
            409 => Self::Aborted,
            429 => Self::ResourceExhausted,
            500 => Self::Internal,
            502 | 503 => Self::Unavailable,
            504 => Self::DeadlineExceeded,
            _ => Self::Unknown,
        }
    }

    /// Whether the same request may succeed later.
    pub fn is_retryable(self) -> bool {
        matches!(
            self,
            Self::Unavailable
                | Self::DeadlineExceeded
                | Self::ResourceExhausted
                | Self::Aborted
                | Self::Internal
        )
    }
}

/// Why a Firestore request failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FirestoreError {
    #[error("firestore is unreachable: {0}")]
    Transport(#[from] TransportError),
    #[error("firestore answered {}: {message}", .code.name())]
    Status { code: Code, message: String },
    /// There is no token for the call.
    #[error("firestore cannot be called: {0}")]
    Token(#[from] TokenError),
    #[error("firestore's response cannot be parsed: {0}")]
    Protocol(String),
    /// Firestore answers, but not this query.
    #[error("firestore's index {index} is {}", index_state(*.is_building))]
    Index {
        /// The collection and the fields that the query needs.
        index: String,
        is_building: bool,
    },
}

fn index_state(is_building: bool) -> &'static str {
    if is_building {
        "still being built: try again when it is ready"
    } else {
        "missing: create it from firestore.indexes.json (`cargo xtask indexes`, or Terraform)"
    }
}

/// The details of an error.
#[derive(Deserialize)]
pub(super) struct Detail {
    #[serde(default)]
    message: String,
    #[serde(default)]
    status: String,
    /// The corresponding HTTP status.
    #[serde(default)]
    code: u16,
}

/// The body of an error.
#[derive(Deserialize)]
struct Answer {
    error: Detail,
}

impl From<Detail> for FirestoreError {
    fn from(detail: Detail) -> Self {
        let http = StatusCode::from_u16(detail.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        detail.into_error(http)
    }
}

impl Detail {
    fn into_error(self, status: StatusCode) -> FirestoreError {
        FirestoreError::Status {
            code: Code::from_name(&self.status).unwrap_or_else(|| Code::from_http(status)),
            message: shorten(&self.message),
        }
    }
}

/// Maximum characters of an error message that are kept.
const MESSAGE_CHARS_MAX: usize = 500;

impl FirestoreError {
    /// The error for a response with a failure status.
    pub fn from_answer(status: StatusCode, body: &[u8]) -> Self {
        // Streamed methods wrap the same object in an array. The array is tried first, because serde would also read an
        // array as the object's fields.
        if status.is_redirection() {
            let message = "redirects are not followed".to_owned();
            return Self::Status { code: Code::Unknown, message };
        }
        let detail = serde_json::from_slice::<[Answer; 1]>(body)
            .map(|[answer]| answer)
            .or_else(|_| serde_json::from_slice::<Answer>(body))
            .map(|answer| answer.error);
        match detail {
            Ok(detail) => detail.into_error(status),
            Err(_) => Self::Status {
                code: Code::from_http(status),
                message: shorten(&String::from_utf8_lossy(body)),
            },
        }
    }

    /// The error for an unexpected body of a successful response: the error that it names, or that it cannot be parsed.
    pub(super) fn of_body(body: &[u8], broken: &serde_json::Error) -> Self {
        match serde_json::from_slice::<Answer>(body) {
            Ok(answer) => answer.error.into(),
            Err(_) => Self::Protocol(shorten(&broken.to_string())),
        }
    }

    /// The same for a query that needs this index.
    pub(super) fn of_query(self, index: impl FnOnce() -> String) -> Self {
        match self {
            Self::Status { code: Code::FailedPrecondition, message }
                if message.contains("requires an index") =>
            {
                Self::Index { index: index(), is_building: message.contains("currently building") }
            }
            other => other,
        }
    }

    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Status { code, .. } => Some(*code),
            Self::Index { .. } => Some(Code::FailedPrecondition),
            Self::Transport(_) | Self::Protocol(_) | Self::Token(_) => None,
        }
    }

    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Transport(TransportError::Denied(_))
            | Self::Token(TokenError::Refused(_))
            | Self::Index { .. } => false,
            Self::Transport(_) | Self::Protocol(_) | Self::Token(TokenError::Endpoint(_)) => true,
            Self::Status { code, .. } => code.is_retryable(),
        }
    }

    /// Whether the request may have been carried out despite the error.
    pub fn is_ambiguous(&self) -> bool {
        match self {
            Self::Transport(TransportError::Connect(_) | TransportError::Denied(_))
            | Self::Token(_)
            | Self::Index { .. } => false,
            Self::Transport(_) | Self::Protocol(_) => true,
            Self::Status { code, .. } => {
                matches!(code, Code::Unavailable | Code::DeadlineExceeded | Code::Internal | Code::Unknown)
            }
        }
    }
}

/// The start of a message: it goes into documents, which have a size limit.
pub(super) fn shorten(text: &str) -> String {
    text.chars().take(MESSAGE_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests;
