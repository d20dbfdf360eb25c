//! The account of a run's work: all planned work is done, failed or pending.

use serde::{Deserialize, Serialize};

use super::{Done, Outcome, RunState, Shortfall, Work};

/// Counts units of work: a ticker at an endpoint, or an endpoint without tickers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub planned: usize,
    /// Work done by earlier versions, which did not record the tickers.
    #[serde(default, rename = "done")]
    pub done_unnamed: usize,
}

impl Account {
    pub(super) fn of_plan(work: &[Work]) -> Self {
        Self { planned: units(work), done_unnamed: 0 }
    }
}

impl Work {
    /// Number of units of work that it represents.
    pub fn units(&self) -> usize {
        self.tickers.len().max(1)
    }
}

fn units(work: &[Work]) -> usize {
    work.iter().map(Work::units).sum()
}

impl RunState {
    /// What is wrong if planned work has vanished, or more was done than planned; none if the totals add up.
    pub fn imbalance(&self) -> Option<String> {
        let Account { planned, done_unnamed } = self.account?;
        let done = done_unnamed + self.done.iter().map(Done::units).sum::<usize>();
        let (short, pending) = (self.shortfalls.len(), units(&self.pending));
        (done + short + pending != planned).then(|| {
            format!(
                "the run's totals do not add up: {planned} units of work planned, but {done} done, \
                 {short} failed, empty, stale or deferred, {pending} pending; this is a bug in the service: run the job again"
            )
        })
    }

    /// Ensures that a run whose totals do not add up is not a success, whatever else it says.
    pub fn balance(&mut self) {
        if let Some(imbalance) = self.imbalance() {
            self.stopped.get_or_insert(imbalance);
        }
    }

    /// Fails work for an endpoint that the job does not have: left by another version of this service.
    /// Such tickers are reported with the reason.
    pub fn fail_unknown(&mut self, endpoints: &[&str]) {
        let is_unknown = |work: &mut Work| !endpoints.contains(&work.endpoint.as_str());
        let unknown: Vec<_> = self.pending.extract_if(.., is_unknown).collect();
        for work in unknown {
            let reason = format!(
                "{} has no endpoint {} in version {} of this service",
                self.job,
                work.endpoint,
                env!("CARGO_PKG_VERSION")
            );
            let failure = |ticker| Shortfall {
                ticker,
                endpoint: work.endpoint.clone(),
                window: work.window,
                outcome: Outcome::Failed,
                class: None,
                reason: reason.clone(),
            };
            if work.tickers.is_empty() {
                self.shortfalls.push(failure(None));
            }
            self.shortfalls.extend(work.tickers.iter().cloned().map(|ticker| failure(Some(ticker))));
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::run::tests::{failure, state, work};
    use crate::run::{Outcome, RunState, Status};

    fn planned() -> RunState {
        let mut run = RunState { planned: false, ..state() };
        run.plan(vec![work("/a", &["A", "B", "C"]), work("/b", &["A", "B", "C"]), work("/c", &[])], 3);
        run
    }

    #[test]
    fn what_is_planned_is_done_failed_or_pending() {
        let mut run = planned();
        assert_eq!(run.imbalance(), None);
        run.pending.remove(0);
        assert!(run.imbalance().is_some());
        run.settle("/a", None, work("/a", &["A", "B"]).tickers, Outcome::Stored);
        run.shortfalls.push(failure("/a", "C"));
        assert_eq!(run.imbalance(), None);
    }

    #[test]
    fn work_that_has_vanished_is_no_success() {
        let mut run = planned();
        run.pending.clear();
        run.balance();
        assert_eq!(run.judge(), Status::Failed);
        let words = run.stopped.unwrap();
        assert!(
            words.contains(
                "7 units of work planned, but 0 done, 0 failed, empty, stale or deferred, 0 pending"
            ),
            "{words}"
        );
    }

    #[test]
    fn trying_again_what_failed_keeps_the_account() {
        let mut run = planned();
        run.settle("/a", None, work("/a", &["B", "C"]).tickers, Outcome::Stored);
        run.settle("/b", None, work("/b", &["B", "C"]).tickers, Outcome::Stored);
        run.settle("/c", None, Vec::new(), Outcome::Stored);
        run.pending.clear();
        run.shortfalls = vec![failure("/a", "A"), failure("/b", "A")];
        assert_eq!(run.imbalance(), None);
        run.resume(chrono::DateTime::UNIX_EPOCH);
        assert_eq!((run.imbalance(), run.shortfalls.len(), run.pending.len()), (None, 0, 2));
    }

    #[test]
    fn an_entry_of_a_version_without_accounts_has_none_to_add_up() {
        assert_eq!(
            RunState { pending: vec![], shortfalls: vec![failure("/a", "A")], ..state() }.imbalance(),
            None
        );
    }

    #[test]
    fn an_entry_of_a_version_that_kept_no_outcomes_is_continued() {
        let mut run = planned();
        run.pending = vec![work("/a", &["B", "C"]), work("/b", &["B", "C"]), work("/c", &[])];
        let mut stored = serde_json::to_value(&run).unwrap();
        stored.as_object_mut().unwrap().remove("done");
        stored["account"] = serde_json::json!({"planned": 7, "done": 2});
        let mut run: RunState = serde_json::from_value(stored).unwrap();
        assert_eq!((run.imbalance(), run.tickers_processed()), (None, 1));
        run.pending.truncate(2);
        run.settle("/c", None, Vec::new(), Outcome::Stored);
        assert_eq!((run.imbalance(), run.tickers_processed()), (None, 1));
    }

    #[test]
    fn work_of_an_unknown_endpoint_fails_by_name() {
        let mut run = planned();
        run.pending.push(work("/old", &[]));
        run.account.as_mut().unwrap().planned += 1;
        run.fail_unknown(&["/a", "/c"]);
        assert_eq!(run.imbalance(), None);
        let told: Vec<_> = run.shortfalls.iter().map(|f| (f.endpoint.as_str(), f.ticker.is_some())).collect();
        assert_eq!(told, [("/b", true), ("/b", true), ("/b", true), ("/old", false)]);
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            run.shortfalls[0].reason,
            format!("tiingo-daily-prices has no endpoint /b in version {version} of this service")
        );
    }
}
