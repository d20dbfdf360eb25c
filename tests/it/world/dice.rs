//! Seeded random numbers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use orchestrator::base::ports::Entropy;

/// A random number generator (`SplitMix64`); clones share its state.
#[derive(Clone, Debug)]
pub(crate) struct Dice {
    state: Arc<Mutex<u64>>,
}

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: Arc::new(Mutex::new(seed)) }
    }

    /// A separate generator, so that one part's draws do not affect another's.
    pub(crate) fn split(&self) -> Self {
        Self::new(self.bits())
    }

    pub(crate) fn bits(&self) -> u64 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number in `0..end`; `end` must not be zero.
    pub(crate) fn below(&self, end: usize) -> usize {
        usize::try_from(self.bits() % u64::try_from(end).expect("fits")).expect("less than end")
    }

    /// A number in `low..=high`.
    pub(crate) fn between(&self, low: u64, high: u64) -> u64 {
        low + self.bits() % (high - low + 1)
    }

    /// A time in `low..=high`, both in milliseconds, to the microsecond.
    pub(crate) fn millis(&self, low: u64, high: u64) -> Duration {
        Duration::from_micros(self.between(low * 1000, high * 1000))
    }

    /// True `percent` times out of 100.
    pub(crate) fn chance(&self, percent: u64) -> bool {
        self.bits() % 100 < percent
    }

    /// One of `choices`, which must not be empty.
    pub(crate) fn pick<T: Copy>(&self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }
}

impl Entropy for Dice {
    fn next_u64(&self) -> u64 {
        self.bits()
    }
}
