//! The batches of a run that wait for their call.

use std::collections::VecDeque;
use std::time::Duration;

use crate::job::Ticker;
use crate::ports::Instant;
use crate::run::Work;

/// The tickers of one provider call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Path of the endpoint.
    pub endpoint: &'static str,
    pub tickers: Vec<Ticker>,
    /// Calls made for it.
    pub attempt: u32,
    /// Calls it may have in all.
    pub attempts_max: u32,
    /// How many calls the provider had answered when it was first tried.
    pub answered_before: u64,
    /// The same of the batch it is a piece of.
    pub whole_answered_before: Option<u64>,
    /// How many attempts of the run have put it off because the provider failed on it.
    pub tries: u32,
    /// Whether it is a piece of a batch that failed: then the batch, not the provider, may be the cause.
    pub suspect: bool,
}

impl Batch {
    /// A batch without tickers that was never tried.
    fn new(endpoint: &'static str, attempts_max: u32) -> Self {
        Self {
            endpoint,
            tickers: Vec::new(),
            attempt: 0,
            attempts_max,
            answered_before: 0,
            whole_answered_before: None,
            tries: 0,
            suspect: false,
        }
    }

    /// What is left to do of it.
    pub fn into_work(self, reason: Option<String>) -> Work {
        Work { endpoint: self.endpoint.to_owned(), tickers: self.tickers, reason, tries: self.tries }
    }
}

/// Batches, ready or waiting for their time.
#[derive(Debug, Default)]
pub struct Queue {
    ready: VecDeque<Batch>,
    delayed: Vec<(Instant, Batch)>,
    /// Calls that may still be spent on splitting.
    split_calls: usize,
}

/// Calls that any run may spend on splitting: enough to find a few poisonous tickers in a big batch.
const SPLIT_CALLS_MIN: usize = 64;

impl Queue {
    /// Cuts work into batches of `size` tickers; the endpoints take turns, so that a run that is cut
    /// short has whole tickers rather than one endpoint done. Work that was put off before comes in
    /// smaller batches each time, down to single tickers: if some of them are the cause, the others must
    /// not wait for ever. Splitting may cost as many calls again.
    pub fn new(pending: &[Work], endpoints: &[&'static str], size: usize, attempts_max: u32) -> Self {
        let mut lanes: Vec<VecDeque<Batch>> = Vec::new();
        for work in pending {
            let Some(endpoint) = endpoints.iter().find(|path| **path == work.endpoint) else { continue };
            let batch = |tickers: &[Ticker]| Batch {
                tickers: tickers.to_vec(),
                tries: work.tries,
                suspect: work.tries > 0,
                ..Batch::new(endpoint, attempts_max)
            };
            let size = size.checked_shr(work.tries).unwrap_or_default().max(1);
            lanes.push(if work.tickers.is_empty() {
                VecDeque::from([batch(&[])])
            } else {
                work.tickers.chunks(size).map(batch).collect()
            });
        }
        let mut ready = VecDeque::new();
        while lanes.iter().any(|lane| !lane.is_empty()) {
            ready.extend(lanes.iter_mut().filter_map(VecDeque::pop_front));
        }
        let split_calls = ready.len().max(SPLIT_CALLS_MIN);
        Self { ready, delayed: Vec::new(), split_calls }
    }

    pub fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.delayed.is_empty()
    }

    /// The next batch whose time has come.
    pub fn next(&mut self, now: Instant) -> Option<Batch> {
        let due = self.delayed.iter().position(|(at, _)| *at <= now);
        match due {
            Some(at) => Some(self.delayed.swap_remove(at).1),
            None => self.ready.pop_front(),
        }
    }

