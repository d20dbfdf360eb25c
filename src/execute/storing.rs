//! What is being written to Firestore, and for which work.

use std::collections::{BTreeMap, HashSet};

use crate::firestore::bulk::GroupId;
use crate::firestore::{DocumentPath, Write};
use crate::job::Ticker;
use crate::run::Work;

/// The documents of one call.
#[derive(Debug, Default)]
pub(super) struct Group {
    /// The work that is done when they are stored; none for the raw log of a failed call.
    pub work: Option<Work>,
    /// Tickers of the work that failed permanently.
    pub failed: Vec<(Ticker, String)>,
    /// Records stored so far, by collection.
    pub written: Vec<(String, u64)>,
    /// Rejected records, by the collection they were meant for.
    pub rejected: BTreeMap<String, u64>,
    /// Of the records stored, those that an earlier answer has stored, by collection: they are no further documents.
    pub repeated: BTreeMap<String, u64>,
}

/// The documents of answers after which some of their tickers were asked for again: what comes again is not counted again.
#[derive(Debug, Default)]
pub(super) struct Seen {
    documents: HashSet<DocumentPath>,
}

impl Seen {
    pub(super) fn add(&mut self, writes: &[Write]) {
        self.documents.extend(writes.iter().map(|write| write.document.clone()));
    }

    /// How many of the writes are of documents that were stored before, by collection.
    pub(super) fn repeated(&self, writes: &[Write]) -> BTreeMap<String, u64> {
        let mut repeated = BTreeMap::new();
        for write in writes.iter().filter(|write| self.documents.contains(&write.document)) {
            *repeated.entry(write.document.collection().to_owned()).or_default() += 1;
        }
        repeated
    }
}

/// All groups that are not settled.
#[derive(Debug, Default)]
pub(super) struct Storing {
    next: GroupId,
    open: BTreeMap<GroupId, Group>,
}

impl Storing {
    pub(super) fn open(&mut self, group: Group) -> GroupId {
        self.next += 1;
        self.open.insert(self.next, group);
        self.next
    }

    pub(super) fn close(&mut self, group: GroupId) -> Option<Group> {
        self.open.remove(&group)
    }

    /// The work whose documents are not stored yet.
    pub(super) fn open_work(&self) -> impl Iterator<Item = Work> {
        self.open.values().filter_map(|group| group.work.clone())
    }
}
