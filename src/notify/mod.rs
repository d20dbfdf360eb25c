//! Tells people about alerts: each change once to every target that is set.
//!
//! Whether an alert was firing at the last look is in Firestore, one document an alert, and changes there under a
//! precondition. So of two watches at once only one finds a change, and only one tells it: it claims the change in the
//! write that stores it. What a target has not confirmed stays in the document and is told again by a later watch, with
//! the same id. The facts are read after the documents: a change is never stored that is older than the one before it.

pub mod alert;
mod deliver;
mod document;
pub mod message;
pub mod post;
pub mod settings;
pub mod target;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::{Either, join_all, select};
use serde::Serialize;

use self::alert::{Found, Known, Look, State};
use self::deliver::Held;
use self::message::Sender;
use self::settings::NotifyConfig;
use self::target::Target;
use crate::base::id::new_uuid;
use crate::base::ports::{Instant, TransportError};
use crate::base::world::World;
use crate::firestore::{Code, DocumentPath, Firestore, FirestoreError, Precondition, Write};
use crate::ops::Ops;
use crate::ops::alerts::Alert;
use crate::ops::facts::NOTIFICATIONS;
use crate::ops::status::Judgement;

/// The longest that a watch works on notifications. A claim lasts longer ([`alert::CLAIM`]).
const LENGTH_MAX: Duration = Duration::from_secs(50);
/// The longest that one message may take.
const MESSAGE_MAX: Duration = Duration::from_secs(10);
/// The longest that a request to Firestore may take: its settings are for runs.
const FIRESTORE_MAX: Duration = Duration::from_secs(8);
/// Documents that are written at the same time.
const WRITES_AT_ONCE: usize = 16;
/// Attempts of one write while Firestore fails.
const ATTEMPTS_MAX: u32 = 3;

/// Tells about alerts.
pub struct Notifier {
    pub config: NotifyConfig,
    world: World,
    firestore: Firestore,
    collection: String,
    sender: Sender,
    length: Duration,
}

/// What a watch has done about the alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
pub struct Notified {
    /// Alerts that hold.
    pub firing: usize,
    /// Alerts that have begun to hold, or become more severe.
    pub fired: usize,
    /// Alerts that no longer hold.
    pub resolved: usize,
    /// Messages that targets have taken.
    pub told: usize,
    /// Messages that targets have not taken; later watches repeat them.
    pub failed: usize,
    /// Those that were sent anything.
    pub targets: Vec<Sum>,
}

/// What has happened to the messages for one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
pub struct Sum {
    pub target: Target,
    pub told: usize,
    pub failed: usize,
    /// The latest failure.
    pub error: Option<String>,
}

/// One watch at work.
struct Watch {
    /// Its name in claims.
    id: String,
    /// No message is sent from then on.
    last_message: Instant,
    /// Limit on one message.
    message: Duration,
    done: Mutex<Notified>,
    /// Targets that have stopped taking messages.
    down: [AtomicBool; Target::ALL.len()],
}

/// A document, and what becomes of it.
struct Change {
    key: String,
    next: Known,
    precondition: Precondition,
    /// Whether it began to hold, became more severe, or no longer holds.
    is_news: bool,
}

impl Notifier {
    /// `deadline` is the time within which a request must be answered.
    pub fn new(
        config: NotifyConfig,
        world: World,
        firestore: &Firestore,
        collection: String,
        deadline: Duration,
    ) -> Self {
        let firestore = firestore.with_timeout(FIRESTORE_MAX);
        let sender =
            Sender { database: firestore.database().to_owned(), dashboard: config.dashboard.clone() };
        // A quarter of a short deadline is left for the heartbeat and the answer.
        let length = LENGTH_MAX.min(deadline * 3 / 4);
        Self { config, world, firestore, collection, sender, length }
    }

    /// Evaluates the alerts and tells what has changed. Two at once are harmless.
    pub async fn watch(&self, ops: &Ops) -> Result<Notified, FirestoreError> {
        let start = self.world.clock.instant();
        let watch = Watch {
            id: new_uuid(&self.world),
            last_message: start + self.length * 2 / 3,
            message: MESSAGE_MAX.min(self.length / 5),
            done: Mutex::default(),
            down: Default::default(),
        };
        let work = std::pin::pin!(self.work(ops, &watch));
        match select(work, self.world.clock.sleep(self.length)).await {
            Either::Left((Ok(()), _)) => Ok(std::mem::take(&mut *watch.done())),
            Either::Left((Err(error), _)) => Err(error),
            Either::Right(_) => Err(TransportError::Timeout(self.length).into()),
        }
    }

