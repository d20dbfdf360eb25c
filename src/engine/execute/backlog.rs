//! All unfinished work of a run, wherever it currently is.
//!
//! ```text
//! queue ──▶ call ──▶ delivery ──▶ done
//!   ▲        │ │        │
//!   │        │ ▼        ▼
//!   └────────┤ suspect  deferred, to the next attempt
//!            └────────────▲
//! ```
//!
//! Work that leaves one place moves to the next, or has failed permanently and is recorded in the run's state.

use super::deliveries::Deliveries;
use super::queue::{Batch, Queue};
use super::suspects::{Suspect, Suspects};
use crate::run::{Work, merged};

/// The unfinished work.
pub(super) struct Backlog {
    /// Batches waiting to be called.
    pub queue: Queue,
    /// Tickers that failed alone, before it is known whether they or the provider are at fault.
    pub suspects: Suspects,
    /// Responses that are not stored yet.
    pub deliveries: Deliveries,
    /// Work that this attempt will not retry.
    deferred: Vec<Work>,
}

impl Backlog {
    /// Starts with a run's queue; these are its endpoints.
    pub(super) fn new(queue: Queue, endpoints: &[&'static str]) -> Self {
        Self {
            queue,
            suspects: Suspects::new(endpoints),
            deliveries: Deliveries::default(),
            deferred: Vec::new(),
        }
    }

    /// Whether anything is left to request in this attempt.
    pub(super) fn has_work(&self) -> bool {
        !self.queue.is_empty() || !self.suspects.is_empty()
    }

    /// Leaves a batch to the next attempt.
    pub(super) fn defer(&mut self, batch: Batch, reason: Option<String>) {
        self.defer_work(batch.into_work(reason));
    }

    /// Leaves work to the next attempt.
    pub(super) fn defer_work(&mut self, work: Work) {
        self.deferred.push(work);
    }

    /// Leaves an endpoint's suspects and queued work to the next attempt.
    pub(super) fn defer_endpoint(&mut self, endpoint: &str, reason: &str) {
        for suspect in self.suspects.take_of(endpoint) {
            self.defer_work(suspect.into_work());
        }
        for batch in self.queue.drain(endpoint) {
            self.defer(batch, Some(reason.to_owned()));
        }
    }

    /// Leaves all suspects to the next attempt, which may find out more.
    pub(super) fn defer_suspects(&mut self) {
        self.deferred.extend(self.suspects.take().into_iter().map(Suspect::into_work));
    }

    /// All unfinished work; `calling` is the part in flight.
    pub(super) fn pending(&self, calling: impl Iterator<Item = Work>) -> Vec<Work> {
        let queued = self.queue.iter().map(|batch| batch.clone().into_work(None));
        let suspected = self.suspects.iter().map(Suspect::work);
        let deferred = self.deferred.iter().cloned();
        let all = calling.chain(self.deliveries.open_work()).chain(queued).chain(suspected).chain(deferred);
        merged(all.collect())
    }
}

#[cfg(test)]
mod tests;
