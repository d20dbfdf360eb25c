//! One run, from its claim to its end: claim, plan, execute, close, report.

pub mod backfill;
pub mod execute;
pub mod orders;
pub mod plan;
mod prepare;
pub mod records;
pub mod replay;
mod timing;
pub mod watch;

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::{Either, select};

use crate::base::context;
use crate::base::ports::{Instant, TransportError, millis};
use crate::base::world::World;
use crate::catalogue::{self, Job, PerProvider, Scope, Ticks};
use crate::config::Collections;
use crate::firestore::bulk::BulkWriter;
use crate::firestore::ramp::Ramp;
use crate::firestore::{Firestore, FirestoreError, Write};
use crate::google::Google;
use crate::intake::kind::Kind;
use crate::ledger::coverage::Coverage;
use crate::ledger::settings::RunConfig;
use crate::ledger::{Claim, Ledger, Owned, SaveError};
use crate::provider::activity::ConnectionBook;
use crate::provider::breakers::Breakers;
use crate::provider::settings::{CallConfig, ProviderConfig};
use crate::run::report::RunReport;
use crate::run::stop::{RETRY_LATER, RETRY_SOON, StopReason};
use crate::run::{Outcome, RunState, Status, Trigger};
use backfill::NoPlan;
use execute::{Executed, execute};
use plan::watched::Watched;

/// Works on runs.
pub struct Engine {
    pub settings: Settings,
    pub world: World,
    pub firestore: Firestore,
    pub ledger: Ledger,
    pub breakers: Breakers,
    pub coverage: Coverage,
    /// The watchlist, for those who only look.
    pub watched: Watched,
    pub google: Arc<Google>,
    pub activity: Arc<ConnectionBook>,
    pub watch: watch::Remembered,
    /// The limit on new writes, shared by all runs of the instance.
    pub ramp: Option<Arc<Mutex<Ramp>>>,
}

/// The configuration that the engine needs.
#[derive(Clone, Debug)]
pub struct Settings {
    pub call: CallConfig,
    pub run: RunConfig,
    pub collections: Collections,
    pub providers: PerProvider<ProviderConfig>,
    pub ticks: Ticks,
}

impl Settings {
    pub fn provider(&self, provider: catalogue::Provider) -> &ProviderConfig {
        self.providers.get(provider)
    }
}

/// The result of a request for a run.
#[derive(Debug)]
pub enum Answer {
    /// The attempt has ended; with a delay if the caller should retry.
    Ended { report: Box<RunReport>, retry_after: Option<Duration> },
    /// The run was finished before.
    Finished(Box<RunReport>),
    /// Another request is working on it.
    Running { report: Box<RunReport>, retry_after: Duration },
    /// The idempotency key belongs to another request.
    Different,
    /// It asks for too much at once; nothing was done.
    TooLarge(String),
    /// Firestore is unreachable: nothing was done.
    Unavailable(FirestoreError),
}

impl Engine {
    /// Runs a job for a trigger, unless it is already running or finished.
    pub async fn run(&self, trigger: Trigger) -> Answer {
        self.run_by_order(trigger, None).await
    }

    /// The same by an order of a person, which is stored in the commit that makes the run.
    pub async fn run_by_order(&self, trigger: Trigger, order: Option<Write>) -> Answer {
        let start = self.world.clock.instant();
        context::works_on(trigger.job.name, &trigger.run_id);
        let deadline = self.deadline_of(trigger.job, trigger.source);
        let work = async {
            let new = match trigger.backfill {
                None => self.run_for(trigger),
                Some(backfill) => match self.run_of_backfill(trigger, backfill).await {
                    Ok(new) => new,
                    Err(NoPlan::TooLarge(reason)) => return Answer::TooLarge(reason),
                    Err(NoPlan::Firestore(error)) => return Answer::Unavailable(error),
                },
            };
            let beside = |state: &RunState, owner: &str| {
                let order = order.clone().filter(|_| state.attempt.number == 1);
                self.beside(state, owner).into_iter().chain(order).collect()
            };
            match self.ledger.claim(new, &beside).await {
                Ok(claim) => self.answer(claim, start, true).await,
                Err(error) => Answer::Unavailable(error),
            }
        };
        self.by_deadline(deadline, Box::pin(work)).await.unwrap_or_else(|late| late)
    }

    /// Aborts work that hangs on Firestore when the request's time is up, as if the instance had died: the run is
    /// resumed after its lease has expired. Everything else finishes in time on its own.
    async fn by_deadline<T>(&self, deadline: Duration, work: impl Future<Output = T>) -> Result<T, Answer> {
        match select(pin!(work), self.world.clock.sleep(deadline)).await {
            Either::Left((done, _)) => Ok(done),
            Either::Right(_) => Err(Answer::Unavailable(TransportError::Timeout(deadline).into())),
        }
    }