    async fn work(&self, ops: &Ops, watch: &Watch) -> Result<(), FirestoreError> {
        let (stored, read_at) = self.read().await?;
        let Judgement { alerts, knows_jobs } = Judgement::now(ops).await?;
        let now = self.world.clock.now();
        watch.done().firing = alerts.len();
        let (mut held, mut failure) = (Vec::new(), None);
        let changes = self.changes(&stored, &alerts, knows_jobs, watch, now, read_at);
        for some in changes.chunks(WRITES_AT_ONCE) {
            for result in join_all(some.iter().map(|change| self.store(change, watch))).await {
                match result {
                    Ok(stored) => held.extend(stored),
                    Err(error) => failure = Some(error),
                }
            }
        }
        for held in held {
            if let Err(error) = self.deliver(held, watch).await {
                failure = Some(error);
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// All documents, and the time at which they were read.
    async fn read(&self) -> Result<(Vec<Held>, DateTime<Utc>), FirestoreError> {
        let mut held = Vec::new();
        let (mut after, mut read_at): (Option<String>, _) = (None, DateTime::UNIX_EPOCH);
        loop {
            let page = self.firestore.list(&self.collection, &[], after.as_deref()).await?;
            after = page.next().map(|document| document.id.clone());
            for document in page.documents {
                read_at = document.read_time;
                if document.id != NOTIFICATIONS {
                    let known = document::read(&document.fields);
                    held.push(Held { key: document.id, known, update_time: document.update_time });
                }
            }
            if after.is_none() {
                return Ok((held, read_at));
            }
        }
    }

    /// What has to be written.
    fn changes(
        &self,
        stored: &[Held],
        alerts: &[Alert],
        knows_jobs: bool,
        watch: &Watch,
        now: DateTime<Utc>,
        read_at: DateTime<Utc>,
    ) -> Vec<Change> {
        let holds: Vec<_> = alerts.iter().map(|alert| (alert.key(), alert)).collect();
        let targets = self.config.targets();
        let is_new = |key: &&String| !stored.iter().any(|held| held.key == **key);
        let known = stored.iter().map(|held| &held.key);
        let keys = known.chain(holds.iter().map(|(key, _)| key).filter(is_new));
        let mut changes = Vec::new();
        for key in keys {
            let held = stored.iter().find(|held| held.key == *key);
            let is_of_job = held.is_some_and(|held| held.known.subject.job.is_some());
            let found = match holds.iter().find(|(held, _)| held == key) {
                Some((_, alert)) => Found::Holds(alert),
                None if is_of_job && !knows_jobs => Found::Unknown,
                None => Found::Gone,
            };
            let id = new_uuid(&self.world);
            let look = Look { targets: &targets, now, read_at, id: &id, watch: &watch.id };
            if let Some(next) = Known::next(held.map(|held| &held.known), found, &look) {
                let precondition =
                    held.map_or(Precondition::Missing, |held| Precondition::UnchangedSince(held.update_time));
                let is_news = held.is_none_or(|held| held.known.changed_at != next.changed_at);
                changes.push(Change { key: key.clone(), next, precondition, is_news });
            }
        }
        changes
    }

    /// Stores a change. Returns what this watch has to tell; nothing if another watch was faster.
    async fn store(&self, change: &Change, watch: &Watch) -> Result<Option<Held>, FirestoreError> {
        let path = self.document(&change.key);
        let write = document::write(path.clone(), &change.next, change.precondition);
        let to_tell = change.next.claim.is_some();
        let stored = match self.commit(&[write]).await? {
            Some(time) => Some((change.next.clone(), time)),
            // Perhaps its own write, whose answer was lost.
            None if to_tell => {
                let stored = self.firestore.get(&path).await?;
                let stored = stored.map(|stored| (document::read(&stored.fields), stored.update_time));
                stored.filter(|(known, _)| known.is_claimed_by(&watch.id))
            }
            None => None,
        };
        if stored.is_some() && change.is_news {
            watch.count_change(change.next.state);
        }
        let held = |(known, update_time)| Held { key: change.key.clone(), known, update_time };
        Ok(stored.filter(|_| to_tell).map(held))
    }

    /// Commits; none if the precondition of the first write failed.
    async fn commit(&self, writes: &[Write]) -> Result<Option<DateTime<Utc>>, FirestoreError> {
        let mut attempt = 1;
        loop {
            match self.firestore.commit(writes).await {
                Ok(times) => return Ok(times.first().copied()),
                Err(error)
                    if matches!(
                        error.code(),
                        Some(Code::AlreadyExists | Code::FailedPrecondition | Code::NotFound)
                    ) =>
                {
                    return Ok(None);
                }
                Err(error) if error.is_retryable() && attempt < ATTEMPTS_MAX => {
                    self.firestore.back_off(attempt).await;
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn document(&self, key: &str) -> DocumentPath {
        DocumentPath::new(&self.collection, key)
    }
}

impl Watch {
    fn done(&self) -> MutexGuard<'_, Notified> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_down(&self, target: Target) -> bool {
        let down = Target::ALL.iter().zip(&self.down).find(|(known, _)| **known == target);
        down.is_some_and(|(_, down)| down.load(Ordering::Relaxed))
    }

    fn give_up(&self, target: Target) {
        for (_, down) in Target::ALL.iter().zip(&self.down).filter(|(known, _)| **known == target) {
            down.store(true, Ordering::Relaxed);
        }
    }

    fn count_change(&self, state: State) {
        let mut done = self.done();
        match state {
            State::Firing => done.fired += 1,
            State::Resolved => done.resolved += 1,
        }
    }

    fn count(&self, target: Target, error: Option<&str>) {
        let mut done = self.done();
        let (told, failed) = if error.is_none() { (1, 0) } else { (0, 1) };
        done.told += told;
        done.failed += failed;
        if !done.targets.iter().any(|sum| sum.target == target) {
            done.targets.push(Sum { target, told: 0, failed: 0, error: None });
        }
        for sum in done.targets.iter_mut().filter(|sum| sum.target == target) {
            sum.told += told;
            sum.failed += failed;
            if error.is_some() {
                sum.error = error.map(ToOwned::to_owned);
            }
        }
    }
}
