//! The outcome of each ticker at each endpoint.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{RunState, Window};
use crate::catalogue::Ticker;
use crate::resilience::class::Class;

/// What became of one ticker at one endpoint.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The provider answered, and its data is stored.
    Stored,
    /// The provider answered, and its data was stored before.
    Unchanged,
    /// The provider answered and had nothing, though the dataset expects something.
    Empty,
    /// The newest record is older than it must be.
    Stale,
    /// The provider reported an error, or every record was rejected.
    #[default]
    Failed,
    /// It was not requested, because the provider's quota is used up.
    Deferred,
    /// It is not finished yet.
    Pending,
}

impl Outcome {
    /// The outcomes of work that is over without the data that was expected.
    pub const SHORTFALLS: [Self; 4] = [Self::Failed, Self::Empty, Self::Stale, Self::Deferred];
    pub const ALL: [Self; 7] = [
        Self::Stored,
        Self::Unchanged,
        Self::Empty,
        Self::Stale,
        Self::Failed,
        Self::Deferred,
        Self::Pending,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Unchanged => "unchanged",
            Self::Empty => "empty",
            Self::Stale => "stale",
            Self::Failed => "failed",
            Self::Deferred => "deferred",
            Self::Pending => "pending",
        }
    }

    /// Whether the provider answered, but not with what the dataset expects.
    pub fn is_lacking(self) -> bool {
        matches!(self, Self::Empty | Self::Stale)
    }
}

/// A ticker whose work at one endpoint is over without the data that was expected.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortfall {
    /// Null if the endpoint takes no tickers.
    pub ticker: Option<Ticker>,
    pub endpoint: String,
    /// The days that were requested; absent for what the endpoint sends by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// One of [`Outcome::SHORTFALLS`].
    #[serde(default, skip_serializing_if = "is_failed")]
    pub outcome: Outcome,
    /// Kind of failure; null if a successful response reported it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<Class>,
    /// Why: for a failure, the provider's error message.
    pub reason: String,
}

impl Shortfall {
    /// Whether the service ignored the days that were requested.
    pub fn has_ignored_window(&self) -> bool {
        self.outcome == Outcome::Failed && self.window.is_some() && self.class == Some(Class::Malformed)
    }

    /// Whether records of it are stored nevertheless.
    pub fn has_records(&self) -> bool {
        self.outcome == Outcome::Stale || self.has_ignored_window()
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_failed(outcome: &Outcome) -> bool {
    *outcome == Outcome::Failed
}

/// Tickers whose work at an endpoint is done. Empty if the endpoint takes no tickers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    pub endpoint: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
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
    pub fn settle(&mut self, endpoint: &str, window: Option<Window>, tickers: Vec<Ticker>, outcome: Outcome) {
        let same = |done: &&mut Done| {
            let knows_tickers = done.tickers.is_empty() == tickers.is_empty();
            (done.endpoint.as_str(), done.window, done.outcome) == (endpoint, window, outcome)
                && knows_tickers
        };
        match self.done.iter_mut().find(same) {
            Some(done) => done.tickers.extend(tickers),
            None => self.done.push(Done { endpoint: endpoint.to_owned(), window, outcome, tickers }),
        }
    }

    /// Counts the units of work by outcome, for metrics.
    pub fn count_outcomes(&mut self) {
        let mut counts = BTreeMap::<String, u64>::new();
        for unit in self.units() {
            if unit.outcome != Outcome::Pending {
                *counts.entry(unit.outcome.name().to_owned()).or_default() += 1;
            }
        }
        self.counts.outcomes = counts;
    }

    /// Distinct tickers whose data was stored before at every endpoint.
    pub fn tickers_unchanged(&self) -> usize {
        let mut tickers = BTreeMap::<_, bool>::new();
        for (ticker, outcome) in self.units().filter_map(|unit| Some((unit.ticker?, unit.outcome))) {
            *tickers.entry(ticker).or_insert(true) &= outcome == Outcome::Unchanged;
        }
        tickers.values().filter(|unchanged| **unchanged).count()
    }

    /// Every planned unit of work.
    pub fn units(&self) -> impl Iterator<Item = Unit<'_>> {
        let done =
            self.done.iter().flat_map(|done| units(&done.endpoint, done.window, &done.tickers, done.outcome));
        let short = self.shortfalls.iter().map(|short| Unit {
            endpoint: &short.endpoint,
            window: short.window,
            ticker: short.ticker.as_ref(),
            outcome: short.outcome,
        });
        let pending = self.pending.iter();
        let pending =
            pending.flat_map(|work| units(&work.endpoint, work.window, &work.tickers, Outcome::Pending));
        done.chain(short).chain(pending)
    }
}

/// One unit of work: a ticker at an endpoint for a window, or an endpoint that takes no tickers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit<'a> {
    pub endpoint: &'a str,
    pub window: Option<Window>,
    pub ticker: Option<&'a Ticker>,
    pub outcome: Outcome,
}

/// One unit per ticker; a single one if there are none.
fn units<'a>(
    endpoint: &'a str,
    window: Option<Window>,
    tickers: &'a [Ticker],
    outcome: Outcome,
) -> impl Iterator<Item = Unit<'a>> {
    let alone = tickers.is_empty().then_some(None);
    let tickers = tickers.iter().map(Some).chain(alone);
    tickers.map(move |ticker| Unit { endpoint, window, ticker, outcome })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::tests::{failure, state, work};

    #[test]
    fn every_unit_of_work_has_one_outcome() {
        let mut run = state();
        run.settle("/a", None, work("/a", &["A"]).tickers, Outcome::Stored);
        run.settle("/a", None, work("/a", &["B"]).tickers, Outcome::Stored);
        run.settle("/c", None, Vec::new(), Outcome::Stored);
        run.shortfalls = vec![failure("/a", "C")];
        run.pending = vec![work("/b", &["A", "B"]), work("/d", &[])];
        let told: Vec<_> = run
            .units()
            .map(|unit| (unit.endpoint, unit.ticker.map_or("", Ticker::as_str), unit.outcome))
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
    fn a_ticker_is_unchanged_if_it_is_at_every_endpoint() {
        let mut run = state();
        run.settle("/a", None, work("/a", &["A", "B", "C", "D"]).tickers, Outcome::Unchanged);
        run.settle("/b", None, work("/b", &["A"]).tickers, Outcome::Unchanged);
        run.settle("/b", None, work("/b", &["B"]).tickers, Outcome::Stored);
        run.settle("/c", None, Vec::new(), Outcome::Unchanged);
        run.shortfalls = vec![failure("/b", "C")];
        run.pending = vec![work("/b", &["D"])];
        assert_eq!(run.tickers_unchanged(), 1);
    }

    #[test]
    fn a_ticker_is_processed_when_every_endpoint_has_stored_it() {
        let mut run = RunState { planned: false, ..state() };
        run.plan(vec![work("/a", &["A", "B", "C"]), work("/b", &["A", "B", "C"])], 3);
        assert_eq!(run.tickers_processed(), 0);
        run.pending = vec![work("/b", &["B"])];
        run.settle("/a", None, work("/a", &["A", "B", "C"]).tickers, Outcome::Stored);
        run.settle("/b", None, work("/b", &["A"]).tickers, Outcome::Stored);
        run.shortfalls = vec![failure("/b", "C")];
        assert_eq!((run.imbalance(), run.tickers_processed()), (None, 1));
    }
}
