//! The run ledger: one document per run, the only place that decides who works on it.
//!
//! A claim creates the document under the precondition that it does not exist, or takes over one whose lease has
//! expired under the precondition that nobody has changed it since. Every later write of the owner is conditional on
//! the time of its own last write, so an owner that was replaced can no longer write.
//!
//! A lease has expired when Firestore's read time is at least the lease after the entry's last change: both times are
//! Firestore's. The owner measures the lease from before it sent its write, on its monotonic clock, so it stops before
//! anyone may take over, however wrong any clock is.

mod cancel;
mod commit;
pub mod coverage;
pub mod entry;
mod keeping;
mod last_calls;
mod list;
pub mod orders;
pub mod packing;
pub mod pauses;
pub mod settings;
pub mod statistics;
pub mod summary;
pub mod verdict;

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::base::id::new_uuid;
use crate::base::ports::{BoxFuture, Instant};
use crate::base::world::World;
use crate::config::Collections;
use crate::firestore::document::Document;
use crate::firestore::{Code, DocumentPath, Firestore, FirestoreError, Precondition, Write};
use crate::ledger::settings::RunConfig;
use crate::run::{Cancelled, RunState};
pub use cancel::{Cancelling, LOOK_INTERVAL};
use commit::Committed;
use entry::Entry;
pub use keeping::Kept;
pub use list::{Filter, PageToken, RunPage};
use verdict::Verdict;

/// How often a claim or a fenced write starts over after someone else changed the document.
const CONFLICTS_MAX: u32 = 8;

/// The ledger of all runs.
#[derive(Clone)]
pub struct Ledger {
    firestore: Firestore,
    world: World,
    collections: Collections,
    config: RunConfig,
}

/// Result of a claim.
#[derive(Debug)]
pub enum Claim {
    /// The caller owns the run and must end it.
    Owned(Box<Owned>),
    /// Another request is working on it.
    Running { state: Box<RunState>, retry_after: Duration },
    /// Its data is probably not published yet: nobody works on it until then.
    NotDue { state: Box<RunState>, retry_after: Duration },
    /// It is finished.
    Finished(Box<RunState>),
    /// The key was used for another request.
    Different,
}

/// A run and the right to write its entry.
#[derive(Debug)]
pub struct Owned {
    pub state: RunState,
    pub fence: Fence,
}

/// The right to write a ledger entry: lost as soon as someone else has written it.
#[derive(Clone, Debug)]
pub struct Fence {
    owner: String,
    update_time: DateTime<Utc>,
    renewals: u64,
    lease_until: Instant,
    /// The order to stop the run, as soon as the owner has seen it.
    cancelled: Option<Cancelled>,
}

impl Fence {
    /// Until when nobody else can have taken over the run.
    pub fn lease_until(&self) -> Instant {
        self.lease_until
    }

    /// The order to stop the run, if the owner has seen one.
    pub fn cancelled(&self) -> Option<&Cancelled> {
        self.cancelled.as_ref()
    }

    /// The owner has seen an order to stop the run.
    pub fn note(&mut self, order: Cancelled) {
        self.cancelled = Some(order);
    }
}

impl Fence {
    /// The owner's name: unique to this attempt.
    pub fn owner(&self) -> &str {
        &self.owner
    }
}

/// Writes that are committed together with a claim, for the run and the name of its owner.
pub type Beside<'a> = dyn Fn(&RunState, &str) -> Vec<Write> + Send + Sync + 'a;

/// Why a fenced write did not happen.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    #[error("another instance has taken over the run")]
    Lost,
    #[error(transparent)]
    Firestore(#[from] FirestoreError),
}

impl Ledger {
    /// No request waits longer than a third of the lease: one that hangs leaves time for a retry before the
    /// lease has expired.
    pub fn new(firestore: &Firestore, world: World, collections: Collections, config: RunConfig) -> Self {
        Self { firestore: firestore.with_timeout(config.lease / 3), world, collections, config }
    }

    /// Makes the caller the owner of the run, or says why it cannot be.
    pub async fn claim(&self, new: RunState, beside: &Beside<'_>) -> Result<Claim, FirestoreError> {
        let owner = self.owner_name();
        for _ in 0..CONFLICTS_MAX {
            match self.own(new.clone(), &owner, Precondition::Missing, beside).await? {
                Some(owned) => return Ok(Claim::Owned(Box::new(owned))),
                None => {
                    if let Some(claim) = self
                        .take_over(&new.identity.run_id, Some(&new.request_digest), &owner, beside)
                        .await?
                    {
                        return Ok(claim);
                    }
                }
            }
        }
        Err(contended(&new.identity.run_id))
    }

