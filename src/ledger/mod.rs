//! The run ledger: one document a run, the one place where it is decided who works on it.
//!
//! A claim creates the document under the precondition that it does not exist, or takes over one whose
//! lease has run out under the precondition that nobody has changed it since. Every later write of the
//! owner names the time of its own last write, so an owner that was taken over cannot write any more.

pub mod entry;
mod list;
pub mod statistics;
pub mod summary;
pub mod verdict;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::{Collections, RunConfig};
use crate::firestore::{Code, DocumentPath, Firestore, FirestoreError, Precondition, Write};
use crate::ports::{BoxFuture, World};
use crate::run::RunState;
use entry::Entry;
pub use list::{Filter, PageToken, RunPage};
use verdict::Verdict;

/// Times that a claim or a fenced write starts over after somebody else changed the document.
const CONFLICTS_MAX: u32 = 8;
/// Tries of one commit while Firestore fails.
const COMMIT_ATTEMPTS_MAX: u32 = 4;

/// The ledger of all runs.
#[derive(Clone)]
pub struct Ledger {
    firestore: Firestore,
    world: World,
    collections: Collections,
    config: RunConfig,
}

/// What came of a claim.
#[derive(Debug)]
pub enum Claim {
    /// The caller owns the run and must end it.
    Owned(Box<Owned>),
    /// Somebody else works on it.
    Running { state: Box<RunState>, retry_after: Duration },
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

/// The right to write a ledger entry: lost as soon as somebody else has written it.
#[derive(Clone, Debug)]
pub struct Fence {
    owner: String,
    update_time: DateTime<Utc>,
}

impl Fence {
    /// The name under which the run is owned: no other attempt has it.
    pub fn owner(&self) -> &str {
        &self.owner
    }
}

/// Writes that are committed together with a claim, for the run and the name of its owner.
pub type Beside<'a> = dyn Fn(&RunState, &str) -> Vec<Write> + Send + Sync + 'a;

/// Why a fenced write did not happen.
#[derive(Debug, thiserror::Error)]
pub enum SaveError {
    #[error("another instance has taken the run over")]
    Lost,
    #[error(transparent)]
    Firestore(#[from] FirestoreError),
}

impl Ledger {
    /// No request of it waits longer than a third of the lease: one that hangs leaves time to try again before the
    /// lease has ended.
    pub fn new(firestore: &Firestore, world: World, collections: Collections, config: RunConfig) -> Self {
        Self { firestore: firestore.impatient(config.lease / 3), world, collections, config }
    }

    /// Makes the caller the owner of the run, or says who is.
    pub async fn claim(&self, new: RunState, beside: &Beside<'_>) -> Result<Claim, FirestoreError> {
        let owner = self.owner_name();
        for _ in 0..CONFLICTS_MAX {
            let entry =
                Entry { state: new.clone(), owner: owner.clone(), lease_expires_at: self.lease_end() };
            let create = self.write(&entry, Precondition::Missing);
            let writes: Vec<_> = std::iter::once(create).chain(beside(&new, &owner)).collect();
            match self.commit_owned(&writes, &owner).await? {
                Committed::Done(update_time) => {
                    let fence = Fence { owner, update_time };
                    return Ok(Claim::Owned(Box::new(Owned { state: new, fence })));
                }
                Committed::Conflict => {
                    if let Some(claim) =
                        self.take_over(&new.run_id, Some(&new.request_digest), &owner, beside).await?
                    {
                        return Ok(claim);
                    }
                }
            }
        }
        Err(contended(&new.run_id))
    }

    /// Goes on with a run that is known: none where it is not.
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

    /// The state of a run.
    pub async fn get(&self, run_id: &str) -> Result<Option<RunState>, FirestoreError> {
        Ok(self.read(run_id).await?.map(|(entry, _)| entry.state))
    }

    /// Decides over an entry that exists; none where it was changed or removed meanwhile.
    async fn take_over(
        &self,
        run_id: &str,
        digest: Option<&str>,
        owner: &str,
        beside: &Beside<'_>,
    ) -> Result<Option<Claim>, FirestoreError> {
        let Some((entry, update_time)) = self.read(run_id).await? else { return Ok(None) };
        let now = self.world.clock.now();
        match verdict::judge(&entry, digest, now) {
            Verdict::Different => Ok(Some(Claim::Different)),
            Verdict::Finished => Ok(Some(Claim::Finished(Box::new(entry.state)))),
            Verdict::Running { retry_after } => {
                Ok(Some(Claim::Running { state: Box::new(entry.state), retry_after }))
            }
            Verdict::Free => {
                let mut state = entry.state;
                state.resume(now);
                let entry = Entry { state, owner: owner.to_owned(), lease_expires_at: self.lease_end() };
                let write = self.write(&entry, Precondition::UnchangedSince(update_time));
                let writes: Vec<_> = std::iter::once(write).chain(beside(&entry.state, owner)).collect();
                match self.commit_owned(&writes, owner).await? {
                    Committed::Done(update_time) => {
                        let fence = Fence { owner: owner.to_owned(), update_time };
                        Ok(Some(Claim::Owned(Box::new(Owned { state: entry.state, fence }))))
                    }
                    Committed::Conflict => Ok(None),
                }
            }
        }
    }

