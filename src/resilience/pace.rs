//! How long calls take, and what follows: whether one still fits into the time left, and how many may run concurrently.
//!
//! The services process their tickers one after the other, against limits of their own. So the duration of a call is
//! assumed to grow with its tickers; and if calls get slower as more run concurrently, fewer are sent (the idea of TCP
//! Vegas, Brakmo and Peterson, 1995: queueing shows in the delay before anything is lost).

use std::time::Duration;

/// Calls shorter than this are never too slow: their duration is noise.
const NOTICEABLE: Duration = Duration::from_secs(2);
/// Slower than the best by this factor: calls are slowing each other down.
const SLOWER: u32 = 2;
/// Consecutive fast responses before one more call may run.
const GOOD_IN_ROW: u32 = 4;

/// What is known about one endpoint's calls.
#[derive(Clone, Debug)]
pub struct Pace {
    calls_max: usize,
    calls: usize,
    good_in_row: u32,
    /// Time per ticker: the best seen, and the slowest recently.
    best: Option<Duration>,
    slowest: Option<Duration>,
}

impl Pace {
    pub fn new(calls_max: usize) -> Self {
        Self { calls_max, calls: calls_max, good_in_row: 0, best: None, slowest: None }
    }

    /// Calls that may run concurrently.
    pub fn calls(&self) -> usize {
        self.calls
    }

    /// A call was answered.
    pub fn answered(&mut self, tickers: usize, latency: Duration) {
        let each = latency / u32::try_from(tickers.max(1)).unwrap_or(u32::MAX);
        let best = self.best.map_or(each, |best| best.min(each));
        self.best = Some(best);
        // A slow call is gradually forgotten.
        let faded = self.slowest.map_or(Duration::ZERO, |slowest| slowest.saturating_sub(slowest / 8));
        self.slowest = Some(each.max(faded));
        if latency >= NOTICEABLE && each > best * SLOWER {
            self.slow_down();
        } else {
            self.good_in_row += 1;
            if self.good_in_row >= GOOD_IN_ROW && self.calls < self.calls_max {
                self.calls += 1;
                self.good_in_row = 0;
            }
        }
    }

    /// A call timed out: fewer concurrent calls.
    pub fn slow_down(&mut self) {
        self.calls = (self.calls - self.calls / 2).min(self.calls.saturating_sub(1)).max(1);
        self.good_in_row = 0;
    }

    /// The provider reported a limit: one call at a time until it answers again.
    pub fn limited(&mut self) {
        self.calls = 1;
        self.good_in_row = 0;
    }

    /// How many of `tickers` can be requested within `left`; all of them while nothing is known.
    pub fn fitting(&self, tickers: usize, left: Duration) -> usize {
        match self.slowest {
            Some(each) if !each.is_zero() => {
                let fit = left.as_nanos() / each.as_nanos();
                tickers.min(usize::try_from(fit).unwrap_or(usize::MAX))
            }
            _ => tickers,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_call_that_does_not_fit_is_made_smaller() {
        let mut pace = Pace::new(4);
        assert_eq!(pace.fitting(50, SECOND), 50, "nothing is known yet");
        pace.answered(5, SECOND * 60);
        assert_eq!(pace.fitting(5, SECOND * 61), 5);
        assert_eq!(pace.fitting(5, SECOND * 30), 2);
        assert_eq!(pace.fitting(5, SECOND * 11), 0);
    }

    #[test]
    fn calls_that_slow_each_other_down_become_fewer_and_more_again() {
        let mut pace = Pace::new(4);
        pace.answered(10, SECOND * 5);
        pace.answered(10, SECOND * 20);
        assert_eq!(pace.calls(), 2);
        pace.answered(10, SECOND * 20);
        pace.answered(10, SECOND * 20);
        assert_eq!(pace.calls(), 1, "and never none");
        for _ in 0..12 {
            pace.answered(10, SECOND * 5);
        }
        assert_eq!(pace.calls(), 4);
    }

    #[test]
    fn fast_calls_are_never_judged() {
        let mut pace = Pace::new(4);
        pace.answered(50, Duration::from_millis(1));
        pace.answered(50, Duration::from_millis(900));
        assert_eq!(pace.calls(), 4);
    }

    #[test]
    fn a_limit_leaves_one_call() {
        let mut pace = Pace::new(4);
        pace.limited();
        assert_eq!(pace.calls(), 1);
    }
}
