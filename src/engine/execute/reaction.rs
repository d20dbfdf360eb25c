//! How the loop handles a response.

use std::collections::BTreeMap;

use super::Execution;
use super::complaints::Complaints;
use super::deliveries::Delivery;
use super::found::Cells;
use super::lane::{Answered, Lane};
use super::queue::{Batch, Origin};
use super::reply::{Fault, Reply};
use super::steps::Step;
use crate::calendar::new_york::to_new_york;
use crate::catalogue::{Ticker, Trouble, WindowParameters};
use crate::firestore::Write;
use crate::firestore::bulk::{Comparison, DeliveryId, Outgoing};
use crate::intake::answer::{Intake, Lacking, Partly};
use crate::intake::kind::Kind;
use crate::intake::quality;
use crate::intake::rejected::{self, Origin as RejectedOrigin};
use crate::intake::revision::RecordComparison;
use crate::resilience::class::Class;
use crate::run::counts::CALL_BOUNDS_MS;
use crate::run::{Outcome, Shortfall, StaleRecords, Work};

/// This many unrecognized errors in one response, if they are most of it, are not about single tickers.
const MANY: usize = 5;

/// What is over once a response's documents are stored.
#[derive(Default)]
pub(super) struct Settling {
    pub shortfalls: Vec<Shortfall>,
    pub work: Option<Work>,
    pub raw_log: Vec<(Kind, Write)>,
    /// Whether some of its tickers are requested again.
    pub asks_again: bool,
    /// The log ID of a stored response that is taken in once more.
    pub recalled: Option<String>,
}

