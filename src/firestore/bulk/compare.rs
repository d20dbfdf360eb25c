//! Writes that may repeat what is stored are compared with it first; only what differs is written.
//!
//! A glance reads the few fields that tell most documents. Of those that seem to differ all fields are read, so that
//! what they were can be kept before they are overwritten. What is then written has a precondition: if another run has
//! changed the document since, the write is compared once more.

use std::collections::HashMap;

use super::batches::{COMPANY_WRITES_MIN, LANES};
use super::{Answer, BulkWriter, Item};
use crate::firestore::document::Document;
use crate::firestore::error::FirestoreError;
use crate::firestore::write::{EncodedWrite, Precondition};

/// Documents of one glance.
const GLANCE_MAX: usize = 500;
/// Documents that are read as a whole in one request, and the bytes that they may have; a larger one is read alone.
const WHOLE_MAX: usize = 100;
const WHOLE_BYTES_MAX: usize = 1 << 20;

/// How a write is compared with the stored document.
pub trait Comparison: Send + Sync {
    /// The fields of a glance.
    fn glance(&self) -> &'static [&'static str];

    /// What follows from a glance at a stored document; none if all of it is needed.
    fn judge(&self, write: &EncodedWrite, stored: &Document) -> Option<Verdict>;

    /// What follows from all of a stored document.
    fn judge_whole(&self, write: &EncodedWrite, stored: &Document) -> Verdict;
}

/// What becomes of a write that was compared.
#[derive(Debug)]
pub enum Verdict {
    /// The document says the same already.
    Unchanged,
    /// The document says something newer, which stays.
    Superseded,
    /// This very write was made before, and nobody learnt of it. Whether it changed an earlier document.
    Done { revised: bool },
    /// It is written in this form.
    Write(EncodedWrite),
    /// The first write keeps what the document was, and then the second changes it.
    Revise { before: EncodedWrite, write: EncodedWrite },
}

impl<T: Copy + Ord + Send + Sync + 'static> BulkWriter<T> {
    /// Sends the reads that may be sent.
    pub(super) fn launch_reads(&mut self) {
        while self.reads_in_flight < LANES {
            let is_whole = !self.unlike.is_empty();
            let is_worth = self.reads_in_flight == 0 || self.uncompared.len() >= COMPANY_WRITES_MIN;
            if !is_whole && !is_worth {
                return;
            }
            let items = if is_whole { self.take_unlike() } else { self.take_uncompared() };
            let Some(first) = items.first() else { return };
            let glance = first.comparison.as_ref().map_or(&[][..], |comparison| comparison.glance());
            let fields = if is_whole { &[][..] } else { glance };
            self.reads_in_flight += 1;
            let firestore = self.firestore.clone();
            self.in_flight.push(Box::pin(async move {
                let documents: Vec<_> = items.iter().map(|item| item.write.document.clone()).collect();
                let documents = firestore.get_fields(&documents, fields).await;
                Answer::Read { items, is_whole, documents }
            }));
        }
    }

    /// The next writes of one collection that are not compared yet, without documents that are busy with another write.
    fn take_uncompared(&mut self) -> Vec<Item<T>> {
        let mut batch = Vec::<Item<T>>::new();
        let mut passed_over = Vec::new();
        while batch.len() < GLANCE_MAX {
            let Some(mut item) = self.uncompared.pop_front() else { break };
            let collection = item.write.document.collection();
            let is_alike = batch.first().is_none_or(|first| first.write.document.collection() == collection);
            if is_alike && self.begin(&mut item) {
                batch.push(item);
            } else {
                passed_over.push(item);
            }
        }
        for item in passed_over.into_iter().rev() {
            self.uncompared.push_front(item);
        }
        batch
    }

    fn take_unlike(&mut self) -> Vec<Item<T>> {
        let mut batch = Vec::<Item<T>>::new();
        let mut bytes = 0;
        while let Some(item) = self.unlike.pop_front() {
            bytes += item.write.sent_bytes();
            let is_alike = batch.first().is_none_or(|first| {
                first.write.document.collection() == item.write.document.collection()
                    && batch.len() < WHOLE_MAX
                    && bytes <= WHOLE_BYTES_MAX
            });
            if !is_alike {
                self.unlike.push_front(item);
                break;
            }
            batch.push(item);
        }
        batch
    }

    pub(super) fn on_read(
        &mut self,
        items: Vec<Item<T>>,
        is_whole: bool,
        documents: Result<Vec<Document>, FirestoreError>,
    ) {
        self.reads_in_flight -= 1;
        for item in &items {
            self.waiting_bytes = self.waiting_bytes.saturating_sub(item.bytes());
        }
        let documents = match documents {
            Ok(documents) => documents,
            Err(error) => return self.on_unread(items, &error),
        };
        let by_id: HashMap<_, _> =
            documents.iter().map(|document| (document.id.as_str(), document)).collect();
        for item in items {
            let stored = by_id.get(item.write.document.id()).copied();
            self.on_compared(item, stored, is_whole);
        }
    }

    fn on_compared(&mut self, mut item: Item<T>, stored: Option<&Document>, is_whole: bool) {
        let Some((stored, comparison)) = stored.zip(item.comparison.as_ref()) else {
            item.write = item.write.only_if(Precondition::Missing);
            return self.queue(item);
        };
        let verdict = match comparison.judge(&item.write, stored) {
            None if is_whole => Some(comparison.judge_whole(&item.write, stored)),
            verdict => verdict,
        };
        let unchanged = Precondition::UnchangedSince(stored.update_time);
        match verdict {
            None => {
                self.waiting_bytes += item.bytes();
                self.unlike.push_back(item);
            }
            Some(Verdict::Unchanged) => {
                self.settle(item, |outcome, item| outcome.tally(item.tag).unchanged += 1);
            }
            Some(Verdict::Superseded) => self.settle(item, |outcome, item| {
                outcome.superseded.push(item.write.document);
            }),
            Some(Verdict::Done { revised }) => self.settle(item, |outcome, item| {
                outcome.note_written(item.tag, revised);
            }),
            Some(Verdict::Write(write)) => {
                item.write = write.only_if(unchanged);
                self.queue(item);
            }
            Some(Verdict::Revise { before, write }) => {
                item.before = Some(before);
                item.revises = true;
                item.write = write.only_if(unchanged);
                self.queue(item);
            }
        }
    }

    /// The document is not what it was when it was compared.
    pub(super) fn compare_again(&mut self, mut item: Item<T>) {
        item.write.precondition = None;
        item.before = None;
        item.revises = false;
        self.waiting_bytes += item.bytes();
        self.uncompared.push_back(item);
    }
}