    /// Continues a run, or retries what failed if the run has ended; none if the run is unknown.
    pub async fn resume(&self, run_id: &str, beside: &Beside<'_>) -> Result<Option<Claim>, FirestoreError> {
        let owner = self.owner_name();
        for _ in 0..CONFLICTS_MAX {
            if self.get(run_id).await?.is_none() {
                return Ok(None);
            }
            if let Some(claim) = self.take_over(run_id, None, &owner, beside).await? {
                return Ok(Some(claim));
            }
        }
        Err(contended(run_id))
    }

    /// Continues a run as its own caller would; none if it is unknown.
    pub async fn go_on(&self, run_id: &str, beside: &Beside<'_>) -> Result<Option<Claim>, FirestoreError> {
        let owner = self.owner_name();
        for _ in 0..CONFLICTS_MAX {
            let Some(state) = self.get(run_id).await? else { return Ok(None) };
            if let Some(claim) = self.take_over(run_id, Some(&state.request_digest), &owner, beside).await? {
                return Ok(Some(claim));
            }
        }
        Err(contended(run_id))
    }

    /// Makes a run that nobody works on yet; whether there was none.
    pub async fn leave(&self, state: RunState) -> Result<bool, FirestoreError> {
        let entry = Entry { state, owner: self.owner_name(), lease: Duration::ZERO, renewals: 0 };
        let write = self.write(&entry, Precondition::Missing);
        Ok(matches!(self.commit_owned(&[write], &entry.owner).await?, Committed::Done(_)))
    }

    /// The state of a run.
    pub async fn get(&self, run_id: &str) -> Result<Option<RunState>, FirestoreError> {
        Ok(self.read(run_id).await?.map(|read| read.entry.state))
    }

    /// Decides what to do with an existing entry; none if it was changed or removed in the meantime.
    async fn take_over(
        &self,
        run_id: &str,
        digest: Option<&str>,
        owner: &str,
        beside: &Beside<'_>,
    ) -> Result<Option<Claim>, FirestoreError> {
        let Some(Read { entry, document }) = self.read(run_id).await? else { return Ok(None) };
        match verdict::judge(&entry, digest, document.age()) {
            Verdict::Different => Ok(Some(Claim::Different)),
            Verdict::Finished => Ok(Some(Claim::Finished(Box::new(entry.state)))),
            Verdict::Cancelled => {
                let order = entry.state.cancelled.clone();
                let settled = self.settle(entry.state, order, document.update_time, Vec::new()).await?;
                Ok(settled.map(|state| Claim::Finished(Box::new(state))))
            }
            Verdict::NotDue { retry_after } => {
                Ok(Some(Claim::NotDue { state: Box::new(entry.state), retry_after }))
            }
            Verdict::Running { retry_after } => {
                Ok(Some(Claim::Running { state: Box::new(entry.state), retry_after }))
            }
            Verdict::Free => {
                let mut state = entry.state;
                state.resume(self.world.clock.now());
                let unchanged = Precondition::UnchangedSince(document.update_time);
                let owned = self.own(state, owner, unchanged, beside).await?;
                Ok(owned.map(|owned| Claim::Owned(Box::new(owned))))
            }
        }
    }

    /// Makes `owner` the only writer of an entry; none if someone else was faster.
    async fn own(
        &self,
        state: RunState,
        owner: &str,
        precondition: Precondition,
        beside: &Beside<'_>,
    ) -> Result<Option<Owned>, FirestoreError> {
        let lease_until = self.world.clock.instant() + self.config.lease;
        let entry = Entry { state, owner: owner.to_owned(), lease: self.config.lease, renewals: 0 };
        let write = self.write(&entry, precondition);
        let writes: Vec<_> = std::iter::once(write).chain(beside(&entry.state, owner)).collect();
        Ok(match self.commit_owned(&writes, owner).await? {
            Committed::Done(update_time) => {
                let fence =
                    Fence { owner: entry.owner, update_time, renewals: 0, lease_until, cancelled: None };
                Some(Owned { state: entry.state, fence })
            }
            Committed::Conflict => None,
        })
    }

