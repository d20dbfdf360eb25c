//! Who is told about alerts.

use serde::Serialize;

/// A kind of receiver; there is at most one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Target {
    Webhook,
    Slack,
    PagerDuty,
}

impl Target {
    pub const ALL: [Self; 3] = [Self::Webhook, Self::Slack, Self::PagerDuty];

    /// The name in documents, logs and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Slack => "slack",
            Self::PagerDuty => "pagerduty",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|target| target.name() == name)
    }
}

/// What happened to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// The receiver has taken it.
    Taken { status: u16 },
    /// The receiver refuses this message; others may get through.
    Refused { status: u16, error: String },
    /// The receiver takes no messages at present, or it is unknown whether it has taken this one.
    Down { status: Option<u16>, error: String },
}

impl Sent {
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Taken { status } | Self::Refused { status, .. } => Some(*status),
            Self::Down { status, .. } => *status,
        }
    }

    /// Why it has not been taken.
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Taken { .. } => None,
            Self::Refused { error, .. } | Self::Down { error, .. } => Some(error),
        }
    }
}
