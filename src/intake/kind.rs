//! What kind of document a write stores, for counting what a run has stored.

use crate::catalogue::dataset::Dataset;
use crate::firestore::Write;

/// What a document holds.
///
/// It travels with the write and comes back with its outcome. So a record counts as a record because it was created as
/// one, whatever its collection, and if Firestore refuses it, it is kept as a rejected record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A record of a dataset.
    Record(&'static Dataset, Subject),
    /// The raw log of a call.
    RawLog,
    /// A record that cannot be stored as one, with the reasons.
    Rejected,
    /// A part of a payload that is too large for the document that owns it.
    Part,
}

/// Whom a record of a delivery is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// The number of its ticker in the delivery.
    pub number: usize,
    /// Whether an earlier answer had it, too: it counts once.
    pub is_repeated: bool,
}

impl Kind {
    /// Writes of this kind.
    pub fn of(self, writes: impl IntoIterator<Item = Write>) -> impl Iterator<Item = (Self, Write)> {
        writes.into_iter().map(move |write| (self, write))
    }
}
