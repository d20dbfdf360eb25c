//! The outcome of a delivery.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::AddAssign;

use super::DeliveryId;
use crate::firestore::{DocumentPath, EncodedWrite};

/// The outcome of a delivery.
#[derive(Debug)]
pub struct Delivered<T> {
    pub delivery: DeliveryId,
    /// What became of the documents, by the tag of their write.
    pub tallies: BTreeMap<T, Tally>,
    /// Documents that were sent and written, those that keep what others were included.
    pub sent: u64,
    /// Documents that say something newer, and were left alone.
    pub superseded: Vec<DocumentPath>,
    /// Writes that Firestore will never accept, with its message.
    pub refused: Vec<Unwritten<T>>,
    /// Writes that could not be carried out now, with the last reason.
    pub failed: Vec<Unwritten<T>>,
    /// Writes that were in flight when the writer was told to stop.
    pub unknown: usize,
    /// Attempts after the first.
    pub retries: u64,
}

/// What became of documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Those that hold what was written now, or was by an earlier try.
    pub written: u64,
    /// Those of them that held something else before.
    pub revised: u64,
    /// Those that held the same before.
    pub unchanged: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.written += other.written;
        self.revised += other.revised;
        self.unchanged += other.unchanged;
    }
}

/// A write that was not carried out.
#[derive(Debug)]
pub struct Unwritten<T> {
    pub tag: T,
    pub write: EncodedWrite,
    pub reason: String,
}

impl<T> fmt::Display for Unwritten<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.write.document, self.reason)
    }
}

impl<T> Delivered<T> {
    pub(super) fn new(delivery: DeliveryId) -> Self {
        Self {
            delivery,
            tallies: BTreeMap::new(),
            sent: 0,
            superseded: Vec::new(),
            refused: Vec::new(),
            failed: Vec::new(),
            unknown: 0,
            retries: 0,
        }
    }
}

impl<T: Ord> Delivered<T> {
    pub(super) fn tally(&mut self, tag: T) -> &mut Tally {
        self.tallies.entry(tag).or_default()
    }

    pub(super) fn note_written(&mut self, tag: T, revised: bool) {
        let tally = self.tally(tag);
        tally.written += 1;
        tally.revised += u64::from(revised);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_counted_by_their_tags() {
        let mut delivered = Delivered::new(1);
        for tag in ["record", "log", "record"] {
            delivered.note_written(tag, tag == "log");
        }
        let expect = [
            ("log", Tally { written: 1, revised: 1, unchanged: 0 }),
            ("record", Tally { written: 2, ..Tally::default() }),
        ];
        assert_eq!(delivered.tallies, BTreeMap::from(expect));
    }
}
