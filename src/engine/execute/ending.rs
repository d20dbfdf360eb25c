//! How an attempt ends, and what it leaves behind.

use std::time::Duration;

use super::calls::Purpose;
use super::lane::{DEFERRALS_MAX, Lane};
use super::reply::Fault;
use super::{Executed, Execution};
use crate::base::ports::millis;
use crate::provider::breakers::Trend;
use crate::resilience::class::Class;
use crate::run::Work;
use crate::run::stop::StopReason;

/// A call that was cut off after this long is made smaller in the next attempt.
const LONG_CALL: Duration = Duration::from_secs(60);

/// Why work is left whose documents are stored.
const NOT_COVERED: &str = "the attempt ended before the coverage was recorded";

impl Execution<'_> {
    /// Ends the attempt: unfinished work becomes pending.
    pub(super) async fn finish(mut self) -> Executed {
        let cut = self.must_cut();
        if self.lease.is_saving() && self.stop != Some(StopReason::Lost) {
            // The fence is unknown until the write in flight has completed.
            let saved = self.lease.saved().await;
            self.on_saved(saved);
        }
        if cut && self.stop.is_none() {
            self.stop = Some(StopReason::Deadline);
        }
        self.defer_cut(cut);
        for delivered in self.writer.abandon("the request ran out of time before it was stored") {
            self.note_delivered(delivered);
        }
        if self.stop != Some(StopReason::Lost) {
            self.cover_at_last().await;
        }
        for delivery in self.backlog.deliveries.uncovered() {
            let reason = Some(NOT_COVERED.to_owned());
            if let Some(work) = delivery.work {
                self.backlog.defer_work(Work { reason, ..work });
            }
        }
        self.state.pending = self.backlog.pending(self.calls.work());
        self.state.attempt.resources.waits_ms.limit += millis(self.writer.held());
        let stop = self.stop.take().or_else(|| self.held());
        let trend = |lane: &Lane| Trend {
            endpoint: lane.endpoint,
            answered: lane.answered > 0,
            failures: lane.failures,
        };
        let trends = self.lanes.iter().map(trend).collect();
        Executed { state: self.state, fence: self.lease.into_fence(), stop, trends }
    }

    /// Batches that were in flight for long without a response get smaller next time; suspects stay suspects.
    fn defer_cut(&mut self, cut: bool) {
        let now = self.engine.world.clock.instant();
        let long = (self.engine.settings.run.deadline / 3).min(LONG_CALL);
        for call in self.calls.cut() {
            let took = now.since(call.started);
            let took_long = cut && took >= long;
            let Purpose { endpoint, work, .. } = call.purpose;
            let answers = self.lane(endpoint).is_some_and(|lane| lane.answered > 0);
            let Some(work) = work else { continue };
            if took_long && answers && work.tickers.len() == 1 && work.deferrals >= DEFERRALS_MAX {
                // No response in several attempts in which others were answered.
                let fault = Fault::new(Class::Timeout, format!("no response within {} s", took.as_secs()));
                self.fail_tickers(&work.tickers, endpoint, work.window, &fault);
            } else {
                self.backlog.defer_work(Work { deferrals: work.deferrals + u32::from(took_long), ..work });
            }
        }
        self.backlog.defer_suspects();
    }

    /// Why endpoints were left to a later attempt: the reason of the endpoint that may be called again first.
    fn held(&self) -> Option<StopReason> {
        let held = self.lanes.iter().filter_map(Lane::held);
        let first = held.min_by_key(|held| held.retry_after)?;
        let (retry_after, reason) = (first.retry_after, first.reason.clone());
        Some(if first.is_breaker {
            StopReason::Breaker { retry_after, reason }
        } else {
            StopReason::Unanswered { retry_after, reason }
        })
    }
}
