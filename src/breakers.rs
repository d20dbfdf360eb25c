//! The providers' breakers and pauses, as this instance sees them.
//!
//! The shared state lies in Firestore, one document a provider, written on transitions only and always
//! under the precondition that nobody else has changed it; so of all instances one opens, one probes,
//! one closes. In between the instance acts on its copy, at most [`FRESH`] old.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::firestore::document::Document;
use crate::firestore::value::fields;
use crate::firestore::{Code, DocumentPath, Fields, Firestore, FirestoreError, Precondition, Value, Write};
use crate::job::Provider;
use crate::ports::{Instant, World};
use crate::resilience::breaker::{Admission, BreakerConfig, Position, Shared, Window};

/// How long a copy of the shared state is trusted.
pub const FRESH: Duration = Duration::from_secs(5);

/// The family of counters of transitions, `transitions/open`.
const TRANSITIONS: &str = "transitions/";

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
    cells: Mutex<[Cell; 4]>,
}

/// What is known of one provider.
#[derive(Clone, Debug, Default)]
struct Cell {
    window: Window,
    shared: Shared,
    /// When the stored state last changed; none while there is no document.
    update_time: Option<DateTime<Utc>>,
    read_at: Option<Instant>,
    paused_until: Option<Instant>,
}

impl Breakers {
    pub fn new(firestore: Firestore, world: World, collection: String, config: BreakerConfig) -> Self {
        let cells = Mutex::default();
        Self { inner: Arc::new(Inner { firestore, world, collection, config, cells }) }
    }

    /// Whether a call may go out, by the copy of this instance.
    pub fn admit(&self, provider: Provider) -> Admission {
        let now = self.inner.world.clock.now();
        self.with(provider, |cell| cell.shared.admit(now))
    }

    /// The state, by the copy of this instance.
    pub fn state(&self, provider: Provider) -> Shared {
        self.with(provider, |cell| cell.shared.clone())
    }

    /// Notes how a call ended; true where the breaker must open.
    pub fn record(&self, provider: Provider, failed: bool) -> bool {
        let config = self.inner.config;
        self.with(provider, |cell| {
            cell.window.record(failed, &config) && cell.shared.position == Position::Closed
        })
    }

    /// Holds back all calls to a provider of this instance.
    pub fn pause(&self, provider: Provider, until: Instant) {
        self.with(provider, |cell| cell.paused_until = cell.paused_until.max(Some(until)));
    }

    /// How long calls are held back.
    pub fn paused(&self, provider: Provider, now: Instant) -> Duration {
        self.with(provider, |cell| cell.paused_until.map_or(Duration::ZERO, |until| until.since(now)))
    }

    pub fn is_stale(&self, provider: Provider, now: Instant) -> bool {
        self.with(provider, |cell| cell.read_at.is_none_or(|read_at| now.since(read_at) >= FRESH))
    }

    /// Reads the shared state again, unless the copy is fresh.
    pub async fn refresh(&self, provider: Provider) -> Result<(), FirestoreError> {
        if !self.is_stale(provider, self.inner.world.clock.instant()) {
            return Ok(());
        }
        let reloaded = self.reload(provider).await;
        if reloaded.is_err() {
            // Out of reach: a copy that there is is trusted a little longer, or nothing could be called at all.
            let now = self.inner.world.clock.instant();
            self.with(provider, |cell| cell.read_at = cell.read_at.and(Some(now)));
        }
        reloaded
    }

    /// Opens the breaker: at once for this instance, then for all.
    pub async fn open(&self, provider: Provider, reason: &str) -> Result<(), FirestoreError> {
        let now = self.inner.world.clock.now();
        let config = self.inner.config;
        self.with(provider, |cell| {
            cell.shared = cell.shared.opened(now, reason, &config);
            cell.window.clear();
        });
        tracing::warn!(provider.name = provider.name(), reason, "circuit breaker opens");
        let shared = self.state(provider);
        self.store(provider, shared).await.map(drop)
    }

    /// Makes `prober` the only one who may call; false where somebody else was faster.
    pub async fn claim_probe(
        &self,
        provider: Provider,
        prober: &str,
        time: Duration,
    ) -> Result<bool, FirestoreError> {
        let now = self.inner.world.clock.now();
        let probing = self.with(provider, |cell| cell.shared.probing(now, prober, time));
        self.store(provider, probing).await
    }

    /// Closes the breaker for all.
    pub async fn close(&self, provider: Provider) -> Result<(), FirestoreError> {
        self.with(provider, |cell| cell.window.clear());
        tracing::info!(provider.name = provider.name(), "circuit breaker closes");
        self.store(provider, Shared::closed()).await.map(drop)
    }

