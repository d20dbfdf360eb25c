//! Looking for an order to stop the run, in the time between two checkpoints: a checkpoint finds one anyway.

use std::future::pending;
use std::time::Duration;

use crate::base::ports::{BoxFuture, Instant};
use crate::firestore::FirestoreError;
use crate::ledger::LOOK_INTERVAL;
use crate::run::Cancelled;

/// What a look has found.
pub(super) type Looked = Result<Option<Cancelled>, FirestoreError>;

/// When the entry was last seen, and at most one look in flight.
pub(super) struct Watch {
    seen_at: Instant,
    on_its_way: Option<BoxFuture<'static, Looked>>,
}

impl Watch {
    /// The entry was last written at this time.
    pub(super) fn new(written_at: Instant) -> Self {
        Self { seen_at: written_at, on_its_way: None }
    }

    /// A checkpoint that was sent at this time has been stored: it would have found an order.
    pub(super) fn on_saved(&mut self, sent_at: Instant) {
        self.seen_at = self.seen_at.max(sent_at);
    }

    /// Time until the next look is due; none while one is in flight.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        self.on_its_way.is_none().then(|| (self.seen_at + LOOK_INTERVAL).since(now))
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.wait(now).is_some_and(|wait| wait.is_zero())
    }

    pub(super) fn begin(&mut self, look: BoxFuture<'static, Looked>, now: Instant) {
        self.on_its_way = Some(look);
        self.seen_at = now;
    }

    /// Waits for the look in flight; forever if there is none.
    pub(super) async fn looked(&mut self) -> Looked {
        let looked = match &mut self.on_its_way {
            Some(look) => look.await,
            None => pending().await,
        };
        self.on_its_way = None;
        looked
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use futures::FutureExt;

    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_origin(Duration::from_millis(millis))
    }

    #[test]
    fn a_look_is_due_when_no_checkpoint_has_been_stored_for_long() {
        let mut watch = Watch::new(at(0));
        assert_eq!(watch.wait(at(500)), Some(Duration::from_millis(1_000)));
        watch.on_saved(at(1_000));
        assert!(!watch.is_due(at(2_499)) && watch.is_due(at(2_500)));
        watch.on_saved(at(200));
        assert!(watch.is_due(at(2_500)), "an older checkpoint says nothing");
    }

    #[test]
    fn one_look_at_a_time_and_the_next_is_counted_from_its_beginning() {
        let mut watch = Watch::new(at(0));
        assert!(watch.looked().now_or_never().is_none());
        watch.begin(Box::pin(ready(Ok(None))), at(1_500));
        assert_eq!(watch.wait(at(9_000)), None);
        assert!(matches!(watch.looked().now_or_never(), Some(Ok(None))));
        assert_eq!(watch.wait(at(1_600)), Some(Duration::from_millis(1_400)));
    }
}