    /// `is_tick`: nobody ordered it, so it waits for its data to be published, and a pause of its job skips it.
    async fn answer(&self, claim: Claim, start: Instant, is_tick: bool) -> Answer {
        match claim {
            Claim::Owned(owned) if owned.state.status == Status::Skipped => {
                log_run(&owned.state, 0);
                Answer::Ended { report: Box::new(RunReport::new(&owned.state)), retry_after: None }
            }
            Claim::Owned(owned) => {
                context::works_on(&owned.state.job, &owned.state.identity.run_id);
                self.work(*owned, start, is_tick).await
            }
            Claim::Running { state, retry_after } => running(&state, retry_after),
            Claim::NotDue { state, retry_after } => {
                let report = Box::new(RunReport::new(&state));
                Answer::Ended { report, retry_after: Some(retry_after) }
            }
            Claim::Finished(state) => Answer::Finished(Box::new(RunReport::new(&state).duplicate())),
            Claim::Different => Answer::Different,
        }
    }

    /// The run that a trigger asks for. A tick without anything to collect has its run, too: it has ended before it
    /// begins, so that every retry learns the same, whatever the calendar says by then.
    fn run_for(&self, trigger: Trigger) -> RunState {
        let skipped = trigger.tick.and_then(|tick| self.settings.ticks.skipped(trigger.job, tick));
        let new = trigger.into_state(self.world.clock.now());
        match skipped {
            Some(reason) => new.skip(reason),
            None => new,
        }
    }

    /// What is written in the commit that claims a run: it is registered to call its provider, unless it is skipped.
    fn beside(&self, state: &RunState, owner: &str) -> Vec<Write> {
        if state.replay.is_some() {
            return Vec::new();
        }
        if state.status == Status::Skipped {
            return vec![self.ledger.count_skipped(state)];
        }
        let job = catalogue::find(&state.job);
        let registration = |job: &Job| {
            // How many calls it can use is only known once its tickers are known.
            self.breakers.registration(job.provider, owner, 1, state.is_background())
        };
        job.map(registration).into_iter().collect()
    }

    /// Does the remaining work of an owned run and ends its attempt.
    async fn work(&self, mut owned: Owned, start: Instant, is_tick: bool) -> Answer {
        if let Some(request) = context::current() {
            owned.state.attempt.trace_id = Some(request.trace.trace_id());
        }
        owned.state.attempt.resources.steps_ms.claim = self.millis_since(start);
        // A stored run may name a job or a scope that this version no longer knows.
        let known = catalogue::find(&owned.state.job).zip(Scope::parse(&owned.state.identity.scope));
        let executed = match known {
            None => {
                let reason = format!("the job {} is not in the catalogue", owned.state.job);
                Executed::stopped(owned, StopReason::Ledger { reason })
            }
            Some((job, scope)) if owned.state.replay.is_some() => {
                let began = self.world.clock.instant();
                let mut executed = Box::pin(self.replay_runs(job, scope, owned, start)).await;
                executed.state.attempt.resources.steps_ms.execute = self.millis_since(began);
                executed
            }
            Some((job, scope)) => match self.prepare(job, scope, &mut owned, start, is_tick).await {
                Ok(()) => {
                    let began = self.world.clock.instant();
                    let mut executed = Box::pin(execute(self, job, scope, owned, start)).await;
                    executed.state.attempt.resources.steps_ms.execute = self.millis_since(began);
                    executed
                }
                Err(stop) => Executed::stopped(owned, stop),
            },
        };
        self.end(executed, start, is_tick).await
    }

