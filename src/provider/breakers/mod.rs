//! What all runs and instances share about a provider: its breakers, its pause, and who may call it.
//!
//! One document per provider holds it all. Decisions are written under the precondition that nobody else has changed
//! the document, so among all instances only one opens, one probes and one closes; a lost response is resolved by
//! reading again. In between, an instance acts on its copy, which is at most [`FRESH`] old. All times are Firestore's,
//! because instances' clocks may differ.

mod calls;
mod stored;
mod transitions;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::base::ports::Instant;
use crate::base::world::World;
use crate::catalogue::{PerProvider, Provider};
use crate::firestore::document::Document;
use crate::firestore::{DocumentPath, Firestore, FirestoreError};
use crate::resilience::breaker::{Admission, BreakerConfig, BreakerState};
use crate::resilience::limits::Limit;
use calls::Registered;
pub use calls::Trend;
use stored::State;
pub use stored::StoredBreaker;

/// How long a copy of the shared state is trusted.
pub const FRESH: Duration = Duration::from_secs(5);
/// The same while a run waits for its turn to call.
const FRESH_WAITING: Duration = Duration::from_millis(50);
/// While it waits, a copy is trusted for this fraction of the time since the last change: a run that waits for minutes
/// need not read every moment.
const QUIET_PARTS: u32 = 8;
/// It is also trusted this long for every run ahead: a queue moves by one place in about this time, if calls are quick.
const PLACE: Duration = Duration::from_millis(12);
/// A read for runs that wait serves all of them, unless it takes longer than this.
const READ_SLOW: Duration = Duration::from_secs(1);

/// All breakers; cheap to clone.
#[derive(Clone)]
pub struct Breakers {
    inner: Arc<Inner>,
}

struct Inner {
    firestore: Firestore,
    world: World,
    collection: String,
    config: BreakerConfig,
    lease: Duration,
    /// The length of a provider's minute.
    minute: Duration,
    cells: Mutex<PerProvider<Cell>>,
}

/// What is known about one provider.
#[derive(Clone, Debug, Default)]
struct Cell {
    state: State,
    /// When the stored state last changed; none while there is no document.
    update_time: Option<DateTime<Utc>>,
    read_at: Option<Instant>,
    /// When a read last found it changed.
    changed_at: Option<Instant>,
    /// Firestore's time at which the copy was current.
    as_of: DateTime<Utc>,
    /// How far Firestore's clock is ahead of this instance's.
    ahead: TimeDelta,
    /// Until when this instance holds back its calls, whether or not that is already stored.
    held_until: Option<Instant>,
    /// When the latest read that is still under way began.
    reading_since: Option<Instant>,
    /// The runs of this instance that have registered.
    registered: Vec<Registered>,
    /// Those that make no further calls, though they are still on the stored list.
    left: Vec<String>,
}

impl Breakers {
    /// No request waits longer than a third of the lease: if the renewal of a run's place hangs, another one goes out
    /// before the others count the run as dead.
    pub fn new(
        firestore: &Firestore,
        world: World,
        collection: String,
        config: BreakerConfig,
        lease: Duration,
        minute: Duration,
    ) -> Self {
        let (firestore, cells) = (firestore.with_timeout(lease / 3), Mutex::default());
        Self { inner: Arc::new(Inner { firestore, world, collection, config, lease, minute, cells }) }
    }

    pub fn config(&self) -> &BreakerConfig {
        &self.inner.config
    }

    /// Firestore's time, as far as this instance knows it.
    fn now(&self, provider: Provider) -> DateTime<Utc> {
        let now = self.inner.world.clock.now();
        self.with(provider, |cell| now.checked_add_signed(cell.ahead).unwrap_or(now))
    }

    /// Whether an endpoint may be called, according to this instance's copy.
    pub fn admit(&self, provider: Provider, endpoint: &str) -> Admission {
        let now = self.now(provider);
        self.with(provider, |cell| cell.state.endpoint(endpoint).admit(now))
    }

    /// The state of an endpoint's breaker, according to this instance's copy.
    pub fn endpoint(&self, provider: Provider, endpoint: &str) -> BreakerState {
        self.with(provider, |cell| cell.state.endpoint(endpoint))
    }

    /// The state of the provider's worst breaker, according to this instance's copy.
    pub fn state(&self, provider: Provider) -> BreakerState {
        self.with(provider, |cell| cell.state.worst())
    }

    /// Consecutive failed calls to an endpoint, across all runs, when the copy was read.
    pub fn failures(&self, provider: Provider, endpoint: &str) -> u32 {
        self.with(provider, |cell| cell.state.failures.get(endpoint).copied().unwrap_or_default())
    }

    /// The provider's limit, according to this instance's copy.
    pub fn limit(&self, provider: Provider) -> Limit {
        self.with(provider, |cell| cell.state.limit.clone())
    }

