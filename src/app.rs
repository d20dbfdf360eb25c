//! The whole path of a job's request: claim, plan, execute, close, report.

mod prepare;
mod timing;

use std::convert::Infallible;
use std::pin::pin;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::{Either, select};

use crate::auth::Authenticator;
use crate::breakers::Breakers;
use crate::cached::Cached;
use crate::config::Config;
use crate::connections::ConnectionBook;
use crate::execute::stop::{RETRY_LATER, RETRY_SOON, Stop};
use crate::execute::{Executed, execute};
use crate::firestore::bulk::BulkWriter;
use crate::firestore::ramp::Ramp;
use crate::firestore::{Firestore, FirestoreError, Write};
use crate::google::Google;
use crate::job::{Job, Scope};
use crate::ledger::{Claim, Ledger, Owned, SaveError, new_uuid};
use crate::ops::snapshot::Snapshot;
use crate::ops::status::StatusReport;
use crate::ports::{Instant, TransportError, World, millis};
use crate::report::RunReport;
use crate::request::Trigger;
use crate::resilience::backoff::Backoff;
use crate::run::{RunState, Status};
use crate::telemetry::context;

/// Everything an instance holds; whatever must outlive it is in Firestore.
pub struct App {
    pub config: Config,
    pub world: World,
    pub firestore: Firestore,
    pub ledger: Ledger,
    pub breakers: Breakers,
    pub google: Arc<Google>,
    pub auth: Authenticator,
    pub connections: Arc<ConnectionBook>,
    pub instance: Instance,
    pub snapshot: Cached<Snapshot, FirestoreError>,
    pub status: Cached<StatusReport, Infallible>,
    ramp: Option<Arc<Mutex<Ramp>>>,
}

/// What this instance knows about itself.
#[derive(Clone, Debug)]
pub struct Instance {
    pub id: String,
    pub started_at: DateTime<Utc>,
    pub requests_in_flight: Arc<AtomicUsize>,
}

impl Instance {
    pub fn new(world: &World) -> Self {
        Self { id: new_uuid(world), started_at: world.clock.now(), requests_in_flight: Arc::default() }
    }
}

/// The answer to a request for a run.
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
    /// Firestore is unreachable: nothing was done.
    Unavailable(FirestoreError),
}

impl App {
    pub fn new(config: Config, world: World, instance: Instance) -> Self {
        let google = Arc::new(Google::new(world.clone(), config.google.clone(), config.credentials.clone()));
        let auth = Authenticator::new(world.clone(), config.auth.clone());
        let backoff = config.call.backoff;
        let firestore = Firestore::new(config.firestore.clone(), google.clone(), world.clone(), backoff);
        let collections = config.collections.clone();
        let ledger = Ledger::new(&firestore, world.clone(), collections, config.run);
        let breakers = Breakers::new(
            firestore.clone(),
            world.clone(),
            config.collections.breakers.clone(),
            config.breaker,
            config.run.lease,
            config.call.limit_window,
        );
        let ramp = config.firestore.ramp.map(|ramp| Arc::new(Mutex::new(Ramp::new(ramp))));
        Self {
            config,
            world,
            firestore,
            ledger,
            breakers,
            google,
            auth,
            connections: Arc::default(),
            instance,
            snapshot: Cached::default(),
            status: Cached::default(),
            ramp,
        }
    }

    /// Runs a job for a trigger, unless it is already running or finished.
    pub async fn run(&self, trigger: Trigger) -> Answer {
        let start = self.world.clock.instant();
        context::works_on(trigger.job.name, &trigger.run_id);
        let deadline = self.deadline_of(trigger.job, trigger.source);
        let work = async {
            let new = trigger.into_state(self.world.clock.now());
            match self.ledger.claim(new, &|state, owner| self.registration(state, owner)).await {
                Ok(claim) => self.answer(claim, start).await,
                Err(error) => Answer::Unavailable(error),
            }
        };
        self.by_deadline(deadline, Box::pin(work)).await.unwrap_or_else(|late| late)
    }

    /// Continues a run; none if it is unknown.
    pub async fn resume(&self, run_id: &str) -> Option<Answer> {
        let start = self.world.clock.instant();
        let work = async {
            match self.ledger.resume(run_id, &|state, owner| self.registration(state, owner)).await {
                Ok(Some(claim)) => Some(self.answer(claim, start).await),
                Ok(None) => None,
                Err(error) => Some(Answer::Unavailable(error)),
            }
        };
        self.by_deadline(self.config.run.deadline, Box::pin(work)).await.unwrap_or_else(Some)
    }

    /// Aborts work that hangs on Firestore when the request's time is up, as if the instance had died: the run is
    /// resumed after its lease has expired. Everything else finishes in time on its own.
    async fn by_deadline<T>(&self, deadline: Duration, work: impl Future<Output = T>) -> Result<T, Answer> {
        match select(pin!(work), self.world.clock.sleep(deadline)).await {
            Either::Left((done, _)) => Ok(done),
            Either::Right(_) => Err(Answer::Unavailable(TransportError::Timeout(deadline).into())),
        }
    }

