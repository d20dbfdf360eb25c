//! The batches of a run that are waiting to be called.

use std::collections::VecDeque;
use std::time::Duration;

use crate::base::ports::Instant;
use crate::catalogue::Ticker;
use crate::run::{Window, Work};

/// The tickers of one provider call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Path of the endpoint.
    pub endpoint: &'static str,
    pub tickers: Vec<Ticker>,
    /// The days that are requested; none for what the endpoint sends by default.
    pub window: Option<Window>,
    /// The requested parts of each ticker's data; empty means all.
    pub parts: Vec<String>,
    /// Parts that an answer before had no current record of.
    pub outdated: Vec<String>,
    /// Calls made for it.
    pub attempt: u32,
    /// Maximum calls for it.
    pub attempts_max: u32,
    /// How many calls the endpoint had answered when it, or the batch it is a piece of, was first tried.
    pub answered_before: Option<u64>,
    /// Number of attempts of the run that deferred it because the provider failed.
    pub deferrals: u32,
    /// Whether a call for it, or for the batch it is a piece of, has failed in this attempt.
    pub has_failed: bool,
    /// How many calls for its one ticker have failed in this attempt.
    pub failed_alone: u32,
    pub origin: Origin,
    /// Whether more records are asked for than usual.
    pub enlarged: bool,
}

/// How a batch came about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    #[default]
    Planned,
    /// A piece of a batch that failed: then the batch, not the provider, may be the cause.
    Piece,
    /// One ticker, requested once more because its error was not recognized.
    OnceMore,
    /// One suspect, requested again after the provider has answered others.
    Recheck,
    /// One ticker that was answered before, requested again to see whether the provider is up. Its data is not
    /// stored.
    Control,
}

impl Batch {
    /// A batch that was never tried.
    pub fn new(endpoint: &'static str, tickers: Vec<Ticker>, attempts_max: u32) -> Self {
        Self {
            endpoint,
            tickers,
            window: None,
            parts: Vec::new(),
            outdated: Vec::new(),
            attempt: 0,
            attempts_max,
            answered_before: None,
            deferrals: 0,
            has_failed: false,
            failed_alone: 0,
            origin: Origin::Planned,
            enlarged: false,
        }
    }

    /// The same for some of its tickers.
    #[must_use]
    pub fn of(&self, tickers: Vec<Ticker>) -> Self {
        // Keeps the failures of its one ticker.
        let failed_alone = if tickers == self.tickers { self.failed_alone } else { 0 };
        Self { tickers, failed_alone, ..self.without_tickers() }
    }

    fn without_tickers(&self) -> Self {
        Self {
            window: self.window,
            parts: self.parts.clone(),
            outdated: self.outdated.clone(),
            attempt: self.attempt,
            answered_before: self.answered_before,
            deferrals: self.deferrals,
            has_failed: self.has_failed,
            origin: self.origin,
            enlarged: self.enlarged,
            ..Self::new(self.endpoint, Vec::new(), self.attempts_max)
        }
    }

    pub fn is_control(&self) -> bool {
        self.origin == Origin::Control
    }

    /// The work that is left for it.
    pub fn into_work(self, reason: Option<String>) -> Work {
        Work {
            endpoint: self.endpoint.to_owned(),
            tickers: self.tickers,
            window: self.window,
            parts: self.parts,
            outdated: self.outdated,
            reason,
            // However this attempt ends, the next one knows that the batch failed and starts with smaller ones.
            deferrals: self.deferrals + u32::from(self.has_failed),
            enlarged: self.enlarged,
        }
    }
}

/// Batches, ready or waiting until they are due.
#[derive(Debug, Default)]
pub struct Queue {
    ready: VecDeque<Batch>,
    delayed: Vec<(Instant, Batch)>,
}

impl Queue {
    /// Cuts work into batches of as many tickers as `size` gives it. The endpoints take turns, so that a run that is cut short has finished
    /// whole tickers rather than one endpoint. Work that was deferred before comes in smaller batches each time, down
    /// to single tickers: if some tickers are the cause, the others must not wait forever. Work for endpoints that the
    /// job does not have is dropped: it has already failed ([`crate::run::RunState::fail_unknown`]).
    /// Windows come one after the other, because each touches other days of the coverage.
    pub fn new(
        pending: Vec<Work>,
        endpoints: &[&'static str],
        size: impl Fn(&Work) -> usize,
        attempts_max: u32,
    ) -> Self {
        let mut lanes: Vec<VecDeque<Batch>> = Vec::new();
        let mut windowed: Vec<(&str, usize)> = Vec::new();
        for work in pending {
            let Some(endpoint) = endpoints.iter().find(|path| **path == work.endpoint) else { continue };
            let batch = |tickers: &[Ticker]| Batch {
                deferrals: work.deferrals,
                window: work.window,
                parts: work.parts.clone(),
                outdated: work.outdated.clone(),
                enlarged: work.enlarged,
                origin: if work.deferrals > 0 { Origin::Piece } else { Origin::Planned },
                ..Batch::new(endpoint, tickers.to_vec(), attempts_max)
            };
            let size = size(&work).checked_shr(work.deferrals).unwrap_or_default().max(1);
            let batches = if work.tickers.is_empty() {
                VecDeque::from([batch(&[])])
            } else {
                work.tickers.chunks(size).map(batch).collect()
            };
            let lane = windowed.iter().find(|(path, _)| work.window.is_some() && path == endpoint);
            match lane.and_then(|(_, place)| lanes.get_mut(*place)) {
                Some(lane) => lane.extend(batches),
                None => {
                    if work.window.is_some() {
                        windowed.push((endpoint, lanes.len()));
                    }
                    lanes.push(batches);
                }
            }
        }
        let mut ready = VecDeque::new();
        while lanes.iter().any(|lane| !lane.is_empty()) {
            ready.extend(lanes.iter_mut().filter_map(VecDeque::pop_front));
        }
        Self { ready, delayed: Vec::new() }
    }

    pub fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.delayed.is_empty()
    }

