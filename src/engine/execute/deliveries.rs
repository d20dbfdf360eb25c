//! The writes in progress to Firestore, and the work they belong to.

use std::collections::{BTreeMap, HashSet};

use super::found::Cells;
use crate::firestore::bulk::DeliveryId;
use crate::firestore::{DocumentPath, Write};
use crate::run::{Shortfall, StaleRecords, Work};

/// The documents of one call.
#[derive(Debug, Default)]
pub(super) struct Delivery {
    pub endpoint: &'static str,
    /// What they say about the coverage.
    pub cells: Cells,
    /// The work that is done once they are stored; none for the raw log of a failed call.
    pub work: Option<Work>,
    /// Tickers of the work that are over without the data that was expected.
    pub shortfalls: Vec<Shortfall>,
    /// The records of those that are stale.
    pub stale: Option<StaleRecords>,
    /// Number of doubtful records that no earlier response had.
    pub flagged: u64,
    /// Records stored so far, by collection.
    pub written: BTreeMap<String, u64>,
    /// Rejected records, by the collection they were meant for.
    pub rejected: BTreeMap<String, u64>,
    /// Of the records stored, those that an earlier response had already stored, by collection: they are not additional
    /// documents.
    pub repeated: BTreeMap<String, u64>,
    /// Whether all of its records are requested once more, and count only then.
    pub is_preliminary: bool,
}

/// The documents of responses after which some tickers were requested again, so that repeated documents are not counted
/// twice.
#[derive(Debug, Default)]
pub(super) struct Seen {
    documents: HashSet<DocumentPath>,
}

impl Seen {
    pub(super) fn add<'a>(&mut self, writes: impl IntoIterator<Item = &'a Write>) {
        self.documents.extend(writes.into_iter().map(|write| write.document.clone()));
    }

    /// How many of the writes are of documents that were not stored before.
    pub(super) fn count_new<'a>(&self, writes: impl Iterator<Item = &'a Write>) -> u64 {
        let new = writes.filter(|write| !self.documents.contains(&write.document));
        u64::try_from(new.count()).unwrap_or(u64::MAX)
    }

    /// How many of the writes repeat documents that were stored before, by collection.
    pub(super) fn repeated<'a>(&self, writes: impl IntoIterator<Item = &'a Write>) -> BTreeMap<String, u64> {
        let mut repeated = BTreeMap::new();
        for write in writes.into_iter().filter(|write| self.documents.contains(&write.document)) {
            *repeated.entry(write.document.collection().to_owned()).or_default() += 1;
        }
        repeated
    }
}

/// All incomplete deliveries, and what earlier ones contained.
#[derive(Debug, Default)]
pub(super) struct Deliveries {
    next: DeliveryId,
    open: BTreeMap<DeliveryId, Delivery>,
    /// Those whose documents are stored, but not yet their coverage.
    covering: Vec<Delivery>,
    /// How many of these are among what is on its way.
    on_their_way: usize,
    pub seen: Seen,
}

impl Deliveries {
    pub(super) fn open(&mut self, delivery: Delivery) -> DeliveryId {
        self.next += 1;
        self.open.insert(self.next, delivery);
        self.next
    }

    pub(super) fn close(&mut self, id: DeliveryId) -> Option<Delivery> {
        self.open.remove(&id)
    }

    /// The documents of a delivery are stored; its work is done once its coverage is recorded, too.
    pub(super) fn cover(&mut self, delivery: Delivery) {
        self.covering.push(delivery);
    }

    pub(super) fn is_covering(&self) -> bool {
        !self.covering.is_empty()
    }

    /// The coverage of all that wait for it is on its way.
    pub(super) fn send_coverage(&mut self) {
        self.on_their_way = self.covering.len();
    }

    /// Those whose coverage has been recorded; none if that has failed.
    pub(super) fn covered(&mut self, is_recorded: bool) -> Vec<Delivery> {
        let covered = std::mem::take(&mut self.on_their_way);
        if is_recorded { self.covering.drain(..covered).collect() } else { Vec::new() }
    }

    /// Those whose coverage is not recorded in this attempt.
    pub(super) fn uncovered(&mut self) -> Vec<Delivery> {
        self.on_their_way = 0;
        std::mem::take(&mut self.covering)
    }

    /// The work whose documents, or whose coverage, are not stored yet.
    pub(super) fn open_work(&self) -> impl Iterator<Item = Work> {
        self.open.values().chain(&self.covering).filter_map(|delivery| delivery.work.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firestore::Fields;
    use crate::run::tests::work;

    fn write(collection: &str, id: &str) -> Write {
        Write::overwrite(DocumentPath::new(collection, id), Fields::new())
    }

    #[test]
    fn work_is_open_until_its_delivery_is_closed() {
        let mut deliveries = Deliveries::default();
        let of = |tickers| Delivery { work: Some(work("/a", tickers)), ..Delivery::default() };
        let (first, second) = (deliveries.open(of(&["A"])), deliveries.open(of(&["B"])));
        let log = deliveries.open(Delivery::default());
        assert_eq!(deliveries.open_work().collect::<Vec<_>>(), [work("/a", &["A"]), work("/a", &["B"])]);
        assert_eq!(deliveries.close(first).and_then(|delivery| delivery.work), Some(work("/a", &["A"])));
        assert!(deliveries.close(first).is_none(), "a delivery ends once");
        assert!(deliveries.close(log).is_some_and(|delivery| delivery.work.is_none()));
        assert!(deliveries.close(second).is_some());
        assert_eq!(deliveries.open_work().count(), 0);
    }

    #[test]
    fn what_comes_again_is_no_further_document() {
        let mut seen = Seen::default();
        seen.add(&[write("prices", "a"), write("prices", "b"), write("rejected", "a")]);
        let again = [write("prices", "a"), write("prices", "c"), write("rejected", "a"), write("news", "b")];
        let expect = BTreeMap::from([("prices".to_owned(), 1), ("rejected".to_owned(), 1)]);
        assert_eq!((seen.repeated(&again), seen.count_new(again.iter())), (expect, 2));
    }
}
