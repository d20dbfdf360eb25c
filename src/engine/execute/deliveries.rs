//! The writes in progress to Firestore, and the work they belong to.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::found::{Cells, ticker_of};
use crate::catalogue::Dataset;
use crate::firestore::bulk::{DeliveryId, Tally};
use crate::firestore::{DocumentPath, Write};
use crate::intake::kind::{Kind, Subject};
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
    /// The doubtful and the rejected records of those that are stale.
    pub stale: StaleRecords,
    /// Number of doubtful records that no earlier response had.
    pub flagged: u64,
    /// The collection of its records.
    pub collection: String,
    /// Whom its records are about, by the number of their [`Subject`].
    pub subjects: Vec<Told>,
    /// Rejected records, by the collection they were meant for.
    pub rejected: BTreeMap<String, u64>,
    /// Whether all of its records are requested once more, and count only then.
    pub is_preliminary: bool,
    /// The log ID of the stored response, if it was taken in once more.
    pub recalled: Option<String>,
}

/// What became of the records of one ticker.
#[derive(Debug)]
pub(super) struct Told {
    pub name: Arc<str>,
    /// Without those that an earlier response had, too: they count once.
    pub tally: Tally,
    has_written: bool,
    has_kept: bool,
}

impl Told {
    fn add(&mut self, tally: Tally, is_repeated: bool) {
        self.has_written |= tally.written > 0;
        self.has_kept |= tally.unchanged > 0;
        if !is_repeated {
            self.tally += tally;
        }
    }

    /// Whether all that it has was stored before.
    pub(super) fn is_unchanged(&self) -> bool {
        self.has_kept && !self.has_written
    }
}

impl Delivery {
    pub(super) fn tell(&mut self, subject: Subject, tally: Tally) {
        if let Some(told) = self.subjects.get_mut(subject.number) {
            told.add(tally, subject.is_repeated);
        }
    }
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

    /// The writes of records, and whom they are about.
    pub(super) fn told(
        &self,
        dataset: &'static Dataset,
        records: Vec<Write>,
    ) -> (Vec<(Kind, Write)>, Vec<Told>) {
        let mut numbers = BTreeMap::<Arc<str>, usize>::new();
        let writes = records.into_iter().map(|record| {
            let name = ticker_of(&record.fields);
            let number = numbers.get(name).copied().unwrap_or_else(|| {
                let number = numbers.len();
                numbers.insert(Arc::from(name), number);
                number
            });
            let is_repeated = self.documents.contains(&record.document);
            (Kind::Record(dataset, Subject { number, is_repeated }), record)
        });
        let writes = writes.collect();
        let mut subjects: Vec<_> = numbers.into_iter().collect();
        subjects.sort_unstable_by_key(|(_, number)| *number);
        let told = |(name, _)| Told { name, tally: Tally::default(), has_written: false, has_kept: false };
        (writes, subjects.into_iter().map(told).collect())
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
    use crate::catalogue::find_dataset;
    use crate::firestore::value::fields;
    use crate::firestore::{Fields, Value};
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
        assert_eq!(seen.count_new(again.iter()), 2);
        let dataset = find_dataset("daily_prices").unwrap();
        let of = |ticker, id| {
            let fields = fields([("ticker", Value::string(ticker))]);
            Write::overwrite(DocumentPath::new("prices", id), fields)
        };
        let (writes, subjects) = seen.told(dataset, vec![of("B", "c"), of("A", "a"), of("B", "b")]);
        let mut delivery = Delivery { subjects, ..Delivery::default() };
        for (kind, _) in writes {
            let Kind::Record(_, subject) = kind else { panic!("{kind:?}") };
            delivery.tell(subject, Tally { unchanged: 1, ..Tally::default() });
        }
        let told: Vec<_> = delivery
            .subjects
            .iter()
            .map(|told| (&*told.name, told.tally.unchanged, told.is_unchanged()))
            .collect();
        assert_eq!(told, [("B", 1, true), ("A", 0, true)]);
        delivery.tell(Subject { number: 1, is_repeated: true }, Tally { written: 1, ..Tally::default() });
        assert!(!delivery.subjects[1].is_unchanged());
        assert_eq!(delivery.subjects[1].tally.written, 0, "it was counted with the first answer");
    }
}
