//! What a document is to those who count what a run has stored.

use crate::catalogue::dataset::Dataset;
use crate::firestore::Write;

/// What a document holds.
///
/// It goes to Firestore with the write and comes back with its outcome. So a record counts as a record because it was
/// made as one, in whichever collection it lies, and what Firestore refuses of it is kept as a rejected record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A record of a dataset.
    Record(&'static Dataset),
    /// The raw log of a call.
    RawLog,
    /// A record that cannot be stored as one, with the reasons.
    Rejected,
    /// A part of a payload that is too big for the document that owns it.
    Part,
}

impl Kind {
    /// Writes of this kind.
    pub fn of(self, writes: impl IntoIterator<Item = Write>) -> impl Iterator<Item = (Self, Write)> {
        writes.into_iter().map(move |write| (self, write))
    }
}
