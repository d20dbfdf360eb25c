//! What the scheduler, or somebody with a key, sends.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use orchestrator::catalogue::{Job, Ticker};
use orchestrator::run::trigger::tick_id;

/// One tick of the scheduler, or one manual request with a key.
#[derive(Clone, Debug)]
pub(super) struct Tick {
    pub(super) job: &'static Job,
    pub(super) at: Duration,
    /// An idempotency key, if it is not a tick.
    pub(super) key: Option<String>,
    pub(super) run_time: DateTime<Utc>,
    /// Tickers instead of the scope's.
    pub(super) tickers: Option<Vec<String>>,
    /// Further deliveries, after the first.
    pub(super) duplicates: Vec<Duration>,
    /// How long the caller waits for a response.
    pub(super) patience: Duration,
    /// Whether the request continues when the caller has hung up.
    pub(super) outlives_caller: bool,
}

impl Tick {
    /// The key under which a run's work is repeated.
    pub(super) const AGAIN: &str = "again";

    /// Whether the run with this id does the work of this tick.
    pub(super) fn is_done_by(&self, run_id: &str) -> bool {
        run_id == self.run_id() || run_id == format!("{}_key_{}", self.job.name, Self::AGAIN)
    }

    /// The id of the ledger entry.
    pub(super) fn run_id(&self) -> String {
        match &self.key {
            Some(key) => format!("{}_key_{key}", self.job.name),
            None => {
                let ticker = |symbol: &String| Ticker::parse(symbol).expect("a symbol");
                let tickers: Option<Vec<_>> =
                    self.tickers.as_ref().map(|tickers| tickers.iter().map(ticker).collect());
                tick_id(self.job, self.job.scope, tickers.as_deref(), self.run_time)
            }
        }
    }

    /// The run time sent to providers, as the component formats it.
    pub(super) fn time(&self) -> String {
        self.run_time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
    }
}
