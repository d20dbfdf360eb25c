//! Many writes, by the rules of Firestore's BulkWriter.
//!
//! Writes come in deliveries. Those that may repeat what is stored are first [compared](compare) with it. The writer
//! sends the rest in [batches] bounded by count and bytes over a few lanes, never the same document twice at a time and
//! always in the order they came in, retries single writes by their own status, and reports a delivery's outcome when
//! every write of it is settled. Each write has a tag that identifies it to its sender; the writer returns it with the
//! outcome and does not interpret it. The writer waits only inside [`BulkWriter::delivered`], whose future may be
//! dropped at any time without losing anything.

mod batches;
mod compare;
mod outcome;
mod response;

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};

use super::client::Firestore;
use super::document::Document;
use super::error::{Code, FirestoreError};
use super::path::DocumentPath;
use super::ramp::Ramp;
use super::write::EncodedWrite;
use crate::base::ports::{BoxFuture, Instant};
use crate::base::world::World;
use crate::resilience::backoff::Backoff;
pub use compare::{Comparison, Verdict};
pub use outcome::{Delivered, Tally, Unwritten};

/// Writes in one request (Firestore's own limit).
pub const BATCH_WRITES_MAX: usize = 500;
/// Bytes of one request: below the emulator's 4 MiB and far below the cloud's 10 MiB.
pub const BATCH_BYTES_MAX: usize = 3 << 20;

/// Identifies a delivery.
pub type DeliveryId = u64;

/// A write on its way into the writer; `T` is its tag.
pub struct Outgoing<T> {
    pub tag: T,
    pub write: EncodedWrite,
    /// What it is compared with before it is sent; none if it is written in any case.
    pub comparison: Option<Box<dyn Comparison>>,
}

/// Delivers documents; `T` is the tag of a write.
pub struct BulkWriter<T> {
    firestore: Firestore,
    world: World,
    backoff: Backoff,
    ramp: Option<Arc<Mutex<Ramp>>>,
    /// Writes to compare first.
    uncompared: VecDeque<Item<T>>,
    /// Writes whose document is another than the stored one, which must be read as a whole.
    unlike: VecDeque<Item<T>>,
    ready: VecDeque<Item<T>>,
    delayed: Vec<(Instant, Item<T>)>,
    waiting_bytes: usize,
    in_flight: FuturesUnordered<BoxFuture<'static, Answer<T>>>,
    writes_in_flight: usize,
    reads_in_flight: usize,
    /// Documents with a write that was begun and is not settled.
    busy: HashSet<DocumentPath>,
    open: BTreeMap<DeliveryId, (usize, Delivered<T>)>,
    delivered: VecDeque<Delivered<T>>,
    held_since: Option<Instant>,
    held: Duration,
}

struct Item<T> {
    tag: T,
    write: EncodedWrite,
    comparison: Option<Box<dyn Comparison>>,
    /// Written before it: what the document was.
    before: Option<EncodedWrite>,
    /// Whether it changes an earlier document.
    revises: bool,
    delivery: DeliveryId,
    attempt: u32,
    /// Whether its document is busy with it.
    is_begun: bool,
    /// Maximum writes in the same request: halved each time a whole request is refused.
    company_max: usize,
}

/// What has come back.
enum Answer<T> {
    Written {
        items: Vec<Item<T>>,
        statuses: Result<Vec<Option<(Code, String)>>, FirestoreError>,
    },
    Read {
        items: Vec<Item<T>>,
        /// Whether all fields were read.
        is_whole: bool,
        documents: Result<Vec<Document>, FirestoreError>,
    },
}

impl<T> Item<T> {
    fn unwritten(self, reason: String) -> Unwritten<T> {
        Unwritten { tag: self.tag, write: self.write, reason }
    }

    /// What is sent next.
    fn next_write(&self) -> &EncodedWrite {
        self.before.as_ref().unwrap_or(&self.write)
    }

    fn bytes(&self) -> usize {
        self.write.sent_bytes() + self.before.as_ref().map_or(0, EncodedWrite::sent_bytes)
    }
}

impl<T: Copy + Ord + Send + Sync + 'static> BulkWriter<T> {
    /// `ramp` is shared by all writers of an instance; none means no limit.
    pub fn new(firestore: Firestore, world: World, backoff: Backoff, ramp: Option<Arc<Mutex<Ramp>>>) -> Self {
        Self {
            firestore,
            world,
            backoff,
            ramp,
            uncompared: VecDeque::new(),
            unlike: VecDeque::new(),
            ready: VecDeque::new(),
            delayed: Vec::new(),
            waiting_bytes: 0,
            in_flight: FuturesUnordered::new(),
            writes_in_flight: 0,
            reads_in_flight: 0,
            busy: HashSet::new(),
            open: BTreeMap::new(),
            delivered: VecDeque::new(),
            held_since: None,
            held: Duration::ZERO,
        }
    }

    /// Accepts the writes of a delivery; one without writes is settled immediately.
    pub fn push(&mut self, delivery: DeliveryId, writes: Vec<Outgoing<T>>) {
        let outcome = Delivered::new(delivery);
        if writes.is_empty() {
            self.delivered.push_back(outcome);
            return;
        }
        self.open.insert(delivery, (writes.len(), outcome));
        for Outgoing { tag, write, comparison } in writes {
            self.queue(Item {
                tag,
                write,
                comparison,
                before: None,
                revises: false,
                delivery,
                attempt: 1,
                is_begun: false,
                company_max: BATCH_WRITES_MAX,
            });
        }
    }

    /// Puts a write behind the others: to be compared, if it must be, or to be sent.
    fn queue(&mut self, item: Item<T>) {
        self.waiting_bytes += item.bytes();
        let is_next = item.comparison.is_none() || item.write.precondition.is_some();
        if is_next { self.ready.push_back(item) } else { self.uncompared.push_back(item) }
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
            if let futures::future::Either::Left((Some(answer), _)) = landed {
                self.on_answer(answer);
            }
        }
    }

    /// Gives up on unsettled deliveries: each open one is reported with its remaining writes as failed.
    pub fn abandon(&mut self, reason: &str) -> Vec<Delivered<T>> {
        let delayed = self.delayed.drain(..).map(|(_, item)| item);
        let waiting = self.uncompared.drain(..).chain(self.unlike.drain(..)).chain(self.ready.drain(..));
        let mut rest: Vec<_> = waiting.chain(delayed).collect();
        self.in_flight.clear();
        self.busy.clear();
        (self.waiting_bytes, self.writes_in_flight, self.reads_in_flight) = (0, 0, 0);
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
}