    /// Stores a run's progress and renews its lease. The new fence has the order to stop it, if there is one.
    pub fn checkpoint(&self, fence: Fence, state: RunState) -> BoxFuture<'static, Result<Fence, SaveError>> {
        let ledger = self.clone();
        Box::pin(async move {
            match ledger.save(fence, state, Vec::new()).await? {
                Saved::Done(fence) | Saved::Stopped(fence) => Ok(fence),
            }
        })
    }

    /// Ends an attempt: the entry, the statistics and the writes `beside` them change together or not at all. An order
    /// to stop the run that arrives until then decides how it ends.
    pub async fn close(
        &self,
        mut fence: Fence,
        state: RunState,
        beside: Option<Write>,
    ) -> Result<RunState, SaveError> {
        loop {
            let mut ended = state.clone();
            ended.end_by(fence.cancelled.clone());
            let (ended, statistics) = statistics::count(ended, &self.collections.statistics);
            let others = std::iter::once(statistics).chain(beside.clone()).collect();
            match self.save(fence, ended.clone(), others).await? {
                Saved::Done(_) => return Ok(ended),
                Saved::Stopped(stopped) => fence = stopped,
            }
        }
    }

    async fn save(&self, mut fence: Fence, state: RunState, others: Vec<Write>) -> Result<Saved, SaveError> {
        let closing = !others.is_empty();
        let status = state.status;
        fence.lease_until = self.world.clock.instant() + self.config.lease;
        let (owner, lease) = (fence.owner.clone(), self.config.lease);
        let mut entry = Entry { state, owner, lease, renewals: fence.renewals };
        for _ in 0..CONFLICTS_MAX {
            // A number that no earlier write had, because a write that changes nothing would not renew the lease.
            entry.renewals = fence.renewals.saturating_add(1);
            if !closing {
                entry.state.cancelled.clone_from(&fence.cancelled);
            }
            let mut writes = vec![self.write(&entry, Precondition::UnchangedSince(fence.update_time))];
            writes.extend(others.iter().cloned());
            if let Committed::Done(update_time) = self.commit(&writes).await? {
                return Ok(Saved::Done(Fence { update_time, renewals: entry.renewals, ..fence }));
            }
            // Changed since: by someone else, or by a write of ours whose response was lost.
            match self.read(&entry.state.identity.run_id).await? {
                Some(Read { entry: stored, document }) if stored.owner == fence.owner => {
                    fence.update_time = document.update_time;
                    fence.renewals = stored.renewals;
                    if closing && stored.state.status == status {
                        return Ok(Saved::Done(fence));
                    }
                    let is_news = fence.cancelled.is_none() && stored.state.cancelled.is_some();
                    fence.cancelled = fence.cancelled.or(stored.state.cancelled);
                    if closing && is_news {
                        return Ok(Saved::Stopped(fence));
                    }
                }
                _ => return Err(SaveError::Lost),
            }
        }
        Err(contended(&entry.state.identity.run_id).into())
    }

    async fn read(&self, run_id: &str) -> Result<Option<Read>, FirestoreError> {
        match self.firestore.get(&self.document(run_id)).await? {
            Some(document) => {
                let entry = Entry::from_fields(&document.fields).map_err(FirestoreError::Protocol)?;
                Ok(Some(Read { entry, document }))
            }
            None => Ok(None),
        }
    }

    fn write(&self, entry: &Entry, precondition: Precondition) -> Write {
        let fields = entry.to_fields(self.config.retention);
        Write::overwrite(self.document(&entry.state.identity.run_id), fields).only_if(precondition)
    }

    /// Counts a skipped run in its job's statistics.
    pub fn count_skipped(&self, state: &RunState) -> Write {
        statistics::count_skipped(&state.job, &self.collections.statistics)
    }

    /// Where a job's statistics are stored.
    pub fn statistics(&self, job: &str) -> DocumentPath {
        DocumentPath::new(&self.collections.statistics, job)
    }

    fn document(&self, run_id: &str) -> DocumentPath {
        DocumentPath::new(&self.collections.runs, run_id)
    }

    fn owner_name(&self) -> String {
        new_uuid(&self.world)
    }
}

/// Result of a fenced write.
enum Saved {
    Done(Fence),
    /// The entry was not closed: meanwhile there is an order to stop the run.
    Stopped(Fence),
}

/// An entry, and the document that it was read from.
struct Read {
    entry: Entry,
    document: Document,
}

fn contended(run_id: &str) -> FirestoreError {
    FirestoreError::Status {
        code: Code::Aborted,
        message: format!("the ledger entry {run_id} changed {CONFLICTS_MAX} times in a row"),
    }
}

#[cfg(test)]
impl Fence {
    /// A fence without an entry, for tests.
    pub(crate) fn for_test(owner: &str, lease_until: Instant) -> Self {
        Self {
            owner: owner.to_owned(),
            update_time: DateTime::UNIX_EPOCH,
            renewals: 0,
            lease_until,
            cancelled: None,
        }
    }
}