    /// Time until a batch is due; none where the queue is empty.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        if !self.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        self.delayed.iter().map(|(at, _)| at.since(now)).min()
    }

    pub fn retry(&mut self, batch: Batch, at: Instant) {
        self.delayed.push((at, batch));
    }

    pub fn may_split(&self) -> bool {
        self.split_calls >= 2
    }

    /// Queues the halves of a batch; each may be tried `attempts_max` times, a single ticker, which may be
    /// given up after that, `alone_max` times.
    pub fn split(&mut self, mut batch: Batch, attempts_max: u32, alone_max: u32) {
        let right = batch.tickers.split_off(batch.tickers.len() / 2);
        self.split_calls = self.split_calls.saturating_sub(2);
        let whole_answered_before = batch.whole_answered_before.or(Some(batch.answered_before));
        for tickers in [right, batch.tickers] {
            let attempts_max = if tickers.len() == 1 { alone_max } else { attempts_max };
            let half = Batch::new(batch.endpoint, attempts_max);
            let tries = batch.tries;
            self.ready.push_front(Batch { tickers, tries, suspect: true, whole_answered_before, ..half });
        }
    }

    /// Leaves one ticker in a batch, any one, and queues the others.
    pub fn shrink(&mut self, batch: &mut Batch, jitter: u64) {
        let count = batch.tickers.len().max(1) as u64;
        if count > 1 {
            let one = batch.tickers.swap_remove(usize::try_from(jitter % count).unwrap_or_default());
            let rest = Batch { tickers: std::mem::replace(&mut batch.tickers, vec![one]), ..batch.clone() };
            self.ready.push_front(rest);
        }
    }

    /// All that waits.
    pub fn iter(&self) -> impl Iterator<Item = &Batch> {
        self.ready.iter().chain(self.delayed.iter().map(|(_, batch)| batch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::tests::work;

    fn at(seconds: u64) -> Instant {
        Instant::from_origin(Duration::from_secs(seconds))
    }

    fn names(batch: &Batch) -> String {
        let tickers: Vec<_> = batch.tickers.iter().map(Ticker::as_str).collect();
        format!("{} {}", batch.endpoint, tickers.join(","))
    }

    fn queue(pending: &[Work], size: usize) -> Queue {
        Queue::new(pending, &["/a", "/b"], size, 4)
    }

    #[test]
    fn endpoints_take_turns() {
        let mut queue = queue(&[work("/a", &["A", "B", "C"]), work("/b", &["A", "B"])], 2);
        let order: Vec<_> = std::iter::from_fn(|| queue.next(at(0))).map(|batch| names(&batch)).collect();
        assert_eq!(order, ["/a A,B", "/b A,B", "/a C"]);
    }

    #[test]
    fn work_without_tickers_is_one_batch() {
        let mut queue = queue(&[work("/a", &[])], 2);
        assert_eq!(queue.next(at(0)).map(|batch| names(&batch)), Some("/a ".into()));
        assert!(queue.is_empty());
    }

    #[test]
    fn a_retry_waits_for_its_time() {
        let mut queue = queue(&[work("/a", &["A"])], 2);
        let batch = queue.next(at(0)).unwrap();
        queue.retry(batch, at(5));
        assert_eq!(queue.next(at(4)), None);
        assert_eq!(queue.wait(at(4)), Some(Duration::from_secs(1)));
        assert!(queue.next(at(5)).is_some());
    }

    #[test]
    fn halves_come_next_and_splitting_is_bounded() {
        let mut queue = queue(&[work("/a", &["A", "B", "C"]), work("/b", &["D"])], 3);
        let batch = queue.next(at(0)).unwrap();
        queue.split(batch, 2, 4);
        assert_eq!(names(&queue.next(at(0)).unwrap()), "/a A");
        assert_eq!(names(&queue.next(at(0)).unwrap()), "/a B,C");
        let mut splits = 1;
        while queue.may_split() {
            queue.split(Batch { tickers: work("/a", &["A", "B"]).tickers, ..Batch::new("/a", 4) }, 2, 4);
            splits += 1;
        }
        assert_eq!(splits, SPLIT_CALLS_MIN / 2);
    }

    #[test]
    fn work_that_was_put_off_comes_in_smaller_batches() {
        let put_off = |tries| Work { tries, ..work("/a", &["A", "B", "C", "D"]) };
        let sizes = |tries| {
            let mut queue = queue(&[put_off(tries)], 4);
            std::iter::from_fn(|| queue.next(at(0))).map(|batch| batch.tickers.len()).collect::<Vec<_>>()
        };
        assert_eq!((sizes(0), sizes(1), sizes(2), sizes(40)), (vec![4], vec![2, 2], vec![1; 4], vec![1; 4]));
    }

    #[test]
    fn a_probe_takes_one_ticker_and_leaves_the_others() {
        let mut queue = queue(&[work("/a", &["A", "B", "C"])], 3);
        let mut batch = queue.next(at(0)).unwrap();
        queue.shrink(&mut batch, 4);
        assert_eq!(names(&batch), "/a B");
        assert_eq!(names(&queue.next(at(0)).unwrap()), "/a A,C");
    }
}
