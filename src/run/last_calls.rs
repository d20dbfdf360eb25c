//! How the latest calls to a provider ended.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// How the latest calls to a provider ended, as far as known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LastCalls {
    pub success_time: Option<DateTime<Utc>>,
    pub error_time: Option<DateTime<Utc>>,
    /// Message of the latest error.
    pub error: Option<String>,
}

impl LastCalls {
    /// Merges what both know.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let later = if other.error_time > self.error_time { other } else { self };
        Self {
            success_time: self.success_time.max(other.success_time),
            error_time: later.error_time,
            error: later.error.clone(),
        }
    }
}
