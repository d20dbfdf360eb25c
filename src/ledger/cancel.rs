//! Cancelling a run.
//!
//! Whoever works on a run is asked by a field of its entry. Writing it fails the precondition of the owner's next
//! write, so the owner cannot miss the order; in between it [looks](Ledger::cancelled). A run that nobody works on is
//! closed at once.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::entry::{CANCELLED, Entry, OWNER, STATUS, order_of, order_value};
use super::statistics::recount;
use super::{CONFLICTS_MAX, Ledger, Read, contended};
use crate::base::ports::BoxFuture;
use crate::firestore::value::fields;
use crate::firestore::{FirestoreError, Precondition, Write};
use crate::ledger::commit::Committed;
use crate::run::{Cancelled, RunState, Status};

/// How often the owner of a run looks for an order to stop it, unless it writes the entry anyway.
pub const LOOK_INTERVAL: Duration = Duration::from_millis(1_500);

/// Result of an order to cancel a run.
#[derive(Debug)]
pub enum Cancelling {
    /// Nobody was working on it: it is cancelled.
    Done(Box<RunState>),
    /// Its owner is asked to stop.
    Asked,
    /// It had ended before.
    Ended(Box<RunState>),
}

impl Ledger {
    /// Cancels a run, or asks its owner to; none if the run is unknown. `beside` is written in the same commit, if there
    /// is one: a run whose owner is asked already is not asked again.
    pub async fn cancel(
        &self,
        run_id: &str,
        order: &Cancelled,
        beside: &[Write],
    ) -> Result<Option<Cancelling>, FirestoreError> {
        for _ in 0..CONFLICTS_MAX {
            let Some(Read { entry, document }) = self.read(run_id).await? else { return Ok(None) };
            let Entry { state, lease, .. } = entry;
            match state.status {
                Status::Running if document.age() < lease => {
                    // Also if it was this order, and the response was lost.
                    if state.cancelled.is_some()
                        || self.ask(run_id, order, document.update_time, beside).await?
                    {
                        return Ok(Some(Cancelling::Asked));
                    }
                }
                Status::Running | Status::Failed => {
                    let beside = beside.to_vec();
                    let order = Some(order.clone());
                    if let Some(state) = self.settle(state, order, document.update_time, beside).await? {
                        return Ok(Some(Cancelling::Done(Box::new(state))));
                    }
                }
                Status::Succeeded | Status::Partial | Status::Skipped | Status::Cancelled => {
                    return Ok(Some(Cancelling::Ended(Box::new(state))));
                }
            }
        }
        Err(contended(run_id))
    }

    /// Asks the owner of a run to stop; false if its entry has changed.
    async fn ask(
        &self,
        run_id: &str,
        order: &Cancelled,
        update_time: DateTime<Utc>,
        beside: &[Write],
    ) -> Result<bool, FirestoreError> {
        let asked = Write::merge(self.document(run_id), fields([(CANCELLED, order_value(order))]));
        let asked = asked.only_if(Precondition::UnchangedSince(update_time));
        let writes: Vec<_> = std::iter::once(asked).chain(beside.iter().cloned()).collect();
        Ok(matches!(self.commit(&writes).await?, Committed::Done(_)))
    }

    /// Ends a run that nobody works on by the order to cancel it; none if its entry has changed.
    pub(super) async fn settle(
        &self,
        mut state: RunState,
        order: Option<Cancelled>,
        update_time: DateTime<Utc>,
        beside: Vec<Write>,
    ) -> Result<Option<RunState>, FirestoreError> {
        // What its last owner left: that one has died.
        state.status = Status::Failed;
        state.end_by(order);
        let now = self.world.clock.now();
        state.attempt.ended_at.get_or_insert(now);
        let (state, statistics) = recount(state, &self.collections.statistics);
        let owner = self.owner_name();
        let entry = Entry { state, owner: owner.clone(), lease: self.config.lease, renewals: 0 };
        let write = self.write(&entry, Precondition::UnchangedSince(update_time));
        let writes: Vec<_> = [write, statistics].into_iter().chain(beside).collect();
        Ok(match self.commit_owned(&writes, &owner).await? {
            Committed::Done(_) => Some(entry.state),
            Committed::Conflict => None,
        })
    }

    /// The order to stop a run, if there is one.
    pub fn cancelled(&self, run_id: &str) -> BoxFuture<'static, Result<Option<Cancelled>, FirestoreError>> {
        let (firestore, path) = (self.firestore.clone(), self.document(run_id));
        Box::pin(async move {
            let found = firestore.get_fields(std::slice::from_ref(&path), &[CANCELLED]).await?;
            Ok(found.first().and_then(|document| order_of(&document.fields)))
        })
    }

    /// Whether somebody is working on a run, as far as its entry says.
    pub async fn is_running(&self, run_id: &str) -> Result<bool, FirestoreError> {
        let path = self.document(run_id);
        let found = self.firestore.get_fields(std::slice::from_ref(&path), &[STATUS, OWNER]).await?;
        Ok(found.first().is_some_and(|document| document.text(STATUS) == Some(Status::Running.name())))
    }
}
