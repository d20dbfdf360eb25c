//! Exponential backoff with full jitter.
//!
//! The delay before retry *n* is uniform in `[0, min(max, base · 2^(n-1)))`, after "Exponential Backoff
//! And Jitter", AWS Architecture Blog, 2015: of the variants measured there it needs the fewest calls.

use std::time::Duration;

/// Limits of the random delays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    base: Duration,
    max: Duration,
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("is less than the base delay: {max_ms} ms, base {base_ms} ms")]
pub struct BackoffError {
    base_ms: u128,
    max_ms: u128,
}

impl Backoff {
    /// `base` limits the first delay, `max` every delay.
    pub fn try_new(base: Duration, max: Duration) -> Result<Self, BackoffError> {
        if max < base {
            return Err(BackoffError { base_ms: base.as_millis(), max_ms: max.as_millis() });
        }
        Ok(Self { base, max })
    }

    /// The delay after failed attempt number `attempt` (from 1); `jitter` is any random number.
    pub fn delay(&self, attempt: u32, jitter: u64) -> Duration {
        let doublings = attempt.saturating_sub(1).min(31);
        let bound = self.base.saturating_mul(1 << doublings).min(self.max);
        let bound_us = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX).max(1);
        Duration::from_micros(jitter % bound_us)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn backoff() -> Backoff {
        Backoff::try_new(Duration::from_millis(500), Duration::from_secs(20)).unwrap()
    }

    #[test]
    fn a_bound_below_the_base_is_refused() {
        assert!(Backoff::try_new(Duration::from_secs(2), Duration::from_secs(1)).is_err());
    }

    #[test]
    fn the_bound_doubles_up_to_the_maximum() {
        for (attempt, bound_ms) in
            [(1, 500), (2, 1000), (3, 2000), (6, 16_000), (7, 20_000), (4_000_000, 20_000)]
        {
            let bound = Duration::from_millis(bound_ms);
            let most = backoff().delay(attempt, u64::try_from(bound.as_micros()).unwrap() - 1);
            assert_eq!(most, bound.checked_sub(Duration::from_micros(1)).unwrap(), "attempt {attempt}");
        }
    }

    proptest! {
        #[test]
        fn no_wait_exceeds_the_maximum(attempt: u32, jitter: u64) {
            prop_assert!(backoff().delay(attempt, jitter) < Duration::from_secs(20));
        }
    }
}
