//! Many writes, by the rules of Firestore's BulkWriter.
//!
//! Writes come in deliveries. The writer sends them in batches bounded by count and bytes over a few lanes, never the
//! same document twice at a time and always in the order they came in, retries single writes by their own status, and
//! reports a delivery's outcome when every write of it is settled. Each write has a tag that identifies it to its
//! sender; the writer returns it with the outcome and does not interpret it. The writer waits only inside
//! [`BulkWriter::delivered`], whose future may be dropped at any time without losing anything.

mod outcome;
mod response;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};

use super::client::Firestore;
use super::error::{Code, FirestoreError};
use super::path::DocumentPath;
use super::ramp::Ramp;
use super::write::EncodedWrite;
use crate::base::ports::{BoxFuture, Instant};
use crate::base::world::World;
use crate::resilience::backoff::Backoff;
pub use outcome::{Delivered, Unwritten};

/// Writes in one request (Firestore's own limit).
pub const BATCH_WRITES_MAX: usize = 500;
/// Bytes of one request: below the emulator's 4 MiB and far below the cloud's 10 MiB.
pub const BATCH_BYTES_MAX: usize = 3 << 20;
/// Concurrent requests.
const LANES: usize = 4;
/// Number of writes that justify another request while some are in flight. Fewer writes wait until one of these
/// returns, and then go together: a request costs the emulator as much as about forty writes, so many small requests
/// are slower than a few large ones.
const COMPANY_WRITES_MIN: usize = 200;
/// The same limit in bytes.
const COMPANY_BYTES_MIN: usize = BATCH_BYTES_MAX / 3;

/// Identifies a delivery.
pub type DeliveryId = u64;

/// Delivers documents; `T` is the tag of a write.
pub struct BulkWriter<T> {
    firestore: Firestore,
    world: World,
    backoff: Backoff,
    ramp: Option<Arc<Mutex<Ramp>>>,
    ready: VecDeque<Item<T>>,
    delayed: Vec<(Instant, Item<T>)>,
    waiting_bytes: usize,
    in_flight: FuturesUnordered<BoxFuture<'static, Response<T>>>,
    /// Documents with a write that was sent and is not settled.
    busy: HashSet<DocumentPath>,
    open: BTreeMap<DeliveryId, (usize, Delivered<T>)>,
    delivered: VecDeque<Delivered<T>>,
    held_since: Option<Instant>,
    held: Duration,
}

struct Item<T> {
    tag: T,
    write: EncodedWrite,
    delivery: DeliveryId,
    attempt: u32,
    /// Whether it was sent before: its document is busy with it.
    is_sent: bool,
    /// Maximum writes in the same request: halved each time a whole request is refused.
    company_max: usize,
}

struct Response<T> {
    items: Vec<Item<T>>,
    answer: Result<Vec<Option<(Code, String)>>, FirestoreError>,
}

impl<T> Item<T> {
    fn unwritten(self, reason: String) -> Unwritten<T> {
        Unwritten { tag: self.tag, write: self.write, reason }
    }
}

