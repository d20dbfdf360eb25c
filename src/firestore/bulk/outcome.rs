//! The outcome of a delivery.

use std::fmt;

use super::DeliveryId;
use crate::firestore::EncodedWrite;

/// The outcome of a delivery.
#[derive(Debug)]
pub struct Delivered<T> {
    pub delivery: DeliveryId,
    /// Documents written, by their tag.
    pub written: Vec<(T, u64)>,
    /// Writes that Firestore will never accept, with its message.
    pub refused: Vec<Unwritten<T>>,
    /// Writes that could not be carried out now, with the last reason.
    pub failed: Vec<Unwritten<T>>,
    /// Writes that were in flight when the writer was told to stop.
    pub unknown: usize,
    /// Attempts after the first.
    pub retries: u64,
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
            written: Vec::new(),
            refused: Vec::new(),
            failed: Vec::new(),
            unknown: 0,
            retries: 0,
        }
    }
}

impl<T: PartialEq> Delivered<T> {
    pub(super) fn note_written(&mut self, tag: T) {
        match self.written.iter_mut().find(|(other, _)| *other == tag) {
            Some((_, count)) => *count += 1,
            None => self.written.push((tag, 1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_counted_by_their_tags() {
        let mut delivered = Delivered::new(1);
        for tag in ["record", "log", "record"] {
            delivered.note_written(tag);
        }
        assert_eq!(delivered.written, [("record", 2), ("log", 1)]);
    }
}
