//! What all parts of a world share: the store, the executor, the dice, the journal.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use sim::endpoint::Service;

use super::journal::Journal;
use super::scenario::Scenario;
use super::storm::{Fault, Target};
use crate::world::dice::Dice;
use crate::world::executor::Handle;
use sim::firestore::memory::Store;

/// One world of a scenario; cheap to clone.
#[derive(Clone)]
pub(super) struct Stage {
    pub(super) handle: Handle,
    pub(super) dice: Dice,
    pub(super) scenario: Arc<Scenario>,
    /// `projects/P/databases/D`.
    pub(super) database: Arc<str>,
    store: Arc<Mutex<Store>>,
    journal: Arc<Mutex<Journal>>,
    /// The times of each service's upstream requests in the last minute.
    asked: Arc<Mutex<BTreeMap<Service, VecDeque<Duration>>>>,
}

impl Stage {
    pub(super) fn new(handle: Handle, dice: Dice, scenario: Scenario) -> Self {
        let database = scenario.config().firestore.database.into();
        Self {
            handle,
            dice,
            scenario: Arc::new(scenario),
            database,
            store: Arc::default(),
            journal: Arc::default(),
            asked: Arc::default(),
        }
    }

    pub(super) fn now(&self) -> Duration {
        self.handle.now()
    }

    /// The true civil time.
    pub(super) fn civil(&self) -> DateTime<Utc> {
        self.scenario.civil(self.now())
    }

    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn journal(&self) -> MutexGuard<'_, Journal> {
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a line to the history of the seed.
    pub(super) fn tell(&self, what: impl AsRef<str>) {
        let now = self.now();
        self.journal().tell(now, what.as_ref());
    }

    /// Records a violation of an invariant.
    pub(super) fn accuse(&self, what: impl AsRef<str>) {
        let now = self.now();
        self.journal().accuse(now, what.as_ref());
    }

    /// The fault of a request to this party now.
    pub(super) fn fault(&self, target: Target) -> Option<Fault> {
        let now = self.now();
        self.scenario.storms.iter().find_map(|storm| storm.strike(&self.dice, target, now))
    }

    /// Whether a service's own limit allows one more upstream request now; counts it.
    pub(super) fn admits(&self, service: Service) -> bool {
        let Some(pacing) = self.scenario.pacing else { return true };
        let now = self.now();
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = asked.entry(service).or_default();
        while asked.front().is_some_and(|at| *at + Duration::from_secs(60) <= now) {
            asked.pop_front();
        }
        let free = asked.len() < pacing.per_minute;
        if free {
            asked.push_back(now);
        }
        free
    }

    /// Whether all storms are over.
    pub(super) fn is_calm(&self) -> bool {
        self.now() >= self.scenario.calm_at
    }
}
