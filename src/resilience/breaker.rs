//! The circuit breaker of a provider.
//!
//! ```text
//!            failure rate in the window
//!   closed ───────────────────────────────────▶ open ◀─────────────┐
//!      ▲                                          │ time is up     │ probe failed:
//!      │            probe answered                ▼                │ twice as long
//!      └────────────────────────────────────── half-open ──────────┘
//! ```
//!
//! There is one for each endpoint of a provider. The [`Window`] of a run's own calls says when to suspect the provider
//! ([`super::diagnosis`] decides); the [`BreakerState`] state, which all instances read, says who may call.

use std::collections::VecDeque;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// When a breaker opens and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerConfig {
    /// Number of latest calls that count.
    pub window: usize,
    /// Minimum number of calls for it to open.
    pub min_calls: usize,
    /// Failure rate that opens it, in percent.
    pub failure_percent: usize,
    /// How long it stays open at first.
    pub open: Duration,
    /// Longest time it stays open.
    pub open_max: Duration,
}

impl BreakerConfig {
    /// How long the breaker stays open the `openings`-th time in a row (from 1).
    pub fn open_time(&self, openings: u32) -> Duration {
        let doublings = openings.saturating_sub(1).min(31);
        self.open.saturating_mul(1 << doublings).min(self.open_max)
    }
}

/// The latest calls of a run to one endpoint.
#[derive(Clone, Debug, Default)]
pub struct Window {
    failed: VecDeque<bool>,
}

impl Window {
    /// Records a call; true if too many have failed.
    pub fn record(&mut self, failed: bool, config: &BreakerConfig) -> bool {
        if self.failed.len() >= config.window {
            self.failed.pop_front();
        }
        self.failed.push_back(failed);
        let failures = self.failed.iter().filter(|failed| **failed).count();
        failed
            && self.failed.len() >= config.min_calls
            && failures * 100 >= self.failed.len() * config.failure_percent
    }

    pub fn clear(&mut self) {
        self.failed.clear();
    }
}

/// Position of a circuit breaker.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Position {
    #[default]
    Closed,
    Open,
    HalfOpen,
}

impl Position {
    pub const ALL: [Self; 3] = [Self::Closed, Self::Open, Self::HalfOpen];

    /// The name in stored documents, responses and metric labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// State of a circuit breaker, shared by all instances.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreakerState {
    pub position: Position,
    /// Until when calls are refused: the end of the open period, or of the probe's time when half-open.
    pub until: Option<DateTime<Utc>>,
    /// Number of times in a row that it has opened.
    pub openings: u32,
    /// The run that is probing, when half-open.
    pub prober: Option<String>,
    /// Why it opened.
    pub reason: Option<String>,
}

/// Whether a call may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    Pass,
    /// One probe may be sent, after its caller has made the state half-open.
    Probe,
    Refuse {
        retry_after: Duration,
    },
}

impl BreakerState {
    pub fn admit(&self, now: DateTime<Utc>) -> Admission {
        let left = self.until.map_or(Duration::ZERO, |until| (until - now).to_std().unwrap_or_default());
        match self.position {
            Position::Closed => Admission::Pass,
            Position::Open | Position::HalfOpen if left.is_zero() => Admission::Probe,
            Position::Open | Position::HalfOpen => Admission::Refuse { retry_after: left },
        }
    }

    /// Open after failures, or after a failed probe.
    #[must_use]
    pub fn opened(&self, now: DateTime<Utc>, reason: &str, config: &BreakerConfig) -> Self {
        let openings = self.openings.saturating_add(1);
        Self {
            position: Position::Open,
            until: Some(later(now, config.open_time(openings))),
            openings,
            prober: None,
            reason: Some(reason.to_owned()),
        }
    }

    /// Half-open: `prober` may send one call within `time`.
    #[must_use]
    pub fn probing(&self, now: DateTime<Utc>, prober: &str, time: Duration) -> Self {
        Self {
            position: Position::HalfOpen,
            until: Some(later(now, time)),
            prober: Some(prober.to_owned()),
            ..self.clone()
        }
    }

    /// Closed, after a successful probe or by an operator.
    #[must_use]
    pub fn closed() -> Self {
        Self::default()
    }
}

fn later(now: DateTime<Utc>, length: Duration) -> DateTime<Utc> {
    now + TimeDelta::from_std(length).unwrap_or(TimeDelta::days(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: BreakerConfig = BreakerConfig {
        window: 20,
        min_calls: 10,
        failure_percent: 50,
        open: Duration::from_secs(60),
        open_max: Duration::from_secs(600),
    };

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    #[test]
    fn breaker_opens_after_failure_ratio() {
        let mut window = Window::default();
        let opened: Vec<_> = (0..10).map(|call| window.record(call % 2 == 1, &CONFIG)).collect();
        assert_eq!(opened.iter().position(|opened| *opened), Some(9));
    }

    #[test]
    fn few_calls_never_open_it() {
        let mut window = Window::default();
        assert!((0..9).all(|_| !window.record(true, &CONFIG)));
        assert!(window.record(true, &CONFIG));
    }

    #[test]
    fn old_calls_leave_the_window() {
        let mut window = Window::default();
        for _ in 0..9 {
            window.record(true, &CONFIG);
        }
        for _ in 0..20 {
            assert!(!window.record(false, &CONFIG));
        }
        assert!(!window.record(true, &CONFIG));
    }

    #[test]
    fn an_open_breaker_refuses_until_its_time_then_probes_once() {
        let open = BreakerState::default().opened(at(0), "503", &CONFIG);
        assert_eq!(open.admit(at(59)), Admission::Refuse { retry_after: Duration::from_secs(1) });
        assert_eq!(open.admit(at(60)), Admission::Probe);
        let probing = open.probing(at(60), "run", Duration::from_secs(30));
        assert_eq!(probing.admit(at(61)), Admission::Refuse { retry_after: Duration::from_secs(29) });
        assert_eq!(probing.admit(at(90)), Admission::Probe, "a probe that never ended is taken over");
        assert_eq!(BreakerState::closed().admit(at(0)), Admission::Pass);
    }

    #[test]
    fn the_open_time_doubles_to_its_limit() {
        let mut state = BreakerState::default();
        let times: Vec<_> = (0..6)
            .map(|_| {
                state = state.opened(at(0), "503", &CONFIG);
                state.until.unwrap().timestamp()
            })
            .collect();
        assert_eq!(times, [60, 120, 240, 480, 600, 600]);
    }
}
