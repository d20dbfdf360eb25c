//! The requests that a provider received and how it answered them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Result, bail};
use bytes::Bytes;
use serde_json::Value;

use crate::endpoint::Service;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Still in progress.
    Pending,
    /// Answered with this status. A truncated or slow body counts as answered.
    Answered(u16),
    /// The simulator reset the connection.
    Reset,
    /// The caller hung up, or the simulator was stopped, before the answer.
    Abandoned,
}

/// One request that a provider received.
#[derive(Debug, Clone)]
pub struct Call {
    /// The service that received it.
    pub service: Service,
    /// `GET`, `POST`.
    pub method: String,
    /// The path without the query.
    pub path: String,
    /// By lowercase name; the last value if a header is repeated.
    pub headers: BTreeMap<String, String>,
    /// The parsed body; null if it was not JSON.
    pub body: Value,
    /// The body's `tickers`; empty if it had none.
    pub tickers: Vec<String>,
    /// When it arrived, for measuring between calls.
    pub received: Instant,
    /// When it arrived, as time of day.
    pub received_at: SystemTime,
    /// From the request's arrival to the head of the answer.
    pub latency: Option<Duration>,
    /// How it ended.
    pub outcome: Outcome,
    /// Length of the answer's whole body, even if only a part of it was sent.
    pub response_bytes: usize,
    /// The exact body, if [`Journal::keep_bodies`] is on.
    pub response: Option<Bytes>,
}

/// The requests that a provider received, in order of arrival. Clones share one list.
#[derive(Debug, Clone, Default)]
pub struct Journal(Arc<Mutex<Pages>>);

#[derive(Debug, Default)]
struct Pages {
    calls: Vec<Call>,
    /// How often the journal was cleared: the answer to an older request must not be recorded.
    volume: u64,
    keep_bodies: bool,
}

impl Journal {
    /// All requests, including health checks.
    pub fn requests(&self) -> Vec<Call> {
        self.read(|pages| pages.calls.clone())
    }

    /// The fetches.
    pub fn calls(&self) -> Vec<Call> {
        self.read(|pages| pages.calls.iter().filter(|call| is_fetch(call)).cloned().collect())
    }

    /// Number of fetches.
    pub fn count(&self) -> usize {
        self.read(|pages| pages.calls.iter().filter(|call| is_fetch(call)).count())
    }

    /// The tickers of all fetches in order, with repetitions.
    pub fn tickers(&self) -> Vec<String> {
        self.read(|pages| {
            pages.calls.iter().filter(|call| is_fetch(call)).flat_map(|call| call.tickers.clone()).collect()
        })
    }

    /// Waits until at least `count` fetches have arrived.
    pub async fn wait_for(&self, count: usize, limit: Duration) -> Result<()> {
        let start = Instant::now();
        while self.count() < count {
            if start.elapsed() > limit {
                bail!("{} of {count} expected fetches arrived within {limit:?}", self.count());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Ok(())
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.write(|pages| {
            pages.calls.clear();
            pages.volume += 1;
        });
    }

    /// Sets whether the exact bodies of answers are kept. Initially off: long runs answer gigabytes.
    pub fn keep_bodies(&self, keep: bool) {
        self.write(|pages| pages.keep_bodies = keep);
    }

    pub(super) fn open(&self, call: Call) -> Entry {
        self.write(|pages| {
            pages.calls.push(call);
            Entry { journal: self.clone(), volume: pages.volume, place: pages.calls.len() - 1, closed: false }
        })
    }

    fn read<T>(&self, look: impl FnOnce(&Pages) -> T) -> T {
        look(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn write<T>(&self, change: impl FnOnce(&mut Pages) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The journal's entry for a request in progress. If it is dropped without an outcome, the request was abandoned.
#[derive(Debug)]
pub(super) struct Entry {
    journal: Journal,
    volume: u64,
    place: usize,
    closed: bool,
}

impl Entry {
    pub(super) fn close(mut self, outcome: Outcome, body: &Bytes) {
        self.note(outcome, body);
    }

    fn note(&mut self, outcome: Outcome, body: &Bytes) {
        self.closed = true;
        self.journal.write(|pages| {
            let keep = pages.keep_bodies;
            let current = pages.volume == self.volume;
            if let Some(call) = pages.calls.get_mut(self.place).filter(|_| current) {
                call.latency = Some(call.received.elapsed());
                call.outcome = outcome;
                call.response_bytes = body.len();
                call.response = keep.then(|| body.clone());
            }
        });
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.closed {
            self.note(Outcome::Abandoned, &Bytes::new());
        }
    }
}

fn is_fetch(call: &Call) -> bool {
    call.method == "POST"
}
