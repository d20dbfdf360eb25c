//! The lease of a run: how long nobody else may work on it, and the checkpoints that renew it.

use std::future::pending;
use std::time::Duration;

use crate::base::ports::{BoxFuture, Instant};
use crate::ledger::{Fence, SaveError};
use crate::run::Cancelled;

/// Minimum time between two checkpoints.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);
/// A lease is renewed this often within its length, if there is no progress to record sooner.
const RENEWALS: u32 = 3;

/// The lease, and at most one checkpoint in flight.
pub(super) struct Lease {
    fence: Fence,
    length: Duration,
    until: Instant,
    on_its_way: Option<Checkpoint>,
    last_checkpoint: Instant,
    /// Whether there is progress that no checkpoint has recorded.
    has_progress: bool,
}

struct Checkpoint {
    started: Instant,
    saved: BoxFuture<'static, Result<Fence, SaveError>>,
}

/// A completed checkpoint.
pub(super) struct Saved {
    started: Instant,
    result: Result<Fence, SaveError>,
}

impl Saved {
    /// When the checkpoint was sent.
    pub(super) fn started(&self) -> Instant {
        self.started
    }
}

impl Lease {
    pub(super) fn new(fence: Fence, length: Duration, now: Instant) -> Self {
        let until = fence.lease_until();
        Self { fence, length, until, on_its_way: None, last_checkpoint: now, has_progress: false }
    }

    /// The name under which the run is owned.
    pub(super) fn owner(&self) -> &str {
        self.fence.owner()
    }

    /// The fence as of the last write; unknown while a checkpoint is in flight.
    pub(super) fn into_fence(self) -> Fence {
        self.fence
    }

    pub(super) fn fence(&self) -> Fence {
        self.fence.clone()
    }

    /// There is an order to stop the run.
    pub(super) fn note(&mut self, order: Cancelled) {
        self.fence.note(order);
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.fence.cancelled().is_some()
    }

    pub(super) fn left(&self, now: Instant) -> Duration {
        self.until.since(now)
    }

    /// Whether another instance may have taken the run over.
    pub(super) fn has_expired(&self, now: Instant) -> bool {
        now >= self.until
    }

    /// There is progress to record with the next checkpoint.
    pub(super) fn note_progress(&mut self) {
        self.has_progress = true;
    }

    /// Time until the next checkpoint is due; none while one is in flight.
    pub(super) fn checkpoint_wait(&self, now: Instant) -> Option<Duration> {
        let interval = if self.has_progress { CHECKPOINT_INTERVAL } else { self.length / RENEWALS };
        self.on_its_way.is_none().then(|| (self.last_checkpoint + interval).since(now))
    }

    pub(super) fn is_checkpoint_due(&self, now: Instant) -> bool {
        self.checkpoint_wait(now).is_some_and(|wait| wait.is_zero())
    }

    /// Sends a checkpoint with all progress so far.
    pub(super) fn begin_checkpoint(
        &mut self,
        saved: BoxFuture<'static, Result<Fence, SaveError>>,
        now: Instant,
    ) {
        self.on_its_way = Some(Checkpoint { started: now, saved });
        self.last_checkpoint = now;
        self.has_progress = false;
    }

    pub(super) fn is_saving(&self) -> bool {
        self.on_its_way.is_some()
    }

    /// Waits for the checkpoint in flight; forever if there is none.
    pub(super) async fn saved(&mut self) -> Saved {
        match &mut self.on_its_way {
            Some(Checkpoint { started, saved }) => Saved { started: *started, result: saved.await },
            None => pending().await,
        }
    }

    /// Handles the outcome of a checkpoint. The lease is renewed from the time the checkpoint was sent, since Firestore
    /// cannot have written it before that. A failed one is retried soon, for as long as the lease lasts.
    pub(super) fn on_saved(&mut self, saved: Saved) -> Result<(), SaveError> {
        self.on_its_way = None;
        match saved.result {
            Ok(mut fence) => {
                // A look may have found the order while the checkpoint was on its way.
                if let (None, Some(order)) = (fence.cancelled(), self.fence.cancelled()) {
                    fence.note(order.clone());
                }
                self.fence = fence;
                self.until = saved.started + self.length;
                Ok(())
            }
            Err(error) => {
                self.has_progress = true;
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use futures::FutureExt;

    use super::*;
    use crate::firestore::FirestoreError;

    const LENGTH: Duration = Duration::from_secs(60);

    fn at(millis: u64) -> Instant {
        Instant::from_origin(Duration::from_millis(millis))
    }

    fn fence() -> Fence {
        Fence::for_test("me", at(60_000))
    }

    fn lease() -> Lease {
        Lease::new(fence(), LENGTH, at(0))
    }

    /// Sends a checkpoint and handles its outcome immediately.
    fn save(lease: &mut Lease, now: Instant, result: Result<Fence, SaveError>) -> Result<(), SaveError> {
        lease.begin_checkpoint(Box::pin(ready(result)), now);
        let saved = lease.saved().now_or_never().unwrap();
        lease.on_saved(saved)
    }

    #[test]
    fn without_progress_the_lease_is_renewed_three_times_within_its_length() {
        let lease = lease();
        assert!(!lease.is_checkpoint_due(at(19_999)));
        assert_eq!(lease.checkpoint_wait(at(5_000)), Some(Duration::from_secs(15)));
        assert!(lease.is_checkpoint_due(at(20_000)));
    }

    #[test]
    fn progress_is_noted_once_a_second() {
        let mut lease = lease();
        lease.note_progress();
        assert!(!lease.is_checkpoint_due(at(999)));
        assert!(lease.is_checkpoint_due(at(1_000)));
        save(&mut lease, at(1_000), Ok(fence())).unwrap();
        assert!(!lease.is_checkpoint_due(at(2_000)), "all progress is noted");
        lease.note_progress();
        assert!(lease.is_checkpoint_due(at(2_000)));
    }

    #[test]
    fn one_checkpoint_goes_out_at_a_time() {
        let mut lease = lease();
        lease.begin_checkpoint(Box::pin(pending()), at(0));
        lease.note_progress();
        assert!(lease.is_saving());
        assert_eq!(lease.checkpoint_wait(at(30_000)), None);
        assert!(!lease.is_checkpoint_due(at(30_000)));
    }

    #[test]
    fn a_checkpoint_renews_the_lease_from_when_it_was_sent() {
        let mut lease = lease();
        save(&mut lease, at(20_000), Ok(fence())).unwrap();
        assert_eq!(lease.left(at(30_000)), Duration::from_secs(50));
        assert!(!lease.has_expired(at(79_999)));
        assert!(lease.has_expired(at(80_000)));
        assert!(!lease.is_saving());
    }

    #[test]
    fn a_checkpoint_that_fails_renews_nothing_and_is_tried_again_soon() {
        let mut lease = lease();
        let error = SaveError::Firestore(FirestoreError::Protocol("odd".into()));
        assert!(save(&mut lease, at(20_000), Err(error)).is_err());
        assert!(lease.is_checkpoint_due(at(21_000)));
        assert!(lease.has_expired(at(60_000)));
    }
}