    /// Closes the ledger entry; the result is based on what the ledger says afterwards.
    async fn end(&self, executed: Executed, start: Instant, is_tick: bool) -> Answer {
        let Executed { mut state, fence, stop, trends } = executed;
        let lost = stop == Some(StopReason::Lost);
        // A reason to stop that arose after everything was done does not matter.
        let stop = stop.filter(|stop| state.has_pending() || matches!(stop, StopReason::Storage { .. }));
        if let Some(StopReason::JobPaused { reason }) = &stop {
            state.skipped = Some(reason.clone());
        }
        let stop = stop.filter(|_| state.skipped.is_none());
        let waits = is_tick && stop.is_none() && fence.cancelled().is_none() && state.replay.is_none();
        let unpublished = waits.then(|| self.await_publication(&mut state));
        let stop = stop.or(unpublished.flatten());
        let unplanned = if lost { None } else { self.plan_refetches(&mut state).await };
        let stop = stop.or(unplanned);
        state.stopped = stop.as_ref().map(StopReason::message);
        state.balance();
        state.count_outcomes();
        state.status = state.judge();
        state.wait_after_nothing(&self.settings.run.publish);
        state.attempt.ended_at = Some(self.world.clock.now());
        state.attempt.duration_ms = self.millis_since(start);
        self.take_stock(&mut state);
        let closing = self.world.clock.instant();
        let farewell = catalogue::find(&state.job)
            .filter(|_| state.replay.is_none())
            .map(|job| self.breakers.farewell(job.provider, fence.owner(), &trends));
        let closed =
            if lost { Err(SaveError::Lost) } else { self.ledger.close(fence, state.clone(), farewell).await };
        match closed {
            Ok(state) => {
                log_run(&state, self.millis_since(closing));
                let report = Box::new(RunReport::new(&state));
                let retry_after = (!report.http_status().is_success())
                    .then(|| stop.as_ref().map_or(RETRY_SOON, StopReason::retry_after));
                Answer::Ended { report, retry_after }
            }
            Err(SaveError::Lost) => {
                tracing::warn!(run.id = state.identity.run_id, "another instance has taken over the run");
                running(&state, RETRY_LATER)
            }
            Err(SaveError::Firestore(error)) => Answer::Unavailable(error),
        }
    }

    fn await_publication(&self, state: &mut RunState) -> Option<StopReason> {
        let now = self.world.clock.now();
        let next = catalogue::find(&state.job).and_then(|job| self.settings.ticks.next(job, now));
        state.await_publication(&self.settings.run.publish, next, now).or_else(|| state.insist(now))
    }

    fn millis_since(&self, start: Instant) -> u64 {
        millis(self.world.clock.instant().since(start))
    }

    /// Records the resources that the attempt has used so far.
    fn take_stock(&self, state: &mut RunState) {
        if let Some(request) = context::current() {
            (state.attempt.resources.bytes_in, state.attempt.resources.bytes_out) = request.traffic.bytes();
            let (read, written) = request.traffic.take_documents();
            state.counts.documents_read += read;
            state.counts.documents_written += written;
        }
        state.attempt.resources.memory_bytes = self.world.machine.memory_bytes();
        if let Some(job) = catalogue::find(&state.job) {
            state.last_calls = self.activity.of(job.provider).last_calls();
        }
    }

    /// A writer for one run; all writers of the instance share one limit on new writes.
    pub fn bulk_writer(&self) -> BulkWriter<Kind> {
        let backoff = self.settings.call.backoff;
        BulkWriter::new(self.firestore.clone(), self.world.clone(), backoff, self.ramp.clone())
    }
}

fn running(state: &RunState, retry_after: Duration) -> Answer {
    let mut state = RunState { status: Status::Running, stopped: None, ..state.clone() };
    state.attempt.ended_at = None;
    Answer::Running { report: Box::new(RunReport::new(&state)), retry_after }
}

/// Writes a run's one log line.
fn log_run(state: &RunState, close_ms: u64) {
    let used = &state.attempt.resources;
    tracing::info!(
        job.name = state.job,
        run.id = state.identity.run_id,
        run.status = state.status.name(),
        run.attempt = state.attempt.number,
        tickers.requested = state.tickers_requested,
        tickers.processed = state.tickers_processed(),
        tickers.failed = state.tickers_failed(),
        tickers.empty = state.tickers_short(Outcome::Empty),
        tickers.stale = state.tickers_short(Outcome::Stale),
        tickers.deferred = state.tickers_short(Outcome::Deferred),
        tickers.pending = state.tickers_pending(),
        records.stored = state.counts.records_stored(),
        records.rejected = state.counts.records_rejected(),
        records.flagged = state.counts.records_flagged,
        records.unchanged = state.counts.records_unchanged,
        records.revised = state.counts.records_revised,
        documents.read = state.counts.documents_read,
        documents.written = state.counts.documents_written,
        provider.calls = state.counts.calls,
        provider.retries = state.counts.retries,
        duration_ms = state.attempt.duration_ms,
        steps_ms.claim = used.steps_ms.claim,
        steps_ms.plan = used.steps_ms.plan,
        steps_ms.execute = used.steps_ms.execute,
        steps_ms.close = close_ms,
        waits_ms.retry = used.waits_ms.retry,
        waits_ms.limit = used.waits_ms.limit,
        bytes_in = used.bytes_in,
        bytes_out = used.bytes_out,
        memory_bytes = used.memory_bytes.unwrap_or_default(),
        stopped = state.stopped.as_deref().unwrap_or_default(),
        skipped = state.skipped.as_deref().unwrap_or_default(),
        "run ended"
    );
}