    async fn answer(&self, claim: Claim, start: Instant) -> Answer {
        match claim {
            Claim::Owned(owned) => {
                context::works_on(&owned.state.job, &owned.state.run_id);
                self.work(*owned, start).await
            }
            Claim::Running { state, retry_after } => running(&state, retry_after),
            Claim::Finished(state) => Answer::Finished(Box::new(RunReport::new(&state).duplicate())),
            Claim::Different => Answer::Different,
        }
    }

    /// Registers a run to call its provider, in the commit that claims it.
    fn registration(&self, state: &RunState, owner: &str) -> Vec<Write> {
        let job = crate::job::find(&state.job);
        let registration = |job: &Job| {
            // How many calls it can use is only known once its tickers are.
            self.breakers.registration(job.provider, owner, 1)
        };
        job.map(registration).into_iter().collect()
    }

    /// Does the remaining work of an owned run and ends its attempt.
    async fn work(&self, mut owned: Owned, start: Instant) -> Answer {
        if let Some(request) = context::current() {
            owned.state.trace_id = Some(request.trace.trace_id());
        }
        owned.state.resources.steps_ms.claim = self.millis_since(start);
        // A stored run may name a job or a scope that this version no longer knows.
        let known = crate::job::find(&owned.state.job).zip(Scope::parse(&owned.state.scope));
        let executed = match known {
            None => {
                let reason = format!("the job {} is not in the catalogue", owned.state.job);
                Executed::stopped(owned, Stop::Ledger { reason })
            }
            Some((job, scope)) => match self.prepare(job, scope, &mut owned, start).await {
                Ok(()) => {
                    let began = self.world.clock.instant();
                    let mut executed = Box::pin(execute(self, job, scope, owned, start)).await;
                    executed.state.resources.steps_ms.execute = self.millis_since(began);
                    executed
                }
                Err(stop) => Executed::stopped(owned, stop),
            },
        };
        self.end(executed, start).await
    }

    /// Closes the ledger entry; the answer is what the ledger says afterwards.
    async fn end(&self, executed: Executed, start: Instant) -> Answer {
        let Executed { mut state, fence, stop, trends } = executed;
        let lost = stop == Some(Stop::Lost);
        // A reason to stop that arose after everything was done changes nothing.
        let stop = stop.filter(|stop| state.has_pending() || matches!(stop, Stop::Storage { .. }));
        state.stopped = stop.as_ref().map(Stop::words);
        state.balance();
        state.status = state.judge();
        state.ended_at = Some(self.world.clock.now());
        state.duration_ms = self.millis_since(start);
        self.take_stock(&mut state);
        let closing = self.world.clock.instant();
        let farewell = crate::job::find(&state.job)
            .map(|job| self.breakers.farewell(job.provider, fence.owner(), &trends));
        let closed =
            if lost { Err(SaveError::Lost) } else { self.ledger.close(fence, state.clone(), farewell).await };
        match closed {
            Ok(state) => {
                log_run(&state, self.millis_since(closing));
                let report = Box::new(RunReport::new(&state));
                let retry_after = (!report.http_status().is_success())
                    .then(|| stop.as_ref().map_or(RETRY_SOON, Stop::retry_after));
                Answer::Ended { report, retry_after }
            }
            Err(SaveError::Lost) => {
                tracing::warn!(run.id = state.run_id, "another instance has taken over the run");
                running(&state, RETRY_LATER)
            }
            Err(SaveError::Firestore(error)) => Answer::Unavailable(error),
        }
    }

    fn millis_since(&self, start: Instant) -> u64 {
        millis(self.world.clock.instant().since(start))
    }

    /// Records the resources that the attempt has used so far.
    fn take_stock(&self, state: &mut RunState) {
        if let Some(request) = context::current() {
            (state.resources.bytes_in, state.resources.bytes_out) = request.traffic.bytes();
        }
        state.resources.memory_bytes = self.world.machine.memory_bytes();
        if let Some(job) = crate::job::find(&state.job) {
            state.last_calls = self.connections.of(job.provider).last_calls();
        }
    }

    /// A writer for one run; all writers of the instance share one limit on new writes.
    pub fn bulk_writer(&self) -> BulkWriter {
        let backoff: Backoff = self.config.call.backoff;
        BulkWriter::new(self.firestore.clone(), self.world.clone(), backoff, self.ramp.clone())
    }
}

fn running(state: &RunState, retry_after: Duration) -> Answer {
    let state = RunState { status: Status::Running, ended_at: None, stopped: None, ..state.clone() };
    Answer::Running { report: Box::new(RunReport::new(&state)), retry_after }
}

/// Writes a run's one log line.
fn log_run(state: &RunState, close_ms: u64) {
    let used = &state.resources;
    tracing::info!(
        job.name = state.job,
        run.id = state.run_id,
        run.status = state.status.name(),
        run.attempt = state.attempt,
        tickers.requested = state.tickers_requested,
        tickers.processed = state.tickers_processed(),
        tickers.failed = state.tickers_failed(),
        tickers.pending = state.tickers_pending(),
        records.stored = state.counts.records_stored(),
        records.rejected = state.counts.records_rejected(),
        provider.calls = state.counts.calls,
        provider.retries = state.counts.retries,
        duration_ms = state.duration_ms,
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
        "run ended"
    );
}
