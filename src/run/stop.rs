//! Why an attempt ends with work left, and when to retry.

use std::time::Duration;

/// When to retry while Firestore or the provider's permission is missing.
pub const RETRY_LATER: Duration = Duration::from_secs(30);
/// When to retry for the rest of a run.
pub const RETRY_SOON: Duration = Duration::from_secs(1);

/// Why an attempt ends with work left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// This request ran out of time.
    Deadline,
    /// The provider's breaker is open.
    Breaker { retry_after: Duration, reason: String },
    /// The provider answered none of the tickers, but they were too few to conclude that it is down.
    Unanswered { retry_after: Duration, reason: String },
    /// The provider's limit is exhausted for longer than this request lasts, or repeatedly.
    Paused { retry_after: Duration, reason: String },
    /// The data is probably not published yet.
    NotPublished { retry_after: Duration, reason: String },
    /// The provider refuses our calls.
    Unauthorized { message: String },
    /// Documents cannot be stored.
    Storage { reason: String },
    /// The lease could not be renewed in time.
    Ledger { reason: String },
    /// Another instance owns the run now.
    Lost,
    /// An operator has ordered it.
    Cancelled,
    /// Nobody goes on with it, for this reason.
    GivenUp { reason: &'static str },
    /// The job is paused: this tick is skipped.
    JobPaused { reason: String },
}

impl StopReason {
    /// The reason, for people.
    pub fn message(&self) -> String {
        match self {
            Self::Deadline => "this request ran out of time".to_owned(),
            Self::Breaker { reason, .. } => format!("the provider's circuit breaker is open ({reason})"),
            Self::Unanswered { reason, .. } => reason.clone(),
            Self::Paused { retry_after, reason } => {
                format!(
                    "the provider's limit is exhausted ({reason}): calls resume in {} s",
                    retry_after.as_secs()
                )
            }
            Self::NotPublished { retry_after, reason } => {
                format!("not published yet: {reason}; requesting them again in {} s", retry_after.as_secs())
            }
            Self::Unauthorized { message } => {
                format!("the provider refuses calls from this service: {message}")
            }
            Self::Storage { reason } => format!("not everything could be stored: {reason}"),
            Self::Ledger { reason } | Self::JobPaused { reason } => reason.clone(),
            Self::GivenUp { reason } => format!("the run is given up: {reason}"),
            Self::Lost => "another instance has taken over the run".to_owned(),
            Self::Cancelled => "an operator has cancelled the run".to_owned(),
        }
    }

    /// Whether nothing more is done for the run in this attempt.
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Lost | Self::Ledger { .. } | Self::Cancelled | Self::GivenUp { .. })
    }

    /// When the caller should retry.
    pub fn retry_after(&self) -> Duration {
        match self {
            Self::Deadline | Self::Cancelled | Self::GivenUp { .. } | Self::JobPaused { .. } => RETRY_SOON,
            Self::Breaker { retry_after, .. }
            | Self::Unanswered { retry_after, .. }
            | Self::Paused { retry_after, .. }
            | Self::NotPublished { retry_after, .. } => *retry_after,
            Self::Unauthorized { .. } | Self::Storage { .. } | Self::Ledger { .. } | Self::Lost => {
                RETRY_LATER
            }
        }
    }
}
