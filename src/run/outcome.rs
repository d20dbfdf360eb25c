//! The outcome of each ticker at each endpoint.

use serde::{Deserialize, Serialize};

use super::RunState;
use crate::catalogue::Ticker;

/// The state of the work on one ticker at one endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The provider answered, and its data is stored.
    Stored,
    /// It failed permanently.
    Failed,
    /// It is not finished yet.
    Pending,
}

/// Tickers whose work at an endpoint is done. Empty if the endpoint takes no tickers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    pub endpoint: String,
    pub outcome: Outcome,
    pub tickers: Vec<Ticker>,
}

impl Done {
    /// Number of units of work that it represents.
    pub fn units(&self) -> usize {
        self.tickers.len().max(1)
    }
}

impl RunState {
    /// Records the outcome of an endpoint's tickers, or of the endpoint itself if it takes none.
    pub fn settle(&mut self, endpoint: &str, tickers: Vec<Ticker>, outcome: Outcome) {
        let same = |done: &&mut Done| {
            let knows_tickers = done.tickers.is_empty() == tickers.is_empty();
            done.endpoint == endpoint && done.outcome == outcome && knows_tickers
        };
        match self.done.iter_mut().find(same) {
            Some(done) => done.tickers.extend(tickers),
            None => self.done.push(Done { endpoint: endpoint.to_owned(), outcome, tickers }),
        }
    }

    /// Every planned unit of work with its outcome: endpoint, and ticker if the endpoint takes tickers.
    pub fn outcomes(&self) -> impl Iterator<Item = (&str, Option<&Ticker>, Outcome)> {
        let done = self.done.iter().flat_map(|done| units(&done.endpoint, &done.tickers, done.outcome));
        let failed = self
            .failed
            .iter()
            .map(|failure| (failure.endpoint.as_str(), failure.ticker.as_ref(), Outcome::Failed));
        let pending =
            self.pending.iter().flat_map(|work| units(&work.endpoint, &work.tickers, Outcome::Pending));
        done.chain(failed).chain(pending)
    }
}

/// One item per ticker; a single item if there are none.
fn units<'a>(
    endpoint: &'a str,
    tickers: &'a [Ticker],
    outcome: Outcome,
) -> impl Iterator<Item = (&'a str, Option<&'a Ticker>, Outcome)> {
    let alone = tickers.is_empty().then_some(None);
    tickers.iter().map(Some).chain(alone).map(move |ticker| (endpoint, ticker, outcome))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::tests::{failure, state, work};

    #[test]
    fn every_unit_of_work_has_one_outcome() {
        let mut run = state();
        run.settle("/a", work("/a", &["A"]).tickers, Outcome::Stored);
        run.settle("/a", work("/a", &["B"]).tickers, Outcome::Stored);
        run.settle("/c", Vec::new(), Outcome::Stored);
        run.failed = vec![failure("/a", "C")];
        run.pending = vec![work("/b", &["A", "B"]), work("/d", &[])];
        let told: Vec<_> = run
            .outcomes()
            .map(|(endpoint, ticker, outcome)| (endpoint, ticker.map_or("", Ticker::as_str), outcome))
            .collect();
        let expect = [
            ("/a", "A", Outcome::Stored),
            ("/a", "B", Outcome::Stored),
            ("/c", "", Outcome::Stored),
            ("/a", "C", Outcome::Failed),
            ("/b", "A", Outcome::Pending),
            ("/b", "B", Outcome::Pending),
            ("/d", "", Outcome::Pending),
        ];
        assert_eq!(told, expect);
    }

    #[test]
    fn a_ticker_is_processed_when_every_endpoint_has_stored_it() {
        let mut run = RunState { planned: false, ..state() };
        run.plan(vec![work("/a", &["A", "B", "C"]), work("/b", &["A", "B", "C"])], 3);
        assert_eq!(run.tickers_processed(), 0);
        run.pending = vec![work("/b", &["B"])];
        run.settle("/a", work("/a", &["A", "B", "C"]).tickers, Outcome::Stored);
        run.settle("/b", work("/b", &["A"]).tickers, Outcome::Stored);
        run.failed = vec![failure("/b", "C")];
        assert_eq!((run.imbalance(), run.tickers_processed()), (None, 1));
    }
}
