//! What happens to the tickers that a response reports errors for.

use std::time::Duration;

use super::Execution;
use super::lane::{Lane, NOTHING_IN_ROW};
use super::queue::{Batch, Origin};
use super::reply::{Fault, Reply};
use super::suspects::Suspect;
use crate::catalogue::{Provider, Ticker, Trouble};
use crate::resilience::class::Class;

/// Tickers with the same kind of trouble, and the first one's message.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Troubled {
    pub tickers: Vec<Ticker>,
    pub reason: String,
    /// The longest reset time among the reported limits.
    pub window: Duration,
}

/// The errors that a response reports for a batch's tickers, grouped by what to do about them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Complaints {
    /// Failed permanently.
    pub failed: Vec<(Ticker, String)>,
    /// To be requested again when the provider's limit allows it.
    pub limited: Troubled,
    /// Either limited or without any data.
    pub nothing: Troubled,
    /// To be retried.
    pub transient: Troubled,
    /// To be requested once more.
    pub unclear: Vec<Ticker>,
}

impl Troubled {
    fn add(&mut self, ticker: Ticker, reason: String) {
        if self.tickers.is_empty() {
            self.reason = reason;
        }
        self.tickers.push(ticker);
    }

    fn add_limited(&mut self, ticker: Ticker, reason: String, window: Duration) {
        self.window = self.window.max(window);
        self.add(ticker, reason);
    }
}

impl Complaints {
    /// Sorts the complaints. An unrecognized error only counts if the ticker has already been requested once more.
    pub(super) fn sort(provider: Provider, complaints: Vec<(Ticker, String)>, batch: &Batch) -> Self {
        let is_last_word = batch.origin == Origin::OnceMore;
        let mut sorted = Self::default();
        let mut unclear = Vec::new();
        for (ticker, reason) in complaints {
            // Only parts were requested; the others were answered before.
            let trouble = if batch.parts.is_empty() {
                provider.trouble(&reason)
            } else {
                provider.trouble_of_part(&reason)
            };
            match trouble {
                Trouble::Limited(window) => sorted.limited.add_limited(ticker, reason, window),
                Trouble::Nothing(window) => sorted.nothing.add_limited(ticker, reason, window),
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

impl Execution<'_> {
    /// Tickers without any data: the next response for another ticker shows that a limit is not the reason. If there is
    /// none, a ticker that had data before is requested; without such a ticker, a few in a row count as a limit.
    pub(super) fn on_nothing(&mut self, reply: &Reply, nothing: Troubled) {
        let Troubled { tickers, reason, window } = nothing;
        let (at, endpoint) = (self.calls.started(), reply.batch.endpoint);
        let batches = tickers.into_iter().map(|ticker| reply.batch.of(vec![ticker]));
        if self.stop.is_some() || self.is_held(endpoint) {
            return batches.for_each(|batch| self.backlog.defer(batch, Some(reason.clone())));
        }
        for batch in batches {
            let fault = Fault::new(Class::RateLimited, reason.clone());
            self.backlog.suspects.add(Suspect { batch, fault, at });
        }
        let can_control = self.lane(endpoint).is_some_and(Lane::can_control);
        if can_control || self.backlog.suspects.without_data(endpoint) < NOTHING_IN_ROW {
            return;
        }
        for suspect in self.backlog.suspects.take_without_data(endpoint) {
            self.backlog.defer_work(suspect.into_work());
        }
        let renewal = self.limit_pause(window);
        self.on_limited(reply.number, Some(renewal), &reason);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(messages: &[&str]) -> Vec<(Ticker, String)> {
        let ticker = |place: usize| Ticker::parse(&format!("T{place}")).unwrap();
        messages.iter().enumerate().map(|(place, message)| (ticker(place), (*message).to_owned())).collect()
    }

    fn batch(tickers: usize) -> Batch {
        let ticker = Ticker::parse("T").unwrap();
        Batch::new("/fetch", vec![ticker; tickers], 4)
    }

    fn check(messages: &[&str], asked: usize, is_last_word: bool) -> [usize; 4] {
        let origin = if is_last_word { Origin::OnceMore } else { Origin::Planned };
        let batch = Batch { origin, ..batch(asked) };
        let sorted = Complaints::sort(Provider::parse("tiingo").unwrap(), complaints(messages), &batch);
        [
            sorted.failed.len(),
            sorted.limited.tickers.len(),
            sorted.transient.tickers.len(),
            sorted.unclear.len(),
        ]
    }

    #[test]
    fn every_complaint_has_one_consequence() {
        let messages =
            ["error 404: unknown", "Per-minute rate limit (50) exceeded", "Request failed: ", "odd"];
        assert_eq!(check(&messages, 50, false), [1, 1, 1, 1]);
        assert_eq!(check(&messages, 50, true), [2, 1, 1, 0], "asked once more already");
    }

    #[test]
    fn the_longest_window_counts() {
        let messages = ["Per-minute rate limit (5) exceeded", "Daily rate limit (500) exceeded"];
        let sorted =
            Complaints::sort(Provider::parse("alphavantage").unwrap(), complaints(&messages), &batch(2));
        assert_eq!((sorted.limited.window.as_secs(), sorted.limited.reason.as_str()), (3600, messages[0]));
    }
}
