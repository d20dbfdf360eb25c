//! Which requests go out, and which writes go together.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::{Answer, BATCH_BYTES_MAX, BATCH_WRITES_MAX, BulkWriter, Item};
use crate::base::ports::BoxFuture;
use crate::firestore::ramp::Ramp;

/// Concurrent requests that write, and as many that read.
pub(super) const LANES: usize = 4;
/// Number of writes that justify another request while some are in flight. Fewer writes wait until one of these
/// returns, and then go together: a request costs the emulator as much as about forty writes, so many small requests
/// are slower than a few large ones.
pub(super) const COMPANY_WRITES_MIN: usize = 200;
/// The same limit in bytes.
const COMPANY_BYTES_MIN: usize = BATCH_BYTES_MAX / 3;

impl<T: Copy + Ord + Send + Sync + 'static> BulkWriter<T> {
    /// Sends whatever may be sent; returns the wait until more may be sent, if it is known.
    pub(super) fn launch(&mut self) -> Option<Duration> {
        let now = self.world.clock.instant();
        let due: Vec<_> = self.delayed.extract_if(.., |(at, _)| *at <= now).map(|(_, item)| item).collect();
        for item in due {
            self.waiting_bytes -= item.bytes().min(self.waiting_bytes);
            self.queue(item);
        }
        self.launch_reads();
        while self.writes_in_flight < LANES && self.is_worth_a_request() {
            let held = self.ramp.as_ref().map_or(Duration::ZERO, |ramp| lock(ramp).wait(now));
            if !held.is_zero() {
                self.held_since.get_or_insert(now);
                return Some(held);
            }
            self.held += self.held_since.take().map_or(Duration::ZERO, |since| now.since(since));
            let items = self.take_batch();
            if items.is_empty() {
                break;
            }
            if let Some(ramp) = &self.ramp {
                lock(ramp).spend(items.len(), now);
            }
            self.writes_in_flight += 1;
            self.in_flight.push(self.send_batch(items));
        }
        self.delayed.iter().map(|(at, _)| at.since(now)).min()
    }

    /// Whether the ready writes should go out now: not a few of them while others are being compared, which are about to
    /// join them. A write whose request size is limited gains nothing by waiting for others.
    fn is_worth_a_request(&self) -> bool {
        let Some(first) = self.ready.front() else { return false };
        (self.writes_in_flight == 0 && self.reads_in_flight == 0)
            || self.ready.len() >= COMPANY_WRITES_MIN
            || self.ready.iter().map(Item::bytes).sum::<usize>() >= COMPANY_BYTES_MIN
            || first.company_max < BATCH_WRITES_MAX
    }

    /// The next batch within all limits, without documents that are busy with another write.
    fn take_batch(&mut self) -> Vec<Item<T>> {
        let mut batch = Vec::new();
        let mut passed_over = Vec::new();
        let (mut bytes, mut freed) = (0, 0);
        let mut company_max = BATCH_WRITES_MAX;
        while let Some(mut item) = self.ready.pop_front() {
            let size = item.next_write().sent_bytes();
            let fits = batch.is_empty()
                || (bytes + size <= BATCH_BYTES_MAX && batch.len() < company_max.min(item.company_max));
            if !fits {
                self.ready.push_front(item);
                break;
            }
            if !self.begin(&mut item) {
                passed_over.push(item);
                continue;
            }
            bytes += size;
            freed += item.bytes();
            company_max = company_max.min(item.company_max);
            batch.push(item);
        }
        for item in passed_over.into_iter().rev() {
            self.ready.push_front(item);
        }
        self.waiting_bytes = self.waiting_bytes.saturating_sub(freed);
        batch
    }

    /// Makes a write's document busy with it; it cannot be while an earlier write of the same document is not settled.
    /// A later one must not overtake it, not even while it waits to be retried.
    pub(super) fn begin(&mut self, item: &mut Item<T>) -> bool {
        item.is_begun = item.is_begun || self.busy.insert(item.write.document.clone());
        item.is_begun
    }

    fn send_batch(&self, items: Vec<Item<T>>) -> BoxFuture<'static, Answer<T>> {
        let firestore = self.firestore.clone();
        Box::pin(async move {
            let writes: Vec<_> = items.iter().map(Item::next_write).collect();
            let statuses = firestore.batch_write(&writes).await;
            Answer::Written { items, statuses }
        })
    }
}

fn lock(ramp: &Mutex<Ramp>) -> std::sync::MutexGuard<'_, Ramp> {
    ramp.lock().unwrap_or_else(PoisonError::into_inner)
}
