//! What all runs and instances know together of a provider: its breakers, its pause, and who may call it.
//!
//! One document a provider holds it all. What decides is written under the precondition that nobody else has changed the
//! document, so of all instances one opens, one probes, one closes; a lost answer is found out by reading again. In
//! between an instance acts on its copy, at most [`FRESH`] old. All times are Firestore's: instances' clocks may differ.

mod calls;
mod stored;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::firestore::{Code, DocumentPath, Firestore, FirestoreError, Precondition, Write};
use crate::job::Provider;
use crate::ports::{Instant, World};
use crate::resilience::breaker::{Admission, BreakerConfig, Position, Shared};
use crate::resilience::limits::Limit;
use calls::Registered;
pub use calls::Trend;
use stored::State;
pub use stored::StoredBreaker;

/// How long a copy of the shared state is trusted.
pub const FRESH: Duration = Duration::from_secs(5);
/// The same while a run waits for others to let it call.
const FRESH_WAITING: Duration = Duration::from_secs(1);
/// Times that a change starts over, because others changed the document or Firestore failed.
const TRIES_MAX: u32 = 6;

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
    cells: Mutex<[Cell; 4]>,
}

/// What is known of one provider.
#[derive(Clone, Debug, Default)]
struct Cell {
    state: State,
    /// When the stored state last changed; none while there is no document.
    update_time: Option<DateTime<Utc>>,
    read_at: Option<Instant>,
    /// How far Firestore's clock is ahead of this instance's.
    ahead: TimeDelta,
    /// Until when this instance holds back its calls, whether or not that is stored yet.
    held_until: Option<Instant>,
    /// The runs of this instance that have registered.
    registered: Vec<Registered>,
}

/// What is to be done about the shared state.
enum Change {
    /// Nothing: this is the answer.
    Keep(bool),
    /// Store this; with the position that a breaker comes into.
    Store(State, Option<Position>),
}

impl Breakers {
    pub fn new(
        firestore: Firestore,
        world: World,
        collection: String,
        config: BreakerConfig,
        lease: Duration,
    ) -> Self {
        let cells = Mutex::default();
        Self { inner: Arc::new(Inner { firestore, world, collection, config, lease, cells }) }
    }

    pub fn config(&self) -> &BreakerConfig {
        &self.inner.config
    }

    /// Firestore's time, as far as this instance knows it.
    fn now(&self, provider: Provider) -> DateTime<Utc> {
        let now = self.inner.world.clock.now();
        self.with(provider, |cell| now.checked_add_signed(cell.ahead).unwrap_or(now))
    }

    /// Whether a call may go out to an endpoint, by the copy of this instance.
    pub fn admit(&self, provider: Provider, endpoint: &str) -> Admission {
        let now = self.now(provider);
        self.with(provider, |cell| cell.state.endpoint(endpoint).admit(now))
    }

    /// The state of an endpoint's breaker, by the copy of this instance.
    pub fn endpoint(&self, provider: Provider, endpoint: &str) -> Shared {
        self.with(provider, |cell| cell.state.endpoint(endpoint))
    }

    /// The state of the worst of the provider's breakers, by the copy of this instance.
    pub fn state(&self, provider: Provider) -> Shared {
        self.with(provider, |cell| cell.state.worst())
    }

    /// Calls to an endpoint that have failed in a row, over all runs, when the copy was read.
    pub fn failures(&self, provider: Provider, endpoint: &str) -> u32 {
        self.with(provider, |cell| cell.state.failures.get(endpoint).copied().unwrap_or_default())
    }

