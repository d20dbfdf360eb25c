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
const FRESH_WAITING: Duration = Duration::from_millis(250);
/// While it waits, a copy is trusted for this fraction of the time since the last change: a run that waits for minutes
/// need not read every moment.
const QUIET_PARTS: u32 = 8;

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
    /// The runs of this instance that have registered.
    registered: Vec<Registered>,
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

    /// Whether the copy is too old to call by; sooner while `waiting` for others.
    pub fn is_stale(&self, provider: Provider, now: Instant, waiting: bool) -> bool {
        self.with(provider, |cell| {
            let quiet = cell.changed_at.map_or(Duration::ZERO, |changed_at| now.since(changed_at));
            let fresh = if waiting { (quiet / QUIET_PARTS).clamp(FRESH_WAITING, FRESH) } else { FRESH };
            cell.read_at.is_none_or(|read_at| now.since(read_at) >= fresh)
        })
    }

    /// Reads the shared state again, unless the copy is fresh.
    pub async fn refresh(&self, provider: Provider) -> Result<(), FirestoreError> {
        if self.is_stale(provider, self.inner.world.clock.instant(), false) {
            return self.reload(provider).await;
        }
        Ok(())
    }

    /// Reads the shared state again.
    pub async fn reload(&self, provider: Provider) -> Result<(), FirestoreError> {
        let read = self.inner.firestore.get(&self.document(provider)).await;
        let (read_at, now) = (self.inner.world.clock.instant(), self.inner.world.clock.now());
        self.with(provider, |cell| match read {
            Ok(document) => {
                let update_time = document.as_ref().map(|document| document.update_time);
                if cell.changed_at.is_none() || update_time != cell.update_time {
                    cell.changed_at = Some(read_at);
                }
                cell.update_time = update_time;
                cell.state = document.as_ref().map(State::from_document).unwrap_or_default();
                cell.ahead = document.as_ref().map_or(cell.ahead, |document| document.read_time - now);
                cell.as_of = document.map_or(cell.as_of, |document| document.read_time);
                cell.read_at = Some(read_at);
                Ok(())
            }
            // Unreachable: an existing copy is trusted a little longer, or nothing could be called at all.
            Err(error) => {
                cell.read_at = cell.read_at.and(Some(read_at));
                Err(error)
            }
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
