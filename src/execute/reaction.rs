//! How the loop handles a response.

use std::collections::BTreeMap;

use super::Execution;
use super::call::{Called, Fault};
use super::complaints::Complaints;
use super::lane::Lane;
use super::queue::{Batch, Origin};
use super::steps::Step;
use super::stop::Stop;
use super::storing::Group;
use crate::firestore::Write;
use crate::job::{Ticker, Trouble};
use crate::ledger::{Fence, SaveError};
use crate::persist::rejected::{self, Origin as RejectedOrigin};
use crate::ports::Instant;
use crate::provider::answer::{Harvest, Partly};
use crate::resilience::class::Class;
use crate::run::counts::CALL_BOUNDS_MS;

/// This many unrecognized errors in one response are not about single tickers, if they are most of it.
const MANY: usize = 5;

impl Execution<'_> {
    pub(super) fn on_called(&mut self, called: Called) {
        self.calling.retain(|flight| flight.number != called.number);
        let read = called.read(self.app, &self.run);
        self.log_call(&called, &read);
        self.count_call(&called, &read);
        let raw_log = called.raw_log(self.app, &self.run, &read);
        match read {
            Ok(harvest) if called.batch.is_control() => {
                self.push_alone(&raw_log);
                self.on_control(&called, harvest);
            }
            Ok(harvest) => self.on_harvest(&called, harvest, raw_log),
            Err(fault) => {
                self.push_alone(&raw_log);
                self.on_fault(called, fault);
            }
        }
    }

    /// A response for the control ticker shows that the provider is up, unless it reports a limit or a failure of the
    /// provider itself: the services put both into a successful response.
    fn on_control(&mut self, called: &Called, harvest: Harvest) {
        let complaints = Complaints::sort(self.run.provider(), harvest.failed, &called.batch);
        // This ticker had data before: if it has none now, the limit is exhausted.
        let limited = [&complaints.limited, &complaints.nothing];
        if let Some(limited) = limited.into_iter().find(|limited| !limited.tickers.is_empty()) {
            let renewal = self.limit_pause(limited.window);
            self.on_limited(called.number, Some(renewal), &limited.reason);
        } else if complaints.transient.tickers.is_empty() {
            self.on_answered(called, called.batch.tickers.first().cloned());
        } else {
            self.on_failed(called, &Fault::new(Class::Unavailable, complaints.transient.reason));
        }
    }

    fn count_call(&mut self, called: &Called, read: &Result<Harvest, Fault>) {
        let counts = &mut self.state.counts;
        *counts.classes.entry(class_name(read).to_owned()).or_default() += 1;
        counts.latency.observe(CALL_BOUNDS_MS, called.latency_ms());
        // Without a token nothing was sent, and an exhausted limit is not a failure: neither says how healthy the provider is.
        if read.as_ref().is_err_and(|fault| matches!(fault.class, Class::Token | Class::RateLimited)) {
            return;
        }
        let error = read.as_ref().err().map(|fault| fault.words.as_str());
        self.app.connections.ended(self.run.provider(), error, self.app.world.clock.now());
    }

    fn log_call(&self, called: &Called, read: &Result<Harvest, Fault>) {
        let (run, batch) = (&self.run, &called.batch);
        let words = read.as_ref().err().map_or("", |fault| fault.words.as_str());
        tracing::debug!(
            provider.name = run.provider().name(),
            provider.endpoint = batch.endpoint,
            call.number = called.number,
            call.attempt = batch.attempt,
            call.tickers = batch.tickers.len(),
            call.class = class_name(read),
            duration_ms = called.latency_ms(),
            words,
            "provider call"
        );
    }

    /// Processes a response: settled tickers are stored, the rest is requested again.
    fn on_harvest(&mut self, called: &Called, mut harvest: Harvest, raw_log: Vec<Write>) {
        let batch = &called.batch;
        let provider = self.run.provider();
        let failed = std::mem::take(&mut harvest.failed);
        let complaints = Complaints::sort(provider, failed, batch);
        let mut settled = harvest.succeeded.clone();
        settled.extend(complaints.failed.iter().map(|(ticker, _)| ticker.clone()));
        let is_answer = batch.tickers.is_empty()
            || !settled.is_empty()
            || !harvest.partly.is_empty()
            || !complaints.unclear.is_empty();
        if is_answer {
            self.on_answered(called, harvest.succeeded.first().cloned());
        }
        for Partly { ticker, parts, words } in std::mem::take(&mut harvest.partly) {
            let rest = Batch { parts, ..batch.of(vec![ticker]) };
            match provider.trouble_of_part(&words) {
                Trouble::Limited(window) => {
                    self.on_limited(called.number, Some(self.limit_pause(window)), &words);
                    self.ask_again(&rest, rest.tickers.clone(), &words, false);
                }
                _ => self.ask_again(&rest, rest.tickers.clone(), &words, true),
            }
        }
        if !complaints.limited.tickers.is_empty() {
            let renewal = self.limit_pause(complaints.limited.window);
            self.on_limited(called.number, Some(renewal), &complaints.limited.reason);
        } else if !is_answer && complaints.nothing.tickers.is_empty() {
            let words = complaints.transient.reason.clone();
            let fault = Fault { class: Class::Unavailable, words, retry_after: None, named: Vec::new() };
            self.on_failed(called, &fault);
        }
        let asks_again = settled.len() < batch.tickers.len();
        let work = batch.tickers.is_empty() || !settled.is_empty();
        let work = work.then(|| batch.of(settled).into_work(None));
        self.ask_again(batch, complaints.limited.tickers, &complaints.limited.reason, false);
        self.ask_again(batch, complaints.transient.tickers, &complaints.transient.reason, true);
        self.ask_once_more(batch, complaints.unclear);
        self.on_nothing(called, complaints.nothing);
        self.store(called, harvest, complaints.failed, work, raw_log, asks_again);
    }

    /// Queues tickers again that a response said nothing about; not forever if that `counts` as an attempt.
    pub(super) fn ask_again(&mut self, batch: &Batch, tickers: Vec<Ticker>, reason: &str, counts: bool) {
        if tickers.is_empty() {
            return;
        }
        let mut again = batch.of(tickers);
        if self.is_held(batch.endpoint) || self.stop.is_some() {
            self.put_off.push(again.into_work(Some(reason.to_owned())));
        } else if !counts {
            again.attempt = again.attempt.saturating_sub(1);
            // Others first: a ticker that hits a limit each time must not keep them waiting.
            self.queue.push(again);
        } else if again.attempt < self.app.config.call.max_attempts {
            let jitter = self.app.world.entropy.next_u64();
            let wait = self.app.config.call.backoff.delay(again.attempt, jitter);
            self.queue.retry(again, self.app.world.clock.instant() + wait);
        } else {
            self.postpone(again, Class::Unavailable, reason);
        }
    }

    /// An unrecognized error may be bad luck: each ticker is requested once more, alone. If most of the batch is affected,
    /// all are requested once more together: it is not about single tickers, and calls are expensive.
    fn ask_once_more(&mut self, batch: &Batch, tickers: Vec<Ticker>) {
        let together = tickers.len() >= MANY && tickers.len() * 2 > batch.tickers.len();
        let pieces: Vec<Vec<Ticker>> =
            if together { vec![tickers] } else { tickers.into_iter().map(|ticker| vec![ticker]).collect() };
        for tickers in pieces {
            let again = Batch { attempt: 0, origin: Origin::OnceMore, ..batch.of(tickers) };
            let again = Batch { attempts_max: self.app.config.call.max_attempts, ..again };
            if self.is_held(batch.endpoint) || self.stop.is_some() {
                self.put_off.push(again.into_work(None));
            } else {
                self.queue.push(again);
            }
        }
    }

    pub(super) fn is_held(&self, endpoint: &str) -> bool {
        self.lanes.iter().any(|lane| lane.endpoint == endpoint && lane.held.is_some())
    }

    pub(super) fn lane(&mut self, endpoint: &str) -> Option<&mut Lane> {
        self.lanes.iter_mut().find(|lane| lane.endpoint == endpoint)
    }

    /// The endpoint is up: every ticker that was a suspect before this call was sent is at fault.
    fn on_answered(&mut self, called: &Called, control: Option<Ticker>) {
        let config = *self.app.breakers.config();
        let endpoint = called.batch.endpoint;
        let Some(lane) = self.lane(endpoint) else { return };
        lane.answered += 1;
        lane.failures = 0;
        lane.diagnosis.answered(&config);
        lane.pace.answered(called.batch.tickers.len(), called.latency());
        if control.is_some() {
            lane.control = control;
            lane.control_failed = false;
        }
        lane.flukes += u64::from(called.batch.failed_alone.max(called.batch.attempt.saturating_sub(1)));
        let judged = lane.take_judged(called.number);
        let was_probing = std::mem::take(&mut lane.is_probing);
        let (guilty, open): (Vec<_>, Vec<_>) =
            judged.into_iter().partition(|accused| accused.is_guilty(lane));
        if let Some(control) = lane.control.clone() {
            self.state.controls.entry(endpoint.to_owned()).or_insert(control);
        }
        for accused in guilty {
            self.fail(&accused.batch.tickers, endpoint, &accused.fault);
        }
        for accused in open {
            let again = Batch { origin: Origin::Recheck, attempts_max: 1, attempt: 0, ..accused.batch };
            self.queue.push(again);
        }
        if was_probing {
            self.steps.push_back(Step::Close { endpoint });
        }
        if self.app.breakers.limit(self.run.provider()).in_row > 0 && called.number > self.limited_at {
            self.steps.push_back(Step::LimitOver);
        }
    }

    /// Hands a response's documents to the writer.
    fn store(
        &mut self,
        called: &Called,
        harvest: Harvest,
        failed: Vec<(Ticker, String)>,
        work: Option<crate::run::Work>,
        raw_log: Vec<Write>,
        asks_again: bool,
    ) {
        for remark in harvest.remarks {
            self.state.remark(remark);
        }
        let mut writes = raw_log;
        let origin = self.origin();
        let kept: Vec<Write> =
            harvest.rejected.iter().flat_map(|rejected| rejected::writes(rejected, &origin)).collect();
        let repeated = self.seen.repeated(&harvest.records);
        let kept_before: u64 = self.seen.repeated(&kept).values().sum();
        let rejected = u64::try_from(harvest.rejected.len()).unwrap_or(u64::MAX).saturating_sub(kept_before);
        let rejected = (rejected > 0).then(|| (called.collection(self.app, &self.run).to_owned(), rejected));
        if asks_again {
            self.seen.add(&harvest.records);
            self.seen.add(&kept);
        }
        writes.extend(kept);
        writes.extend(harvest.records);
        let rejected = BTreeMap::from_iter(rejected);
        let group = self.storing.open(Group { work, failed, rejected, repeated, ..Group::default() });
        self.push(group, &writes);
    }

    /// The origin noted in this run's rejected records.
    pub(super) fn origin(&self) -> RejectedOrigin<'_> {
        RejectedOrigin {
            collection: &self.app.config.collections.rejected,
            job: self.run.job,
            run_id: &self.run.run_id,
            now: self.app.world.clock.now(),
        }
    }

    /// Stores the raw log of a call that settles nothing.
    fn push_alone(&mut self, raw_log: &[Write]) {
        let group = self.storing.open(Group::default());
        self.push(group, raw_log);
    }

    pub(super) fn push(&mut self, group: u64, writes: &[Write]) {
        let database = self.app.firestore.database();
        self.writer.push(group, writes.iter().map(|write| write.encode(database)).collect());
    }

    pub(super) fn on_saved(&mut self, started: Instant, saved: Result<Fence, SaveError>) {
        self.saving = None;
        match saved {
            Ok(fence) => {
                self.fence = fence;
                self.lease_until = started + self.app.config.run.lease;
            }
            Err(SaveError::Lost) => self.stop = Some(Stop::Lost),
            // Retried with the next checkpoint; the lease limits for how long.
            Err(SaveError::Firestore(error)) => {
                tracing::warn!(run.id = self.run.run_id, %error, "checkpoint could not be written");
                self.changed = true;
            }
        }
    }
}

/// How a call ended, as metrics and the log name it.
fn class_name(read: &Result<Harvest, Fault>) -> &'static str {
    read.as_ref().err().map_or("ok", |fault| fault.class.name())
}
