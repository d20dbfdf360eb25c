//! What the connections of one service share.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::journal::Journal;
use super::lock;
use super::pace::Meter;
use super::script::Script;
use crate::endpoint::Service;
use crate::gate::Gate;
use crate::spec::Spec;

/// What the connections of one service share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) service: Service,
    pub(super) script: Mutex<Script>,
    pub(super) settings: Mutex<Settings>,
    pub(super) gate: Mutex<Option<Gate>>,
    pub(super) meter: Meter,
    pub(super) journal: Journal,
    pub(super) healthy: AtomicBool,
    pub(super) in_flight: AtomicUsize,
    pub(super) most_in_flight: AtomicUsize,
}

#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Settings {
    pub(super) spec: Spec,
    /// Per call, per ticker.
    pub(super) latency: (Duration, Duration),
}

impl Shared {
    pub(super) fn new(service: Service) -> Self {
        Self {
            service,
            script: Mutex::default(),
            settings: Mutex::default(),
            gate: Mutex::default(),
            meter: Meter::new(service),
            journal: Journal::default(),
            healthy: AtomicBool::new(true),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
        }
    }

    pub(super) fn settings(&self) -> Settings {
        *lock(&self.settings)
    }

    /// Counts a fetch as in progress until the result is dropped.
    pub(super) fn enter(&self) -> InFlight<'_> {
        let now = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        self.most_in_flight.fetch_max(now, Ordering::Relaxed);
        InFlight(&self.in_flight)
    }
}

pub(super) struct InFlight<'a>(&'a AtomicUsize);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
