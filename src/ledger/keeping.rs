//! Keeping ownership of a run while other work is done for it.

use std::pin::pin;

use futures::future::{Either, select};

use super::{LOOK_INTERVAL, Ledger, Owned, SaveError};
use crate::run::Cancelled;

/// Result of work for a run.
#[derive(Debug)]
pub enum Kept<T> {
    /// It is done, and the caller still owns the run.
    Done(T),
    /// Another instance has taken over the run.
    Lost,
    /// The lease could not be renewed in time.
    Expired,
    /// The run is to be stopped.
    Cancelled,
}

impl Ledger {
    /// Does `work` for a run while renewing its lease, three times per lease, and looking for an order to stop the run.
    /// Work that has not ended when the lease is lost, or the order has come, is dropped.
    pub async fn keeping<T>(&self, owned: &mut Owned, work: impl Future<Output = T>) -> Kept<T> {
        let run_id = owned.state.identity.run_id.clone();
        let mut work = pin!(work);
        loop {
            let left = owned.fence.lease_until.since(self.world.clock.instant());
            let renewal = self.world.clock.sleep(left.saturating_sub(self.config.lease * 2 / 3));
            let order = pin!(self.order_to_stop(&run_id));
            match select(work.as_mut(), select(order, renewal)).await {
                Either::Left((done, _)) => return Kept::Done(done),
                Either::Right((Either::Left((order, _)), _)) => {
                    owned.fence.note(order);
                    return Kept::Cancelled;
                }
                Either::Right((Either::Right(_), _)) => {}
            }
            // The precondition of the next write is only known once the write in flight has completed: so that is awaited,
            // even if the work is done before.
            let (done, renewed) = join_until(work.as_mut(), self.renew(owned)).await;
            match (renewed, done) {
                (Kept::Done(()), Some(done)) => return Kept::Done(done),
                (Kept::Done(()), None) if owned.fence.cancelled.is_some() => return Kept::Cancelled,
                (Kept::Done(()), None) => {}
                (Kept::Lost, _) => return Kept::Lost,
                (Kept::Expired, _) => return Kept::Expired,
                (Kept::Cancelled, _) => return Kept::Cancelled,
            }
        }
    }

    /// Looks until there is an order to stop the run.
    async fn order_to_stop(&self, run_id: &str) -> Cancelled {
        loop {
            self.world.clock.sleep(LOOK_INTERVAL).await;
            match self.cancelled(run_id).await {
                Ok(Some(order)) => return order,
                Ok(None) => {}
                Err(error) => tracing::debug!(run.id = run_id, %error, "could not look for an order to stop"),
            }
        }
    }

    /// Renews a lease, with retries while Firestore fails and the lease lasts.
    async fn renew(&self, owned: &mut Owned) -> Kept<()> {
        loop {
            let left = owned.fence.lease_until.since(self.world.clock.instant());
            let saved = self.checkpoint(owned.fence.clone(), owned.state.clone());
            let error = match select(saved, self.world.clock.sleep(left)).await {
                Either::Left((Ok(fence), _)) => {
                    owned.fence = fence;
                    return Kept::Done(());
                }
                Either::Left((Err(SaveError::Lost), _)) => return Kept::Lost,
                Either::Left((Err(SaveError::Firestore(error)), _)) => error,
                Either::Right(_) => return Kept::Expired,
            };
            tracing::warn!(run.id = owned.state.identity.run_id, %error, "lease could not be renewed, retrying");
            self.firestore.back_off(1).await;
        }
    }
}

/// Continues `work` until `other` is done; the result of the work, if it was done by then.
async fn join_until<W: Future + Unpin, O: Future>(work: W, other: O) -> (Option<W::Output>, O::Output) {
    match select(work, pin!(other)).await {
        Either::Left((done, other)) => (Some(done), other.await),
        Either::Right((other, _)) => (None, other),
    }
}
