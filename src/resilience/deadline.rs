//! The instant by which a request must be answered.

use std::time::Duration;

use crate::base::ports::Instant;

/// When a run's request ends, with time reserved for closing it.
///
/// ```text
/// start ───────────────── soft ─────── hard ── end
///        new calls start   │ running    │ last writes,
///                          │ calls end  │ closing
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    soft: Instant,
    hard: Instant,
}

/// Maximum time reserved for the last writes and closing the ledger entry.
const CLOSING_MAX: Duration = Duration::from_secs(20);

impl Deadline {
    /// A run that starts at `start` and may take `length`: a tenth of it (at most 20 s) is reserved
    /// for closing, and no call starts in the last fifth before that.
    pub fn new(start: Instant, length: Duration) -> Self {
        let hard = start + length.saturating_sub((length / 10).min(CLOSING_MAX));
        let soft = hard - (length / 5).min(CLOSING_MAX * 3);
        Self { soft, hard }
    }

    /// Whether a new call may start.
    pub fn admits(&self, now: Instant) -> bool {
        now < self.soft
    }

    /// Time until no new call may start.
    pub fn until_soft(&self, now: Instant) -> Duration {
        self.soft.since(now)
    }

    /// Time until running calls are cut off.
    pub fn until_hard(&self, now: Instant) -> Duration {
        self.hard.since(now)
    }
}

/// A tick's run ends this long before the next tick is due: Cloud Scheduler holds that one back while it waits.
const BEFORE_NEXT_TICK: Duration = Duration::from_secs(10);

/// Minimum time for a tick's run. Otherwise an attempt this late would do nothing, and still be retried.
const TICK_MIN: Duration = Duration::from_secs(30);

/// How long a request may work on a tick's run: up to `limit`, but not into the job's next tick.
pub fn length_of_tick(limit: Duration, until_next_tick: Duration) -> Duration {
    until_next_tick.saturating_sub(BEFORE_NEXT_TICK).max(TICK_MIN).min(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticks_run_ends_before_the_next_tick() {
        for (limit, left, expected) in [
            // On time; after some retries; the next tick is tomorrow; a platform that ends requests early.
            (840, 300, 290),
            (840, 60, 50),
            (840, 86_400, 840),
            (25, 300, 25),
            // Too late to do anything without running into it.
            (840, 35, 30),
            (840, 0, 30),
        ] {
            let length = length_of_tick(Duration::from_secs(limit), Duration::from_secs(left));
            assert_eq!(length, Duration::from_secs(expected), "{left} s before the next tick");
        }
    }

    #[test]
    fn calls_stop_before_they_are_cut_and_time_is_kept_to_close() {
        let start = Instant::from_origin(Duration::from_secs(100));
        let deadline = Deadline::new(start, Duration::from_secs(840));
        assert_eq!(deadline.until_hard(start), Duration::from_secs(820));
        assert_eq!(deadline.until_soft(start), Duration::from_secs(760));
        assert!(deadline.admits(start) && !deadline.admits(start + Duration::from_secs(760)));
    }

    #[test]
    fn a_short_run_keeps_its_proportions() {
        let start = Instant::from_origin(Duration::ZERO);
        let deadline = Deadline::new(start, Duration::from_secs(10));
        assert_eq!(deadline.until_soft(start), Duration::from_secs(7));
        assert_eq!(deadline.until_hard(start), Duration::from_secs(9));
        assert_eq!(deadline.until_hard(start + Duration::from_secs(60)), Duration::ZERO);
    }
}
