//! A run that an operator has stopped.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{RunState, Status};

/// An order to stop a run.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cancelled {
    /// Who gave it: the email address of the caller's token, or `operator`.
    pub by: String,
    pub at: DateTime<Utc>,
    pub reason: String,
}

impl Cancelled {
    /// The order, for people.
    pub fn words(&self) -> String {
        format!("cancelled by {}: {}", self.by, self.reason)
    }
}

impl RunState {
    /// Ends a judged run as the order says. One that has nothing left to do stays what it is: the order came too late.
    pub fn end_by(&mut self, order: Option<Cancelled>) {
        self.cancelled = order.filter(|_| matches!(self.status, Status::Failed | Status::Cancelled));
        if let Some(order) = &self.cancelled {
            self.status = Status::Cancelled;
            self.stopped = Some(order.words());
            self.publish_wait_ms = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::tests::{failure, state, work};

    fn order() -> Cancelled {
        let at = "2026-11-23T23:00:00Z".parse().unwrap();
        Cancelled { by: "ann@example.com".into(), at, reason: "wrong key".into() }
    }

    fn ended(run: RunState) -> RunState {
        let mut run = RunState { status: run.judge(), ..run };
        run.end_by(Some(order()));
        run
    }

    #[test]
    fn what_is_left_or_came_to_nothing_ends_by_the_order() {
        let left = ended(RunState {
            pending: vec![work("/a", &["A"])],
            stopped: Some("the deadline is near".into()),
            publish_wait_ms: Some(900_000),
            ..state()
        });
        assert_eq!(
            (left.status, left.publish_wait_ms, left.cancelled.clone()),
            (Status::Cancelled, None, Some(order()))
        );
        assert_eq!(left.stopped.as_deref(), Some("cancelled by ann@example.com: wrong key"));
        assert_eq!(
            left.message(),
            "cancelled by ann@example.com: wrong key; 2 of 3 tickers processed, 0 records stored; 1 ticker is left"
        );
        let nothing =
            ended(RunState { shortfalls: ["A", "B", "C"].map(|t| failure("/a", t)).to_vec(), ..state() });
        assert_eq!(nothing.status, Status::Cancelled, "the scheduler must not come again");
    }

    #[test]
    fn an_order_that_came_too_late_changes_nothing() {
        let done = ended(state());
        assert_eq!((done.status, done.cancelled, done.stopped), (Status::Succeeded, None, None));
    }

    #[test]
    fn a_run_that_goes_on_is_no_longer_cancelled() {
        let mut run = ended(RunState { pending: vec![work("/a", &["A"])], ..state() });
        run.resume("2026-11-24T00:00:00Z".parse().unwrap());
        assert_eq!(
            (run.status, run.cancelled, run.stopped, run.pending.len()),
            (Status::Running, None, None, 1)
        );
    }
}