impl<T: PartialEq + Send + Sync + 'static> BulkWriter<T> {
    /// `ramp` is shared by all writers of an instance; none means no limit.
    pub fn new(firestore: Firestore, world: World, backoff: Backoff, ramp: Option<Arc<Mutex<Ramp>>>) -> Self {
        Self {
            firestore,
            world,
            backoff,
            ramp,
            ready: VecDeque::new(),
            delayed: Vec::new(),
            waiting_bytes: 0,
            in_flight: FuturesUnordered::new(),
            busy: HashSet::new(),
            open: BTreeMap::new(),
            delivered: VecDeque::new(),
            held_since: None,
            held: Duration::ZERO,
        }
    }

    /// Accepts the writes of a delivery; one without writes is settled immediately.
    pub fn push(&mut self, delivery: DeliveryId, writes: Vec<(T, EncodedWrite)>) {
        let outcome = Delivered::new(delivery);
        if writes.is_empty() {
            self.delivered.push_back(outcome);
            return;
        }
        self.open.insert(delivery, (writes.len(), outcome));
        self.waiting_bytes += writes.iter().map(|(_, write)| write.json.len()).sum::<usize>();
        let item = |(tag, write)| Item {
            tag,
            write,
            delivery,
            attempt: 1,
            is_sent: false,
            company_max: BATCH_WRITES_MAX,
        };
        self.ready.extend(writes.into_iter().map(item));
    }

    /// Whether every delivery is settled and reported.
    pub fn is_idle(&self) -> bool {
        self.open.is_empty() && self.delivered.is_empty()
    }

    /// Bytes of writes that are not yet in flight.
    pub fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// How long the limit on new writes has held writes back.
    pub fn held(&self) -> Duration {
        self.held
    }

    /// The next settled delivery; waits forever if there is none to come.
    pub async fn delivered(&mut self) -> Delivered<T> {
        loop {
            if let Some(delivered) = self.delivered.pop_front() {
                return delivered;
            }
            let pause = self.launch();
            let timer = match pause {
                Some(pause) => self.world.clock.sleep(pause),
                None => Box::pin(std::future::pending()),
            };
            if self.in_flight.is_empty() {
                timer.await;
                continue;
            }
            let landed = futures::future::select(self.in_flight.next(), timer).await;
            if let futures::future::Either::Left((Some(response), _)) = landed {
                self.on_response(response);
            }
        }
    }

    /// Gives up on unsettled deliveries: each open one is reported with its remaining writes as failed.
    pub fn abandon(&mut self, reason: &str) -> Vec<Delivered<T>> {
        let mut rest: Vec<_> =
            self.ready.drain(..).chain(self.delayed.drain(..).map(|(_, item)| item)).collect();
        self.in_flight.clear();
        self.busy.clear();
        self.waiting_bytes = 0;
        let mut told: Vec<_> = self.delivered.drain(..).collect();
        for (delivery, (mut left, mut outcome)) in std::mem::take(&mut self.open) {
            for item in rest.extract_if(.., |item| item.delivery == delivery) {
                left -= 1;
                outcome.failed.push(item.unwritten(reason.to_owned()));
            }
            outcome.unknown = left;
            told.push(outcome);
        }
        told
    }

    /// Sends whatever may be sent; returns the wait until more may be sent, if it is known.
    fn launch(&mut self) -> Option<Duration> {
        let now = self.world.clock.instant();
        let due: Vec<_> = self.delayed.extract_if(.., |(at, _)| *at <= now).map(|(_, item)| item).collect();
        self.ready.extend(due);
        while self.in_flight.len() < LANES && self.is_worth_a_request() {
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
            self.in_flight.push(self.send_batch(items));
        }
        self.delayed.iter().map(|(at, _)| at.since(now)).min()
    }

    /// Whether the ready writes should go out now. A write whose request size is limited gains nothing by waiting for
    /// others.
    fn is_worth_a_request(&self) -> bool {
        let Some(first) = self.ready.front() else { return false };
        self.in_flight.is_empty()
            || self.ready.len() >= COMPANY_WRITES_MIN
            || self.waiting_bytes >= COMPANY_BYTES_MIN
            || first.company_max < BATCH_WRITES_MAX
    }

    /// The next batch within all limits, without documents that are busy with another write.
    fn take_batch(&mut self) -> Vec<Item<T>> {
        let mut batch = Vec::new();
        let mut passed_over = Vec::new();
        let mut bytes = 0;
        let mut company_max = BATCH_WRITES_MAX;
        while let Some(mut item) = self.ready.pop_front() {
            let fits = batch.is_empty()
                || (bytes + item.write.json.len() <= BATCH_BYTES_MAX
                    && batch.len() < company_max.min(item.company_max));
            if !fits {
                self.ready.push_front(item);
                break;
            }
            // A later write must not overtake an earlier one of the same document, not even while that waits to be
            // retried.
            if !item.is_sent && !self.busy.insert(item.write.document.clone()) {
                passed_over.push(item);
                continue;
            }
            item.is_sent = true;
            bytes += item.write.json.len();
            company_max = company_max.min(item.company_max);
            batch.push(item);
        }
        for item in passed_over.into_iter().rev() {
            self.ready.push_front(item);
        }
        self.waiting_bytes = self.waiting_bytes.saturating_sub(bytes);
        batch
    }

    fn send_batch(&self, items: Vec<Item<T>>) -> BoxFuture<'static, Response<T>> {
        let firestore = self.firestore.clone();
        Box::pin(async move {
            let writes: Vec<_> = items.iter().map(|item| &item.write).collect();
            let answer = firestore.batch_write(&writes).await;
            Response { items, answer }
        })
    }
}

fn lock(ramp: &Mutex<Ramp>) -> std::sync::MutexGuard<'_, Ramp> {
    ramp.lock().unwrap_or_else(PoisonError::into_inner)
}