    /// The provider's limit, by the copy of this instance.
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
        let fresh = if waiting { FRESH_WAITING } else { FRESH };
        self.with(provider, |cell| cell.read_at.is_none_or(|read_at| now.since(read_at) >= fresh))
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
                cell.update_time = document.as_ref().map(|document| document.update_time);
                cell.state = document.as_ref().map(State::from_document).unwrap_or_default();
                cell.ahead = document.map_or(cell.ahead, |document| document.read_time - now);
                cell.read_at = Some(read_at);
                Ok(())
            }
            // Out of reach: a copy that there is is trusted a little longer, or nothing could be called at all.
            Err(error) => {
                cell.read_at = cell.read_at.and(Some(read_at));
                Err(error)
            }
        })
    }

    /// Opens an endpoint's breaker for all, unless somebody else has or probes. `caller` is the run that asks for it.
    pub async fn open(
        &self,
        provider: Provider,
        endpoint: &str,
        caller: &str,
        reason: &str,
    ) -> Result<(), FirestoreError> {
        let config = self.inner.config;
        tracing::warn!(
            provider.name = provider.name(),
            provider.endpoint = endpoint,
            reason,
            "circuit breaker opens"
        );
        self.change(provider, |state, now| {
            let shared = state.endpoint(endpoint);
            match shared.position {
                // Its answer was lost, or another run was faster.
                Position::Open if shared.until > Some(now) => Change::Keep(true),
                Position::HalfOpen if shared.prober.as_deref() != Some(caller) => Change::Keep(true),
                _ => {
                    let opened = shared.opened(now, reason, &config);
                    Change::Store(state.with(endpoint, opened), Some(Position::Open))
                }
            }
        })
        .await
        .map(drop)
    }

    /// Makes `prober` the only one who may call; false where somebody else was faster.
    pub async fn claim_probe(
        &self,
        provider: Provider,
        endpoint: &str,
        prober: &str,
        time: Duration,
    ) -> Result<bool, FirestoreError> {
        self.change(provider, |state, now| {
            let shared = state.endpoint(endpoint);
            if shared.position == Position::HalfOpen && shared.prober.as_deref() == Some(prober) {
                return Change::Keep(true);
            }
            if shared.admit(now) != Admission::Probe {
                return Change::Keep(false);
            }
            let probing = shared.probing(now, prober, time);
            Change::Store(state.with(endpoint, probing), Some(Position::HalfOpen))
        })
        .await
    }

    /// Closes an endpoint's breaker for all, after the probe of `prober` was answered.
    pub async fn close(
        &self,
        provider: Provider,
        endpoint: &str,
        prober: &str,
    ) -> Result<(), FirestoreError> {
        tracing::info!(
            provider.name = provider.name(),
            provider.endpoint = endpoint,
            "circuit breaker closes"
        );
        self.change(provider, |state, _| {
            let shared = state.endpoint(endpoint);
            // Closed already, or another has taken the probe over and will say how it went.
            if shared.position != Position::HalfOpen || shared.prober.as_deref() != Some(prober) {
                return Change::Keep(true);
            }
            Change::Store(state.with(endpoint, Shared::closed()), Some(Position::Closed))
        })
        .await
        .map(drop)
    }

    /// Holds back all calls to the provider, of all runs and instances, as it has asked for less. `is_late` says that
    /// the refused call went out before the present pause began.
    pub async fn limit_hit(
        &self,
        provider: Provider,
        asked: Option<Duration>,
        reason: &str,
        is_late: bool,
    ) -> Result<(), FirestoreError> {
        let now = self.now(provider);
        let own = self.with(provider, |cell| {
            cell.state.limit = cell.state.limit.hit(now, asked, reason, is_late);
            cell.state.limit.clone()
        });
        let wait = own.left(now);
        let hold = self.inner.world.clock.instant() + wait;
        self.with(provider, |cell| cell.held_until = cell.held_until.max(Some(hold)));
        tracing::warn!(
            provider.name = provider.name(),
            reason,
            wait_seconds = wait.as_secs(),
            in_row = own.in_row,
            "the provider asks for less"
        );
        self.change(provider, |state, _| {
            // Its answer was lost, or another run has noted as much.
            if state.limit.until >= own.until {
                return Change::Keep(true);
            }
            Change::Store(State { limit: own.clone(), ..state.clone() }, None)
        })
        .await
        .map(drop)
    }

    /// The provider answers again: the next pause is a first one.
    pub async fn limit_over(&self, provider: Provider) -> Result<(), FirestoreError> {
        self.change(provider, |state, now| {
            if state.limit == Limit::default() || !state.limit.left(now).is_zero() {
                return Change::Keep(true);
            }
            Change::Store(State { limit: Limit::default(), ..state.clone() }, None)
        })
        .await
        .map(drop)
    }

    /// Closes all breakers of a provider and ends its pause, whatever is stored: an operator's word.
    pub async fn reset(&self, provider: Provider) -> Result<(), FirestoreError> {
        self.with(provider, |cell| cell.held_until = None);
        self.change(provider, |state, _| {
            if state.is_quiet() {
                return Change::Keep(true);
            }
            Change::Store(State::default(), Some(Position::Closed))
        })
        .await
        .map(drop)
    }

    /// Changes the stored state, starting over where others have changed it meanwhile. Each time it decides anew on what
    /// is stored by then, so a change whose answer was lost is found to be made.
    async fn change(
        &self,
        provider: Provider,
        decide: impl Fn(&State, DateTime<Utc>) -> Change,
    ) -> Result<bool, FirestoreError> {
        let mut tries = 1;
        loop {
            self.reload(provider).await?;
            let now = self.now(provider);
            let (state, update_time) = self.with(provider, |cell| (cell.state.clone(), cell.update_time));
            let (state, position) = match decide(&state, now) {
                Change::Keep(answer) => return Ok(answer),
                Change::Store(state, position) => (state, position),
            };
            let mut write = Write::merge(self.document(provider), state.to_fields(provider, now))
                .only_if(update_time.map_or(Precondition::Missing, Precondition::UnchangedSince));
            write.increments.extend(position.map(stored::transition));
            let error = match self.inner.firestore.commit(&[write]).await {
                Ok(times) => {
                    let read_at = self.inner.world.clock.instant();
                    self.with(provider, |cell| {
                        cell.state = State { entries: std::mem::take(&mut cell.state.entries), ..state };
                        cell.update_time = times.first().copied();
                        cell.read_at = Some(read_at);
                    });
                    return Ok(true);
                }
                Err(error) => error,
            };
            let conflict =
                matches!(error.code(), Some(Code::AlreadyExists | Code::FailedPrecondition | Code::NotFound));
            if tries >= TRIES_MAX || !(conflict || error.is_retryable()) {
                return Err(error);
            }
            if !conflict {
                self.inner.firestore.back_off(tries).await;
            }
            tries += 1;
        }
    }

    /// Where what is known of a provider is stored.
    pub fn document(&self, provider: Provider) -> DocumentPath {
        DocumentPath::new(&self.inner.collection, provider.name())
    }

    fn with<T>(&self, provider: Provider, act: impl FnOnce(&mut Cell) -> T) -> T {
        let mut cells: MutexGuard<'_, _> = self.inner.cells.lock().unwrap_or_else(PoisonError::into_inner);
        act(provider.pick(cells.each_mut()))
    }
}