    /// How long calls to the provider are held back.
    pub fn paused(&self, provider: Provider) -> Duration {
        let (now, instant) = (self.now(provider), self.inner.world.clock.instant());
        self.with(provider, |cell| {
            let held = cell.held_until.map_or(Duration::ZERO, |until| until.since(instant));
            cell.state.limit.left(now).max(held)
        })
    }

    /// Whether the copy is too old to call by.
    pub fn is_stale(&self, provider: Provider, now: Instant) -> bool {
        self.with(provider, |cell| cell.is_older(FRESH, now))
    }

    /// Whether the copy is too old for a run that may not call until others have left: those `ahead` of it, of which it
    /// will see some go before it is its turn. One read serves all runs of the instance that wait.
    pub fn is_stale_waiting(&self, provider: Provider, now: Instant, ahead: usize) -> bool {
        self.with(provider, |cell| {
            if cell.reading_since.is_some_and(|since| now.since(since) < READ_SLOW) {
                return false;
            }
            let quiet = cell.changed_at.map_or(Duration::ZERO, |changed_at| now.since(changed_at));
            let queue = PLACE.saturating_mul(u32::try_from(ahead).unwrap_or(u32::MAX));
            cell.is_older((quiet / QUIET_PARTS).max(queue).clamp(FRESH_WAITING, FRESH), now)
        })
    }

    /// Reads the shared state again, unless the copy is fresh.
    pub async fn refresh(&self, provider: Provider) -> Result<(), FirestoreError> {
        if self.is_stale(provider, self.inner.world.clock.instant()) {
            return self.reload(provider).await;
        }
        Ok(())
    }

    /// Reads the shared state again, unless the copy is fresh and newer than `time`, by Firestore's clock.
    pub async fn reload_after(&self, provider: Provider, time: DateTime<Utc>) -> Result<(), FirestoreError> {
        let is_newer = self.with(provider, |cell| cell.as_of > time);
        if is_newer { self.refresh(provider).await } else { self.reload(provider).await }
    }

    /// Reads the shared state again.
    pub async fn reload(&self, provider: Provider) -> Result<(), FirestoreError> {
        let began = self.inner.world.clock.instant();
        self.with(provider, |cell| cell.reading_since = Some(began));
        let read = self.inner.firestore.get(&self.document(provider)).await;
        let (read_at, now) = (self.inner.world.clock.instant(), self.inner.world.clock.now());
        self.with(provider, |cell| {
            cell.reading_since.take_if(|since| *since == began);
            cell.take(read, read_at, now)
        })
    }

    /// Where a provider's shared state is stored.
    pub fn document(&self, provider: Provider) -> DocumentPath {
        DocumentPath::new(&self.inner.collection, provider.name())
    }

    fn with<T>(&self, provider: Provider, act: impl FnOnce(&mut Cell) -> T) -> T {
        let mut cells: MutexGuard<'_, _> = self.inner.cells.lock().unwrap_or_else(PoisonError::into_inner);
        act(cells.get_mut(provider))
    }
}

impl Cell {
    /// Whether the copy was read this long ago, or never.
    fn is_older(&self, age: Duration, now: Instant) -> bool {
        self.read_at.is_none_or(|read_at| now.since(read_at) >= age)
    }

    /// `owner` makes no further call: it has no place among the callers, even if the stored list still says so.
    fn leave(&mut self, owner: &str) {
        self.state.entries.retain(|entry| *entry.owner != *owner);
        if !self.left.iter().any(|left| left == owner) {
            self.left.push(owner.to_owned());
        }
    }

    /// Replaces the copy with what was read.
    fn take(
        &mut self,
        read: Result<Option<Document>, FirestoreError>,
        read_at: Instant,
        now: DateTime<Utc>,
    ) -> Result<(), FirestoreError> {
        match read {
            Ok(document) => {
                let update_time = document.as_ref().map(|document| document.update_time);
                if self.changed_at.is_none() || update_time != self.update_time {
                    self.changed_at = Some(read_at);
                }
                self.update_time = update_time;
                self.state = document.as_ref().map(State::from_document).unwrap_or_default();
                self.left.retain(|owner| self.state.entries.iter().any(|entry| *entry.owner == **owner));
                self.state.entries.retain(|entry| !self.left.iter().any(|left| *entry.owner == **left));
                self.ahead = document.as_ref().map_or(self.ahead, |document| document.read_time - now);
                self.as_of = document.map_or(self.as_of, |document| document.read_time);
                self.read_at = Some(read_at);
                Ok(())
            }
            // Unreachable: an existing copy is trusted a little longer, or nothing could be called at all.
            Err(error) => {
                self.read_at = self.read_at.and(Some(read_at));
                Err(error)
            }
        }
    }
}
