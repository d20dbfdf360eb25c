//! How an attempt ends, and what it leaves behind.

use std::time::Duration;

use super::lane::Lane;
use super::stop::Stop;
use super::{Executed, Execution, call, failing};
use crate::breakers::Trend;
use crate::ports::millis;
use crate::resilience::class::Class;
use crate::run::{Work, merged};

/// A call that was cut off after this long is made smaller in the next attempt.
const LONG_CALL: Duration = Duration::from_secs(60);

impl Execution<'_> {
    /// Ends the attempt: whatever is not done is pending.
    pub(super) async fn finish(mut self) -> Executed {
        let cut = self.must_cut();
        if let Some(saving) = self.saving.take()
            && self.stop != Some(Stop::Lost)
        {
            // The fence is only known again once the write in flight has completed.
            let saved = saving.future.await;
            self.on_saved(saving.started, saved);
        }
        if cut && self.stop.is_none() {
            self.stop = Some(Stop::Deadline);
        }
        self.calls.clear();
        self.put_off_cut(cut);
        for settled in self.writer.abandon("the request ran out of time before it was stored") {
            self.note_settled(settled);
        }
        self.state.pending = self.pending();
        self.state.resources.waits_ms.limit += millis(self.writer.held());
        let stop = self.stop.take().or_else(|| self.held());
        let trend = |lane: &Lane| Trend {
            endpoint: lane.endpoint,
            answered: lane.answered > 0,
            failures: lane.failures,
        };
        let trends = self.lanes.iter().map(trend).collect();
        Executed { state: self.state, fence: self.fence, stop, trends }
    }

    /// Calls that were in flight for long without a response come in smaller batches next time; suspects stay suspects.
    fn put_off_cut(&mut self, cut: bool) {
        let now = self.app.world.clock.instant();
        let long = (self.app.config.run.deadline / 3).min(LONG_CALL);
        for flight in std::mem::take(&mut self.calling) {
            let took = now.since(flight.started);
            let took_long = cut && took >= long;
            let answers = self.lanes.iter().any(|lane| lane.endpoint == flight.endpoint && lane.answered > 0);
            let Some(work) = flight.work else { continue };
            if took_long && answers && work.tickers.len() == 1 && work.tries >= failing::TRIES_MAX {
                // No response in attempt after attempt in which others were answered.
                let fault =
                    call::Fault::new(Class::Timeout, format!("no response within {} s", took.as_secs()));
                self.fail(&work.tickers, flight.endpoint, &fault);
            } else {
                self.put_off.push(Work { tries: work.tries + u32::from(took_long), ..work });
            }
        }
        for lane in &mut self.lanes {
            for accused in std::mem::take(&mut lane.accused) {
                self.put_off.push(accused.batch.into_work(Some(accused.fault.words)));
            }
        }
    }

    /// Why endpoints were left to a later attempt; the reason of the one that may be called again first.
    fn held(&self) -> Option<Stop> {
        let held = self.lanes.iter().filter_map(|lane| lane.held.as_ref());
        let first = held.min_by_key(|held| held.retry_after)?;
        let (retry_after, reason) = (first.retry_after, first.reason.clone());
        Some(if first.is_breaker {
            Stop::Breaker { retry_after, reason }
        } else {
            Stop::Unanswered { retry_after, reason }
        })
    }

    /// All unfinished work.
    pub(super) fn pending(&self) -> Vec<Work> {
        let queued = self.queue.iter().map(|batch| batch.clone().into_work(None));
        let calling = self.calling.iter().filter_map(|flight| flight.work.clone());
        let put_off = self.put_off.iter().cloned();
        let accused = self.lanes.iter().flat_map(|lane| &lane.accused);
        let accused =
            accused.map(|accused| accused.batch.clone().into_work(Some(accused.fault.words.clone())));
        let all = calling.chain(self.storing.open_work()).chain(queued).chain(accused).chain(put_off);
        merged(all.collect())
    }
}
