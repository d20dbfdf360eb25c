//! Whether calls fail because the provider is down or because of single tickers in them.
//!
//! A call with fifty tickers fails if one of them makes the service fail, so failed calls alone say nothing about the
//! provider. When enough have failed for the breaker's window, the run pauses to request single, randomly chosen tickers:
//!
//! ```text
//!   working ──window is full of failures──▶ in doubt ──one is answered──▶ working
//!                                              │
//!                                              ├─ CHECKS_MAX different ones fail ──▶ down: the breaker opens
//!                                              └─ there are fewer, and all fail  ──▶ unclear: try again later
//! ```
//!
//! A ticker that was answered before is requested first: it settles the question with one call.

use std::collections::BTreeSet;

use super::breaker::{BreakerConfig, Window};
use crate::catalogue::Ticker;

/// Single tickers that must fail before the provider counts as down. With one bad ticker in ten, five chosen at random
/// are all bad once in 100,000 times.
pub const CHECKS_MAX: usize = 5;

/// What is known about one endpoint of a provider.
#[derive(Clone, Debug, Default)]
pub struct Diagnosis {
    window: Window,
    /// Failed calls since the last response.
    failures_in_row: u32,
    /// Tickers that have failed alone since the doubt arose; none while there is no doubt.
    checked: Option<BTreeSet<Ticker>>,
}

/// What follows from a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Continue.
    Working,
    /// Request single tickers.
    InDoubt,
    /// The provider is down.
    Down,
}

impl Diagnosis {
    /// Starts with what earlier attempts have seen: consecutive failed calls up to now.
    pub fn new(failures_before: u32, config: &BreakerConfig) -> Self {
        let mut diagnosis = Self { failures_in_row: failures_before, ..Self::default() };
        let seen = usize::try_from(failures_before).unwrap_or(usize::MAX).min(config.window);
        if (0..seen).filter(|_| diagnosis.window.record(true, config)).count() > 0 {
            diagnosis.checked = Some(BTreeSet::new());
        }
        diagnosis
    }

    /// The provider has answered.
    pub fn answered(&mut self, config: &BreakerConfig) {
        if self.checked.take().is_some() {
            self.window.clear();
        }
        self.window.record(false, config);
        self.failures_in_row = 0;
    }

    /// A call has failed; `alone` is its ticker if it had only one. A call without tickers leaves no doubt.
    pub fn failed(&mut self, tickers: &[Ticker], config: &BreakerConfig) -> Verdict {
        self.failures_in_row = self.failures_in_row.saturating_add(1);
        let full = self.window.record(true, config);
        match (&mut self.checked, tickers) {
            (None, []) if full => Verdict::Down,
            (Some(_), []) => Verdict::Down,
            (None, _) if full => {
                self.checked = Some(BTreeSet::new());
                Verdict::InDoubt
            }
            (None, _) => Verdict::Working,
            (Some(checked), [alone]) => {
                checked.insert(alone.clone());
                if checked.len() >= CHECKS_MAX { Verdict::Down } else { Verdict::InDoubt }
            }
            // Sent before the doubt arose.
            (Some(_), _) => Verdict::InDoubt,
        }
    }

    pub fn is_in_doubt(&self) -> bool {
        self.checked.is_some()
    }

    /// Whether requesting this ticker again would not show whether the provider is up.
    pub fn has_checked(&self, ticker: &Ticker) -> bool {
        self.checked.as_ref().is_some_and(|checked| checked.contains(ticker))
    }

    /// Single tickers that have failed since the doubt arose.
    pub fn checked(&self) -> usize {
        self.checked.as_ref().map_or(0, BTreeSet::len)
    }

    /// Puts the endpoint in doubt, whatever was seen: its breaker is half-open.
    pub fn doubt(&mut self) {
        self.checked.get_or_insert_default();
    }

    /// Failed calls since the last response, across all attempts and instances.
    pub fn failures_in_row(&self) -> u32 {
        self.failures_in_row
    }

    /// The breaker has opened or closed: what was seen before no longer counts.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const CONFIG: BreakerConfig = BreakerConfig {
        window: 20,
        min_calls: 10,
        failure_percent: 50,
        open: Duration::from_secs(60),
        open_max: Duration::from_secs(600),
    };

    fn tickers(numbers: std::ops::Range<usize>) -> Vec<Ticker> {
        numbers.map(|n| Ticker::parse(&format!("T{n}")).unwrap()).collect()
    }

    fn in_doubt() -> Diagnosis {
        let mut diagnosis = Diagnosis::default();
        let verdicts: Vec<_> = (0..10).map(|_| diagnosis.failed(&tickers(0..50), &CONFIG)).collect();
        assert_eq!(verdicts[8..], [Verdict::Working, Verdict::InDoubt]);
        diagnosis
    }

    #[test]
    fn five_single_tickers_that_fail_show_a_provider_that_is_down() {
        let mut diagnosis = in_doubt();
        let verdicts: Vec<_> = (0..5).map(|n| diagnosis.failed(&tickers(n..n + 1), &CONFIG)).collect();
        assert_eq!(verdicts.iter().position(|verdict| *verdict == Verdict::Down), Some(4));
    }

    #[test]
    fn the_same_ticker_again_proves_nothing() {
        let mut diagnosis = in_doubt();
        assert!((0..50).all(|_| diagnosis.failed(&tickers(0..1), &CONFIG) == Verdict::InDoubt));
    }

    #[test]
    fn one_answer_ends_the_doubt_and_the_count_starts_anew() {
        let mut diagnosis = in_doubt();
        diagnosis.failed(&tickers(0..1), &CONFIG);
        diagnosis.answered(&CONFIG);
        assert!(!diagnosis.is_in_doubt());
        assert_eq!(diagnosis.failures_in_row(), 0);
        assert_eq!(diagnosis.failed(&tickers(0..50), &CONFIG), Verdict::Working);
    }

    #[test]
    fn what_earlier_attempts_saw_is_where_the_next_one_starts() {
        assert!(!Diagnosis::new(9, &CONFIG).is_in_doubt());
        let diagnosis = Diagnosis::new(10, &CONFIG);
        assert!(diagnosis.is_in_doubt());
        assert_eq!(diagnosis.failures_in_row(), 10);
        assert!(Diagnosis::new(u32::MAX, &CONFIG).is_in_doubt());
    }

    #[test]
    fn calls_without_tickers_are_no_riddle() {
        let mut diagnosis = Diagnosis::default();
        let verdicts: Vec<_> = (0..10).map(|_| diagnosis.failed(&[], &CONFIG)).collect();
        assert_eq!(verdicts[8..], [Verdict::Working, Verdict::Down]);
    }
}
