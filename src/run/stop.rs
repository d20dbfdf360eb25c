//! Why a run ends with work left, and when to come again for it.

use std::time::Duration;

/// When to come again while Firestore or the provider's permission is missing.
pub const RETRY_LATER: Duration = Duration::from_secs(30);
/// When to come again for the rest of a run.
pub const RETRY_SOON: Duration = Duration::from_secs(1);

/// Why a run ends with work left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The time of this request is used up.
    Deadline,
    /// The provider's breaker is open.
    Breaker { retry_after: Duration, reason: String },
    /// The provider answered none of the tickers, and they were too few to say that it is down.
    Unanswered { retry_after: Duration, reason: String },
    /// The provider's limit is used up for longer than this request lasts, or again and again.
    Paused { retry_after: Duration, reason: String },
    /// The provider does not accept us.
    Unauthorized { message: String },
    /// Documents cannot be stored.
    Storage { reason: String },
    /// The lease could not be renewed in time.
    Ledger { reason: String },
    /// Another instance owns the run now.
    Lost,
}

impl StopReason {
    /// Why, for people.
    pub fn message(&self) -> String {
        match self {
            Self::Deadline => "the time of this request is used up".to_owned(),
            Self::Breaker { reason, .. } => format!("the provider's circuit breaker is open ({reason})"),
            Self::Unanswered { reason, .. } => reason.clone(),
            Self::Paused { retry_after, reason } => {
                format!(
                    "the provider's limit is used up ({reason}): it is called again in {} s",
                    retry_after.as_secs()
                )
            }
            Self::Unauthorized { message } => {
                format!("the provider does not accept this service: {message}")
            }
            Self::Storage { reason } => format!("not all could be stored: {reason}"),
            Self::Ledger { reason } => reason.clone(),
            Self::Lost => "another instance has taken the run over".to_owned(),
        }
    }

    /// When the caller should come again.
    pub fn retry_after(&self) -> Duration {
        match self {
            Self::Deadline => RETRY_SOON,
            Self::Breaker { retry_after, .. }
            | Self::Unanswered { retry_after, .. }
            | Self::Paused { retry_after, .. } => *retry_after,
            Self::Unauthorized { .. } | Self::Storage { .. } | Self::Ledger { .. } | Self::Lost => {
                RETRY_LATER
            }
        }
    }
}