    /// Closes the breaker whatever its stored state is: an operator's word.
    pub async fn reset(&self, provider: Provider) -> Result<(), FirestoreError> {
        const CONFLICTS_MAX: u32 = 5;
        for _ in 0..CONFLICTS_MAX {
            self.reload(provider).await?;
            self.with(provider, |cell| {
                cell.window.clear();
                cell.paused_until = None;
            });
            if self.state(provider) == Shared::closed() || self.store(provider, Shared::closed()).await? {
                return Ok(());
            }
        }
        Err(FirestoreError::Status {
            code: Code::Aborted,
            message: format!("the breaker of {} changed {CONFLICTS_MAX} times in a row", provider.name()),
        })
    }

    /// Writes a transition; where somebody else was faster, takes over what they wrote and says false.
    async fn store(&self, provider: Provider, shared: Shared) -> Result<bool, FirestoreError> {
        let known = self.with(provider, |cell| cell.update_time);
        let precondition = known.map_or(Precondition::Missing, Precondition::UnchangedSince);
        let fields = to_fields(provider, &shared, self.inner.world.clock.now());
        let transition = (format!("{TRANSITIONS}{}", shared.position.name()), Value::Integer(1));
        let write = Write { increments: vec![transition], ..Write::merge(self.document(provider), fields) };
        let write = write.only_if(precondition);
        match self.inner.firestore.commit(&[write]).await {
            Ok(times) => {
                let read_at = self.inner.world.clock.instant();
                self.with(provider, |cell| {
                    cell.shared = shared;
                    cell.update_time = times.first().copied();
                    cell.read_at = Some(read_at);
                });
                Ok(true)
            }
            Err(error)
                if matches!(
                    error.code(),
                    Some(Code::AlreadyExists | Code::FailedPrecondition | Code::NotFound)
                ) =>
            {
                self.reload(provider).await?;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    async fn reload(&self, provider: Provider) -> Result<(), FirestoreError> {
        let stored = self.inner.firestore.get(&self.document(provider)).await?;
        let read_at = self.inner.world.clock.instant();
        self.with(provider, |cell| {
            cell.update_time = stored.as_ref().map(|document| document.update_time);
            cell.shared = stored.as_ref().map(from_document).unwrap_or_default();
            cell.read_at = Some(read_at);
        });
        Ok(())
    }

    /// Where a provider's breaker is stored.
    pub fn document(&self, provider: Provider) -> DocumentPath {
        DocumentPath::new(&self.inner.collection, provider.name())
    }

    fn with<T>(&self, provider: Provider, act: impl FnOnce(&mut Cell) -> T) -> T {
        let mut cells: MutexGuard<'_, _> = self.inner.cells.lock().unwrap_or_else(PoisonError::into_inner);
        act(provider.pick(cells.each_mut()))
    }
}

fn to_fields(provider: Provider, shared: &Shared, now: DateTime<Utc>) -> Fields {
    let text = |text: &Option<String>| text.as_ref().map_or(Value::NULL, Value::string);
    fields([
        ("provider", Value::string(provider.name())),
        ("position", Value::string(shared.position.name())),
        ("until", shared.until.map_or(Value::NULL, Value::Timestamp)),
        ("openings", Value::Integer(shared.openings.into())),
        ("prober", text(&shared.prober)),
        ("reason", text(&shared.reason)),
        ("changed_at", Value::Timestamp(now)),
    ])
}

/// A breaker as Firestore has it.
#[derive(Clone, Debug, Default)]
pub struct StoredBreaker {
    pub shared: Shared,
    pub changed_at: Option<DateTime<Utc>>,
    /// How often it came into each position.
    pub transitions: BTreeMap<&'static str, u64>,
}

impl StoredBreaker {
    pub fn from_document(document: &Document) -> Self {
        let count = |position: Position| {
            let count = document.fields.get(&format!("{TRANSITIONS}{}", position.name()))?.as_i64()?;
            Some((position.name(), u64::try_from(count).ok()?))
        };
        let mut transitions = BTreeMap::new();
        transitions.extend(Position::ALL.into_iter().filter_map(count));
        Self {
            shared: from_document(document),
            changed_at: document.fields.get("changed_at").and_then(Value::as_timestamp),
            transitions,
        }
    }
}

fn from_document(document: &Document) -> Shared {
    let name = document.text("position").unwrap_or_default();
    let position = Position::ALL.into_iter().find(|position| position.name() == name).unwrap_or_default();
    let openings = document.fields.get("openings").and_then(Value::as_i64).unwrap_or_default();
    Shared {
        position,
        until: document.fields.get("until").and_then(Value::as_timestamp),
        openings: u32::try_from(openings).unwrap_or_default(),
        prober: document.text("prober").map(ToOwned::to_owned),
        reason: document.text("reason").map(ToOwned::to_owned),
    }
}
