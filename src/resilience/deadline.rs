//! The instant by which a request must be answered.

use std::time::Duration;

use crate::ports::Instant;

/// When a run's request ends, with time kept back for its last words.
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

/// Most time kept back for the last writes and the ledger's closing.
const CLOSING_MAX: Duration = Duration::from_secs(20);

impl Deadline {
    /// A run that starts at `start` and may take `length`: a tenth of it (at most 20 s) is kept back
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

    /// Time until running calls are cut.
    pub fn until_hard(&self, now: Instant) -> Duration {
        self.hard.since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