    /// Batches of an endpoint.
    pub fn count(&self, endpoint: &str) -> usize {
        self.iter().filter(|batch| batch.endpoint == endpoint).count()
    }

    /// The next batch that is due, for an endpoint that may be called.
    pub fn next(&mut self, now: Instant, may_call: impl Fn(&'static str) -> bool) -> Option<Batch> {
        let is_due = |(at, batch): &(Instant, Batch)| *at <= now && may_call(batch.endpoint);
        if let Some(at) = self.delayed.iter().position(is_due) {
            return Some(self.delayed.swap_remove(at).1);
        }
        let at = self.ready.iter().position(|batch| may_call(batch.endpoint))?;
        self.ready.remove(at)
    }

    /// Time until a batch of an endpoint that may be called is due; none if there is no such batch.
    pub fn wait(&self, now: Instant, may_call: impl Fn(&'static str) -> bool) -> Option<Duration> {
        if self.ready.iter().any(|batch| may_call(batch.endpoint)) {
            return Some(Duration::ZERO);
        }
        let delayed = self.delayed.iter().filter(|(_, batch)| may_call(batch.endpoint));
        delayed.map(|(at, _)| at.since(now)).min()
    }

    pub fn retry(&mut self, batch: Batch, at: Instant) {
        self.delayed.push((at, batch));
    }

    /// Queues a batch before all others.
    pub fn put_back(&mut self, batch: Batch) {
        self.ready.push_front(batch);
    }

    /// Queues a batch after all others.
    pub fn push(&mut self, batch: Batch) {
        self.ready.push_back(batch);
    }

    /// Queues the pieces of a batch that failed: each ticker that the provider names alone, the others in halves, or
    /// together if the named ones explain the failure. A piece is tried once, because splitting it reveals more than
    /// repeating it; a single ticker, which may be given up on, `alone_max` times.
    pub fn split(&mut self, batch: &Batch, named: &[Ticker], alone_max: u32) {
        let Batch { tickers, .. } = batch;
        let (suspects, mut rest): (Vec<_>, Vec<_>) =
            tickers.iter().cloned().partition(|ticker| named.contains(ticker));
        let mut pieces: Vec<Vec<Ticker>> = suspects.into_iter().map(|ticker| vec![ticker]).collect();
        if pieces.is_empty() {
            pieces.push(rest.split_off(rest.len() / 2));
        }
        pieces.push(rest);
        for tickers in pieces.into_iter().filter(|tickers| !tickers.is_empty()) {
            let attempts_max = if tickers.len() == 1 { alone_max } else { 1 };
            self.ready.push_front(Batch {
                attempt: 0,
                attempts_max,
                origin: Origin::Piece,
                ..batch.of(tickers)
            });
        }
    }

    /// Takes any one ticker of an endpoint that `fits`; none if there is none.
    pub fn take_one(&mut self, endpoint: &str, jitter: u64, fits: impl Fn(&Ticker) -> bool) -> Option<Batch> {
        let all = self.iter().filter(|batch| batch.endpoint == endpoint);
        let count = all.flat_map(|batch| &batch.tickers).filter(|ticker| fits(ticker)).count();
        let mut skip = usize::try_from(jitter % u64::try_from(count.max(1)).ok()?).ok()?;
        let batches = self.ready.iter_mut().chain(self.delayed.iter_mut().map(|(_, batch)| batch));
        for batch in batches.filter(|batch| batch.endpoint == endpoint) {
            let fitting = batch.tickers.iter().enumerate().filter(|(_, ticker)| fits(ticker));
            let places: Vec<_> = fitting.map(|(place, _)| place).collect();
            match places.get(skip) {
                Some(place) => {
                    let ticker = batch.tickers.get(*place)?.clone();
                    let one = batch.of(vec![ticker]);
                    batch.tickers.remove(*place);
                    self.drop_empty(endpoint);
                    return Some(one);
                }
                None => skip -= places.len(),
            }
        }
        None
    }

    /// A batch that lost its last ticker is dropped; batches of endpoints without tickers have none from the start.
    fn drop_empty(&mut self, endpoint: &str) {
        self.ready.retain(|batch| batch.endpoint != endpoint || !batch.tickers.is_empty());
        self.delayed.retain(|(_, batch)| batch.endpoint != endpoint || !batch.tickers.is_empty());
    }

    /// Removes all batches of an endpoint.
    pub fn drain(&mut self, endpoint: &str) -> Vec<Batch> {
        let (taken, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.ready).into_iter().partition(|batch| batch.endpoint == endpoint);
        self.ready = kept.into();
        let (delayed, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.delayed).into_iter().partition(|(_, batch)| batch.endpoint == endpoint);
        self.delayed = kept;
        taken.into_iter().chain(delayed.into_iter().map(|(_, batch)| batch)).collect()
    }

    /// Everything that is waiting.
    pub fn iter(&self) -> impl Iterator<Item = &Batch> {
        self.ready.iter().chain(self.delayed.iter().map(|(_, batch)| batch))
    }
}

#[cfg(test)]
mod tests;