impl Execution<'_> {
    pub(super) fn on_reply(&mut self, reply: Reply) {
        self.calls.land(reply.number);
        self.note_call(&reply);
        let read = reply.read(self.engine, &self.run);
        self.log_call(&reply, &read);
        self.count_call(&reply, &read);
        let raw_log = reply.raw_log(self.engine, &self.run, &read);
        match read {
            Ok(intake) if reply.batch.is_control() => {
                self.push_alone(raw_log);
                self.on_control(&reply, intake);
            }
            Ok(intake) => self.on_intake(&reply, intake, raw_log),
            Err(fault) => {
                self.push_alone(raw_log);
                self.on_fault(reply, fault);
            }
        }
    }

    /// A response for the control ticker shows that the provider is up, unless it reports a limit or a failure of the
    /// provider itself: the services put both into a successful response.
    fn on_control(&mut self, reply: &Reply, intake: Intake) {
        let complaints = Complaints::sort(self.run.provider(), intake.failed, &reply.batch);
        // This ticker had data before: if it has none now, the limit is exhausted.
        let limited = [&complaints.limited, &complaints.nothing];
        if let Some(limited) = limited.into_iter().find(|limited| !limited.tickers.is_empty()) {
            let renewal = self.limit_pause(limited.window);
            self.on_limited(reply.number, Some(renewal), &limited.reason);
        } else if complaints.transient.tickers.is_empty() {
            self.on_answered(reply, reply.batch.tickers.first().cloned());
        } else {
            self.on_failed(reply, &Fault::new(Class::Unavailable, complaints.transient.reason));
        }
    }

    fn count_call(&mut self, reply: &Reply, read: &Result<Intake, Fault>) {
        let counts = &mut self.state.counts;
        *counts.classes.entry(class_name(read).to_owned()).or_default() += 1;
        counts.latency.observe(CALL_BOUNDS_MS, reply.latency_ms());
        // Without a token nothing was sent, and an exhausted limit is not a failure: neither says how healthy the provider is.
        if read.as_ref().is_err_and(|fault| matches!(fault.class, Class::Token | Class::RateLimited)) {
            return;
        }
        let error = read.as_ref().err().map(|fault| fault.message.as_str());
        self.engine.activity.ended(self.run.provider(), error, self.engine.world.clock.now());
    }

    fn log_call(&self, reply: &Reply, read: &Result<Intake, Fault>) {
        let (run, batch) = (&self.run, &reply.batch);
        let message = read.as_ref().err().map_or("", |fault| fault.message.as_str());
        tracing::debug!(
            provider.name = run.provider().name(),
            provider.endpoint = batch.endpoint,
            call.number = reply.number,
            call.attempt = batch.attempt,
            call.tickers = batch.tickers.len(),
            call.class = class_name(read),
            duration_ms = reply.latency_ms(),
            words = message,
            "provider call"
        );
    }

    /// Processes a response: settled tickers are stored, the rest is requested again.
    fn on_intake(&mut self, reply: &Reply, mut intake: Intake, raw_log: Vec<(Kind, Write)>) {
        let batch = &reply.batch;
        let provider = self.run.provider();
        let cut = self.enlarge(batch, &mut intake);
        let failed = std::mem::take(&mut intake.failed);
        let complaints = Complaints::sort(provider, failed, batch);
        let mut settled: Vec<Ticker> = intake.answered().cloned().collect();
        settled.extend(complaints.failed.iter().map(|(ticker, _)| ticker.clone()));
        let is_answer = batch.tickers.is_empty()
            || cut.is_some()
            || !settled.is_empty()
            || !intake.partly.is_empty()
            || !complaints.unclear.is_empty();
        if is_answer {
            let has_data = |lacking: &&Lacking| lacking.outcome == Outcome::Stale;
            let stale = || intake.lacking.iter().find(has_data).map(|lacking| &lacking.ticker);
            self.on_answered(reply, intake.succeeded.first().or(cut.as_ref()).or_else(stale).cloned());
        }
        for Partly { ticker, parts, outdated, message } in std::mem::take(&mut intake.partly) {
            let rest = Batch { parts, outdated, ..batch.of(vec![ticker]) };
            match provider.trouble_of_part(&message) {
                Trouble::Limited(window) => {
                    self.on_limited(reply.number, Some(self.limit_pause(window)), &message);
                    self.ask_again(&rest, rest.tickers.clone(), &message, false);
                }
                _ => self.ask_again(&rest, rest.tickers.clone(), &message, true),
            }
        }
        if !complaints.limited.tickers.is_empty() {
            let renewal = self.limit_pause(complaints.limited.window);
            self.on_limited(reply.number, Some(renewal), &complaints.limited.reason);
        } else if !is_answer && complaints.nothing.tickers.is_empty() {
            let message = complaints.transient.reason.clone();
            let fault = Fault { class: Class::Unavailable, message, retry_after: None, named: Vec::new() };
            self.on_failed(reply, &fault);
        }
        let asks_again = settled.len() < batch.tickers.len();
        let work = batch.tickers.is_empty() || !settled.is_empty();
        let work = work.then(|| batch.of(settled).into_work(None));
        self.ask_again(batch, complaints.limited.tickers, &complaints.limited.reason, false);
        self.ask_again(batch, complaints.transient.tickers, &complaints.transient.reason, true);
        self.ask_once_more(batch, complaints.unclear);
        self.on_nothing(reply, complaints.nothing);
        let shortfalls = shortfalls(batch, &mut intake, complaints.failed);
        self.store(batch, intake, Settling { shortfalls, work, raw_log, asks_again, recalled: None });
    }

    /// Requests once more, with a larger number, the tickers that have as many records as the provider usually sends.
    /// What came of them is stored all the same, in case the larger answer does not come. Returns one of them, if there
    /// are any.
    fn enlarge(&mut self, batch: &Batch, intake: &mut Intake) -> Option<Ticker> {
        if batch.enlarged || intake.cut.is_empty() {
            return None;
        }
        let (cut, records) = intake.take_cut();
        let first = cut.first().cloned()?;
        let attempts_max = self.engine.settings.call.max_attempts;
        let again = Batch::new(batch.endpoint, cut, attempts_max);
        let again = Batch { enlarged: true, window: batch.window, deferrals: batch.deferrals, ..again };
        if self.is_held(batch.endpoint) || self.stop.is_some() {
            self.backlog.defer(again, None);
        } else {
            self.backlog.queue.push(again);
        }
        let id = self.backlog.deliveries.open(Delivery { is_preliminary: true, ..Delivery::default() });
        let (writes, _) = self.backlog.deliveries.seen.told(intake.dataset, records);
        self.push(id, writes);
        Some(first)
    }

    /// Queues tickers again that a response did not mention; not forever if that `counts` as an attempt.
    pub(super) fn ask_again(&mut self, batch: &Batch, tickers: Vec<Ticker>, reason: &str, counts: bool) {
        if tickers.is_empty() {
            return;
        }
        let mut again = batch.of(tickers);
        if self.is_held(batch.endpoint) || self.stop.is_some() {
            self.backlog.defer(again, Some(reason.to_owned()));
        } else if !counts {
            again.attempt = again.attempt.saturating_sub(1);
            // Others first: a ticker that hits a limit each time must not keep them waiting.
            self.backlog.queue.push(again);
        } else if again.attempt < self.engine.settings.call.max_attempts {
            let jitter = self.engine.world.entropy.next_u64();
            let wait = self.engine.settings.call.backoff.delay(again.attempt, jitter);
            self.backlog.queue.retry(again, self.engine.world.clock.instant() + wait);
        } else {
            self.defer_or_fail(again, Class::Unavailable, reason);
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
            let again = Batch { attempts_max: self.engine.settings.call.max_attempts, ..again };
            if self.is_held(batch.endpoint) || self.stop.is_some() {
                self.backlog.defer(again, None);
            } else {
                self.backlog.queue.push(again);
            }
        }
    }

    pub(super) fn is_held(&self, endpoint: &str) -> bool {
        self.lane(endpoint).is_some_and(Lane::is_held)
    }

    pub(super) fn lane(&self, endpoint: &str) -> Option<&Lane> {
        self.lanes.iter().find(|lane| lane.endpoint == endpoint)
    }

    pub(super) fn lane_mut(&mut self, endpoint: &str) -> Option<&mut Lane> {
        self.lanes.iter_mut().find(|lane| lane.endpoint == endpoint)
    }

    /// The endpoint is up: tickers suspected before this call went out are at fault.
    fn on_answered(&mut self, reply: &Reply, control: Option<Ticker>) {
        let config = *self.engine.breakers.config();
        let batch = &reply.batch;
        let endpoint = batch.endpoint;
        let flukes = batch.failed_alone.max(batch.attempt.saturating_sub(1));
        let (tickers, latency) = (batch.tickers.len(), reply.latency);
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.endpoint == endpoint) else { return };
        let was_probing = lane.on_answered(Answered { tickers, latency, flukes, control }, &config);
        let judged = self.backlog.suspects.take_judged(endpoint, reply.number).into_iter();
        let (guilty, open): (Vec<_>, Vec<_>) = judged.partition(|suspect| suspect.is_guilty(lane));
        if !batch.is_control() || !guilty.is_empty() {
            lane.refill_controls();
        }
        if let Some(control) = lane.control.clone() {
            self.state.controls.entry(endpoint.to_owned()).or_insert(control);
        }
        for suspect in guilty {
            self.fail(&suspect.batch, &suspect.fault);
        }
        for suspect in open {
            let failed_alone = suspect.failed_alone();
            let again =
                Batch { origin: Origin::Recheck, attempts_max: 1, attempt: 0, failed_alone, ..suspect.batch };
            self.backlog.queue.push(again);
        }
        if was_probing {
            self.steps.push(Step::Close { endpoint });
        }
        if self.engine.breakers.limit(self.run.provider()).in_row > 0 && reply.number > self.limited_at {
            self.steps.push(Step::LimitOver);
        }
    }

    /// Hands a response's documents to the writer.
    pub(super) fn store(&mut self, batch: &Batch, mut intake: Intake, settling: Settling) {
        let Settling { shortfalls, work, raw_log, asks_again, recalled } = settling;
        let endpoint = batch.endpoint;
        for remark in std::mem::take(&mut intake.remarks) {
            self.state.remark(remark);
        }
        let mut writes = raw_log;
        let origin = self.origin();
        let kept: Vec<_> =
            intake.rejected.iter().flat_map(|rejected| rejected::writes(rejected, &origin)).collect();
        let seen = &self.backlog.deliveries.seen;
        let flagged = seen.count_new(intake.records.iter().filter(|record| quality::is_flagged(record)));
        let stale = StaleRecords {
            flagged: intake.stale_flagged,
            rejected: intake.stale_rejected,
            ..StaleRecords::default()
        };
        let documents = u64::try_from(kept.len()).unwrap_or(u64::MAX);
        let kept_before = documents - seen.count_new(kept.iter().map(|(_, write)| write));
        let rejected = u64::try_from(intake.rejected.len()).unwrap_or(u64::MAX).saturating_sub(kept_before);
        let collection = self.collection(intake.dataset);
        let rejected = (rejected > 0).then(|| (collection.clone(), rejected));
        let cells = if recalled.is_some() {
            self.cells(batch, &intake).stored_only()
        } else {
            self.note_adjusted(&intake);
            self.cells(batch, &intake)
        };
        self.coverage.foresee(endpoint, &cells);
        let (records, subjects) = self.backlog.deliveries.seen.told(intake.dataset, intake.records);
        if asks_again {
            self.backlog.deliveries.seen.add(records.iter().map(|(_, write)| write));
            self.backlog.deliveries.seen.add(kept.iter().map(|(_, write)| write));
        }
        writes.extend(kept);
        writes.extend(records);
        let rejected = BTreeMap::from_iter(rejected);
        let id = self.backlog.deliveries.open(Delivery {
            endpoint,
            cells,
            work,
            shortfalls,
            stale,
            flagged,
            collection,
            subjects,
            rejected,
            recalled,
            ..Delivery::default()
        });
        self.push(id, writes);
    }

    fn cells(&self, batch: &Batch, intake: &Intake) -> Cells {
        let today = to_new_york(self.engine.world.clock.now()).date();
        let calendar = self.coverage.calendar();
        match self.run.window(batch.endpoint, batch.window) {
            None => Cells::of(intake.dataset, &intake.records, &intake.rejected, calendar, today),
            Some((window, WindowParameters { dated, .. })) => {
                let days = self.coverage.days_of(batch.endpoint, window);
                Cells::of_window(intake.dataset, &intake.records, &intake.rejected, window, &days, dated)
            }
        }
    }

    /// The origin noted in this run's rejected records.
    pub(super) fn origin(&self) -> RejectedOrigin<'_> {
        RejectedOrigin {
            collection: &self.engine.settings.collections.rejected,
            job: self.run.job,
            run_id: &self.run.run_id,
            now: self.engine.world.clock.now(),
        }
    }

    /// Stores the raw log of a call that settles nothing.
    fn push_alone(&mut self, raw_log: Vec<(Kind, Write)>) {
        let id = self.backlog.deliveries.open(Delivery::default());
        self.push(id, raw_log);
    }

    pub(super) fn push(&mut self, delivery: DeliveryId, writes: Vec<(Kind, Write)>) {
        let database = self.engine.firestore.database();
        let outgoing = |(kind, write): (Kind, Write)| {
            let comparison = match (&self.recalls, kind) {
                (Some(recalls), _) => self.comparison_again(recalls, kind, &write),
                (None, Kind::Record(..)) => RecordComparison::of(&write, &self.rules)
                    .map(|comparison| Box::new(comparison) as Box<dyn Comparison>),
                (None, Kind::RawLog | Kind::Rejected | Kind::Part) => None,
            };
            Outgoing { tag: kind, write: write.encode(database), comparison }
        };
        let outgoing = writes.into_iter().map(outgoing).collect();
        self.writer.push(delivery, outgoing);
    }
}

/// The tickers of an answer that are over without the data that was expected.
fn shortfalls(batch: &Batch, intake: &mut Intake, failed: Vec<(Ticker, String)>) -> Vec<Shortfall> {
    let lacking = std::mem::take(&mut intake.lacking).into_iter();
    let lacking = lacking.map(|Lacking { ticker, outcome, reason }| {
        // A ticker whose window was ignored.
        let class = (outcome == Outcome::Failed).then_some(Class::Malformed);
        (ticker, outcome, class, reason)
    });
    let failed = failed.into_iter().map(|(ticker, reason)| (ticker, Outcome::Failed, None, reason));
    let short = |(ticker, outcome, class, reason)| Shortfall {
        ticker: Some(ticker),
        endpoint: batch.endpoint.to_owned(),
        window: batch.window,
        outcome,
        class,
        reason,
    };
    failed.chain(lacking).map(short).collect()
}

/// The name of a call's outcome in metrics and logs.
fn class_name(read: &Result<Intake, Fault>) -> &'static str {
    read.as_ref().err().map_or("ok", |fault| fault.class.name())
}
