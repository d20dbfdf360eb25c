//! How a backfill gives way to the other runs of its provider.
//!
//! Backfills have one call at a time of their own, beside those of the other runs, so that these never wait for one. While
//! any of them is under way, a backfill uses it a twentieth of the time: they take at most that much longer where the
//! provider itself is what they share, and the backfill still moves.

use std::time::Duration;

use super::Execution;
use super::reply::Reply;
use crate::base::ports::Instant;

/// While others call, a backfill pauses this many times as long as its last call took.
const PAUSE_CALLS: u32 = 19;
/// Longest such pause: a service that hung once must not stop the backfill.
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// The end of a backfill's last call, and how long it took.
#[derive(Clone, Copy, Debug)]
pub(super) struct LastCall {
    ended: Instant,
    took: Duration,
}

impl Execution<'_> {
    pub(super) fn note_call(&mut self, reply: &Reply) {
        if self.state.is_background() {
            self.last_call = Some(LastCall { ended: self.engine.world.clock.instant(), took: reply.latency });
        }
    }

    /// How long this run leaves the provider to others; zero if it is no backfill, or none of them is under way.
    pub(super) fn gives_way(&self, now: Instant) -> Duration {
        let Some(last) = self.last_call else { return Duration::ZERO };
        if self.engine.breakers.has_foreground(self.run.provider()) {
            pause(last, now)
        } else {
            Duration::ZERO
        }
    }
}

fn pause(last: LastCall, now: Instant) -> Duration {
    (last.ended + last.took.saturating_mul(PAUSE_CALLS).min(PAUSE_MAX)).since(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backfill_uses_a_twentieth_of_the_time() {
        let at = |seconds| Instant::from_origin(Duration::from_secs(seconds));
        let last = LastCall { ended: at(100), took: Duration::from_secs(2) };
        assert_eq!(pause(last, at(100)), Duration::from_secs(38));
        assert_eq!(pause(last, at(138)), Duration::ZERO);
        let hung = LastCall { took: Duration::from_secs(120), ..last };
        assert_eq!(pause(hung, at(100)), PAUSE_MAX);
    }
}