    /// Notes how far a run is and renews its lease.
    pub fn checkpoint(&self, fence: Fence, state: RunState) -> BoxFuture<'static, Result<Fence, SaveError>> {
        let ledger = self.clone();
        Box::pin(async move { ledger.save(fence, state, Vec::new()).await })
    }

    /// Ends an attempt: the entry, the statistics and what stands `beside` change together or not at all.
    pub async fn close(
        &self,
        fence: Fence,
        state: RunState,
        beside: Option<Write>,
    ) -> Result<RunState, SaveError> {
        let (state, statistics) = statistics::count(state, &self.collections.statistics);
        let others = std::iter::once(statistics).chain(beside).collect();
        self.save(fence, state.clone(), others).await?;
        Ok(state)
    }

    async fn save(&self, mut fence: Fence, state: RunState, others: Vec<Write>) -> Result<Fence, SaveError> {
        let closing = !others.is_empty();
        let status = state.status;
        let entry = Entry { state, owner: fence.owner.clone(), lease_expires_at: self.lease_end() };
        for _ in 0..CONFLICTS_MAX {
            let mut writes = vec![self.write(&entry, Precondition::UnchangedSince(fence.update_time))];
            writes.extend(others.iter().cloned());
            if let Committed::Done(update_time) = self.commit(&writes).await? {
                return Ok(Fence { update_time, ..fence });
            }
            // Changed since: by somebody else, or by a write of ours whose answer was lost.
            match self.read(&entry.state.run_id).await? {
                Some((stored, update_time)) if stored.owner == fence.owner => {
                    fence.update_time = update_time;
                    if closing && stored.state.status == status {
                        return Ok(fence);
                    }
                }
                _ => return Err(SaveError::Lost),
            }
        }
        Err(contended(&entry.state.run_id).into())
    }

    /// Commits a claim; a conflict with a write of `owner` itself, whose answer was lost, is a success.
    async fn commit_owned(&self, writes: &[Write], owner: &str) -> Result<Committed, FirestoreError> {
        let committed = self.commit(writes).await?;
        if let (Committed::Conflict, Some(write)) = (&committed, writes.first())
            && let Some(document) = self.firestore.get(&write.document).await?
            && document.text(entry::OWNER) == Some(owner)
        {
            return Ok(Committed::Done(document.update_time));
        }
        Ok(committed)
    }

    /// Commits, again while Firestore fails; safe because every first write has a precondition.
    async fn commit(&self, writes: &[Write]) -> Result<Committed, FirestoreError> {
        let mut attempt = 1;
        loop {
            match self.firestore.commit(writes).await {
                Ok(times) => match times.first() {
                    Some(time) => return Ok(Committed::Done(*time)),
                    None => return Err(FirestoreError::Protocol("a commit without results".to_owned())),
                },
                Err(error) if is_conflict(&error) => return Ok(Committed::Conflict),
                Err(error) if error.is_retryable() && attempt < COMMIT_ATTEMPTS_MAX => {
                    self.firestore.back_off(attempt).await;
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn read(&self, run_id: &str) -> Result<Option<(Entry, DateTime<Utc>)>, FirestoreError> {
        match self.firestore.get(&self.document(run_id)).await? {
            Some(document) => {
                let entry = Entry::from_fields(&document.fields).map_err(FirestoreError::Protocol)?;
                Ok(Some((entry, document.update_time)))
            }
            None => Ok(None),
        }
    }

    fn write(&self, entry: &Entry, precondition: Precondition) -> Write {
        let fields = entry.to_fields(self.config.retention);
        Write::overwrite(self.document(&entry.state.run_id), fields).only_if(precondition)
    }

    /// Where a job's statistics are stored.
    pub fn statistics(&self, job: &str) -> DocumentPath {
        DocumentPath::new(&self.collections.statistics, job)
    }

    fn document(&self, run_id: &str) -> DocumentPath {
        DocumentPath::new(&self.collections.runs, run_id)
    }

    fn lease_end(&self) -> DateTime<Utc> {
        self.world.clock.now() + TimeDelta::from_std(self.config.lease).unwrap_or(TimeDelta::minutes(1))
    }

    fn owner_name(&self) -> String {
        new_uuid(&self.world)
    }
}

enum Committed {
    Done(DateTime<Utc>),
    Conflict,
}

/// Whether a precondition did not hold.
fn is_conflict(error: &FirestoreError) -> bool {
    matches!(error.code(), Some(Code::AlreadyExists | Code::FailedPrecondition | Code::NotFound))
}

fn contended(run_id: &str) -> FirestoreError {
    FirestoreError::Status {
        code: Code::Aborted,
        message: format!("the ledger entry {run_id} changed {CONFLICTS_MAX} times in a row"),
    }
}

/// A UUID of version 7 (RFC 9562): sorts by its time.
pub fn new_uuid(world: &World) -> String {
    let millis = u64::try_from(world.clock.now().timestamp_millis()).unwrap_or_default();
    let (high, low) = (world.entropy.next_u64().to_be_bytes(), world.entropy.next_u64().to_be_bytes());
    let mut random = [0; 10];
    for (into, from) in random.iter_mut().zip(high.iter().chain(&low)) {
        *into = *from;
    }
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().to_string()
}
