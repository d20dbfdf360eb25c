//! What becomes of the tickers of which an answer tells an error.

use std::time::Duration;

use super::queue::{Batch, Origin};
use crate::job::{Provider, Ticker, Trouble};

/// Tickers of one kind of trouble, with the first one's words.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Troubled {
    pub tickers: Vec<Ticker>,
    pub reason: String,
}

/// The complaints of an answer about the tickers of a batch, by what follows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Complaints {
    /// Failed for good.
    pub failed: Vec<(Ticker, String)>,
    /// To be asked again when the provider's limit allows it, and how long that takes.
    pub limited: Troubled,
    pub window: Duration,
    /// To be tried again.
    pub transient: Troubled,
    /// To be asked once more.
    pub unclear: Vec<Ticker>,
}

impl Troubled {
    fn add(&mut self, ticker: Ticker, reason: String) {
        if self.tickers.is_empty() {
            self.reason = reason;
        }
        self.tickers.push(ticker);
    }
}

impl Complaints {
    /// Sorts the complaints. An error that nobody understands counts where the ticker was asked for once more already.
    pub(super) fn sort(provider: Provider, complaints: Vec<(Ticker, String)>, batch: &Batch) -> Self {
        let is_last_word = batch.origin == Origin::OnceMore;
        let mut sorted = Self::default();
        let mut unclear = Vec::new();
        for (ticker, reason) in complaints {
            // Asked for parts only, the others were answered before.
            let trouble = if batch.parts.is_empty() {
                provider.trouble(&reason)
            } else {
                provider.trouble_of_part(&reason)
            };
            match trouble {
                Trouble::Limited(window) => {
                    sorted.window = sorted.window.max(window);
                    sorted.limited.add(ticker, reason);
                }
                Trouble::Transient => sorted.transient.add(ticker, reason),
                Trouble::Permanent => sorted.failed.push((ticker, reason)),
                Trouble::Unknown if is_last_word => sorted.failed.push((ticker, reason)),
                Trouble::Unknown => unclear.push(ticker),
            }
        }
        sorted.unclear = unclear;
        sorted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(words: &[&str]) -> Vec<(Ticker, String)> {
        let ticker = |place: usize| Ticker::parse(&format!("T{place}")).unwrap();
        words.iter().enumerate().map(|(place, words)| (ticker(place), (*words).to_owned())).collect()
    }

    fn batch(tickers: usize) -> Batch {
        let ticker = Ticker::parse("T").unwrap();
        Batch::new("/fetch", vec![ticker; tickers], 4)
    }

    fn check(words: &[&str], asked: usize, is_last_word: bool) -> [usize; 4] {
        let origin = if is_last_word { Origin::OnceMore } else { Origin::Planned };
        let batch = Batch { origin, ..batch(asked) };
        let sorted = Complaints::sort(Provider::Tiingo, complaints(words), &batch);
        [
            sorted.failed.len(),
            sorted.limited.tickers.len(),
            sorted.transient.tickers.len(),
            sorted.unclear.len(),
        ]
    }

    #[test]
    fn every_complaint_has_one_consequence() {
        let words = ["error 404: unknown", "Per-minute rate limit (50) exceeded", "Request failed: ", "odd"];
        assert_eq!(check(&words, 50, false), [1, 1, 1, 1]);
        assert_eq!(check(&words, 50, true), [2, 1, 1, 0], "asked once more already");
    }

    #[test]
    fn the_longest_window_counts() {
        let words = ["Per-minute rate limit (5) exceeded", "Daily rate limit (500) exceeded"];
        let sorted = Complaints::sort(Provider::AlphaVantage, complaints(&words), &batch(2));
        assert_eq!((sorted.window.as_secs(), sorted.limited.reason.as_str()), (3600, words[0]));
    }
}
