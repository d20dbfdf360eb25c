//! Executing a run: calls go out, responses go to Firestore, and the ledger records the progress.
//!
//! One loop owns everything. It starts whatever may start, waits for the next event and reacts. Calls and writes
//! overlap, and memory holds only the batches in flight. Its state is split into parts, each with its own tests:
//!
//! - [`lease`]: how long the run is ours, and the checkpoints that renew it;
//! - [`watch`]: looks for an order to stop the run;
//! - [`calls`]: the calls in flight;
//! - [`backlog`]: all unfinished work: [`queue`], [`suspects`], [`deliveries`], and what is deferred;
//! - [`lane`]: what is known about an endpoint, and whether this run calls it, probes it or leaves it alone;
//! - [`steps`]: the changes to the state that all runs share;
//! - [`due`]: every reason to wake up.
//!
//! A replay has [`recall`] in place of calls: responses come from the raw logs. [`differences`] tells what it would do.
//!
//! [`dispatch`] decides which calls may start; [`reaction`], [`complaints`], [`failing`] and [`delivered`] handle
//! events; [`upkeep`] maintains the run's place in the list of callers; [`ending`] closes the attempt.

mod adjusted;
mod background;
mod backlog;
mod call;
mod calls;
mod complaints;
mod coverage;
mod delivered;
mod deliveries;
pub mod differences;
mod dispatch;
mod due;
mod ending;
mod failing;
mod found;
mod lane;
mod lease;
pub mod queue;
mod reaction;
pub(super) mod recall;
mod reply;
mod run_context;
mod steps;
mod suspects;
mod upkeep;
mod watch;

use std::sync::Arc;

use futures::FutureExt;

use crate::base::ports::{Instant, millis};
use crate::base::turns::yield_now;
use crate::catalogue::{Job, Scope};
use crate::engine::{Engine, backfill};
use crate::firestore::bulk::{BulkWriter, Delivered};
use crate::google::Token;
use crate::intake::kind::Kind;
use crate::intake::revision::Rules;
use crate::ledger::{Fence, Owned, SaveError};
use crate::provider::breakers::Trend;
use crate::resilience::deadline::Deadline;
use crate::resilience::diagnosis::Diagnosis;
use crate::run::stop::StopReason;
use crate::run::{RunState, Work};
use background::LastCall;
use backlog::Backlog;
use calls::Calls;
use coverage::{Covering, Landed};
use due::Due;
use lane::Lane;
use lease::{Lease, Saved};
use queue::Queue;
use recall::{Next, Recalls};
use reply::Reply;
use run_context::RunContext;
use steps::{Stepped, Steps, Turn};
use watch::{Looked, Watch};

/// A run after an attempt.
pub struct Executed {
    pub state: RunState,
    pub fence: Fence,
    pub stop: Option<StopReason>,
    /// How the calls to each endpoint went.
    pub trends: Vec<Trend>,
}

impl Executed {
    /// A run that could not be executed.
    pub fn stopped(owned: Owned, stop: StopReason) -> Self {
        Self { state: owned.state, fence: owned.fence, stop: Some(stop), trends: Vec::new() }
    }
}

/// A run in progress.
struct Execution<'a> {
    engine: &'a Engine,
    run: RunContext,
    state: RunState,
    lease: Lease,
    watch: Watch,
    deadline: Deadline,
    backlog: Backlog,
    calls: Calls<Reply>,
    lanes: Vec<Lane>,
    writer: BulkWriter<Kind>,
    rules: Arc<Rules>,
    stop: Option<StopReason>,
    steps: Steps,
    turn: Turn,
    coverage: Covering,
    /// Calls that had been sent when the provider last reported a limit.
    limited_at: u64,
    /// Of a backfill.
    last_call: Option<LastCall>,
    /// The ID token that the provider rejected in this attempt.
    refused_token: Option<Arc<Token>>,
    /// Of a replay.
    recalls: Option<Recalls>,
}

enum Event {
    Replied(Reply),
    Delivered(Delivered<Kind>),
    Saved(Saved),
    Looked(Looked),
    Stepped(Stepped),
    Landed(Landed),
    Recalled(Next),
    Due(Due),
}

/// Works on the pending tickers of an owned run until none are left or it must stop.
pub async fn execute(
    engine: &Engine,
    job: &'static Job,
    scope: Scope,
    owned: Owned,
    start: Instant,
) -> Executed {
    let mut execution = Execution::new(engine, job, scope, owned, start);
    execution.work().await;
    execution.finish().await
}

impl<'a> Execution<'a> {
    fn new(engine: &'a Engine, job: &'static Job, scope: Scope, owned: Owned, start: Instant) -> Self {
        let Owned { mut state, fence } = owned;
        let provider = engine.settings.provider(job.provider);
        let endpoints: Vec<_> = job.endpoints.iter().map(|endpoint| endpoint.path).collect();
        let now = engine.world.clock.instant();
        let coverage = Covering::new(engine.coverage.clone(), &engine.settings.ticks, job, &state, now);
        let pending = std::mem::take(&mut state.pending);
        let size = |work: &Work| backfill::batch_size(job, work.window, &work.endpoint, provider.batch_size);
        let queue = Queue::new(pending, &endpoints, size, engine.settings.call.max_attempts);
        let lane = |endpoint: &&'static str| {
            let failures = engine.breakers.failures(job.provider, endpoint);
            let diagnosis = Diagnosis::new(failures, engine.breakers.config());
            Lane::new(endpoint, diagnosis, provider.max_concurrency, state.controls.get(*endpoint).cloned())
        };
        let lanes = endpoints.iter().map(lane).collect();
        let rules = Rules {
            revisions: engine.settings.collections.revisions.clone(),
            database: engine.firestore.database().to_owned(),
            run_id: state.identity.run_id.clone(),
            is_forced: state.force,
        };
        let deadline = Deadline::new(start, engine.deadline_of(job, state.identity.trigger));
        Self {
            engine,
            run: RunContext::of(job, scope, state.attempt.number, &state),
            state,
            watch: Watch::new(fence.lease_until() - engine.settings.run.lease),
            lease: Lease::new(fence, engine.settings.run.lease, now),
            deadline,
            backlog: Backlog::new(queue, &endpoints),
            calls: Calls::new(),
            lanes,
            writer: engine.bulk_writer(),
            rules: Arc::new(rules),
            stop: None,
            steps: Steps::new(now),
            turn: Turn::default(),
            coverage,
            limited_at: 0,
            last_call: None,
            refused_token: None,
            recalls: None,
        }
    }

    async fn work(&mut self) {
        loop {
            self.dispatch();
            self.cover_if_due();
            if self.is_done() {
                return;
            }
            let began = self.engine.world.clock.instant();
            let is_paused = self.is_paused();
            let event = self.next_event().await;
            if is_paused {
                let waited = self.engine.world.clock.instant().since(began);
                self.state.attempt.resources.waits_ms.limit += millis(waited);
            }
            match event {
                Event::Replied(reply) => {
                    self.on_reply(reply);
                    yield_now().await;
                }
                Event::Delivered(delivered) => self.on_delivered(delivered),
                Event::Saved(saved) => self.on_saved(saved),
                Event::Looked(looked) => self.on_looked(looked),
                Event::Stepped(stepped) => self.on_stepped(stepped),
                Event::Landed(landed) => self.on_landed(landed),
                Event::Recalled(next) => {
                    self.on_recalled(next);
                    yield_now().await;
                }
                Event::Due(due) => tracing::trace!(?due, "woken"),
            }
            if self.must_cut() {
                return;
            }
            self.checkpoint_if_due();
            self.look_if_due();
        }
    }

    /// Whether nothing but the provider's limit holds up the work.
    fn is_paused(&self) -> bool {
        let has_work = self.stop.is_none() && self.backlog.has_work();
        has_work && self.calls.is_empty() && !self.engine.breakers.paused(self.run.provider()).is_zero()
    }

    fn is_done(&self) -> bool {
        let is_covered = self.coverage.is_idle(self.backlog.deliveries.is_covering());
        self.has_stored() && self.steps.is_idle() && is_covered
    }

    /// Whether nothing is left to call or to store in this attempt, except the coverage.
    fn has_stored(&self) -> bool {
        let no_more = !self.backlog.has_work() || self.stop.is_some();
        no_more && !self.has_recalls() && self.calls.is_empty() && self.writer.is_idle()
    }

    async fn next_event(&mut self) -> Event {
        let (due, wait) = Due::next(&self.due_facts());
        let timer = self.engine.world.clock.sleep(wait);
        let may_recall = self.may_recall();
        let Self { calls, lease, watch, writer, steps, coverage, recalls, .. } = self;
        let replied = calls.next().map(Event::Replied);
        let saved = lease.saved().map(Event::Saved);
        let looked = watch.looked().map(Event::Looked);
        let stepped = steps.taken().map(Event::Stepped);
        let landed = coverage.landed().map(Event::Landed);
        let recalled = recall::next(recalls, may_recall).map(Event::Recalled);
        let delivered = writer.delivered().map(Event::Delivered);
        let time = timer.map(|()| Event::Due(due));
        futures::pin_mut!(replied, saved, looked, stepped, landed, delivered, recalled, time);
        futures::select_biased! {
            event = saved.fuse() => event,
            event = looked.fuse() => event,
            event = stepped.fuse() => event,
            event = landed.fuse() => event,
            event = delivered.fuse() => event,
            event = replied.fuse() => event,
            event = recalled.fuse() => event,
            event = time.fuse() => event,
        }
    }

    /// Time left until each event.
    fn due_facts(&self) -> due::Facts {
        let now = self.engine.world.clock.instant();
        let is_calling = self.stop.is_none() && self.backlog.has_work();
        due::Facts {
            hard_deadline: self.deadline.until_hard(now),
            lease_end: self.lease.left(now),
            checkpoint: self.lease.checkpoint_wait(now),
            look: self.watch.wait(now),
            coverage: self.coverage.wait(now, self.backlog.deliveries.is_covering()),
            calling: is_calling.then(|| due::Calling {
                soft_deadline: self.deadline.until_soft(now),
                upkeep: self.steps.upkeep_wait(now),
                pause_over: self.engine.breakers.paused(self.run.provider()).max(self.gives_way(now)),
                retry: self.backlog.queue.wait(now, |_| true),
                awaits_share: self.share().is_none_or(|share| share.calls == 0),
                is_stepping: self.steps.is_under_way(),
            }),
        }
    }

    /// Whether running calls must be cut off now.
    fn must_cut(&mut self) -> bool {
        let now = self.engine.world.clock.instant();
        if self.lease.has_expired(now) && self.stop != Some(StopReason::Lost) {
            let reason = "the lease could not be renewed in time".to_owned();
            self.stop = Some(StopReason::Ledger { reason });
        }
        matches!(self.stop, Some(StopReason::Lost | StopReason::Ledger { .. }))
            || self.deadline.until_hard(now).is_zero()
    }

    /// Records progress, at most once a second, and renews the lease when there is none.
    fn checkpoint_if_due(&mut self) {
        let now = self.engine.world.clock.instant();
        if self.lease.is_checkpoint_due(now) {
            let state = RunState { pending: self.backlog.pending(self.calls.work()), ..self.state.clone() };
            let saved = self.engine.ledger.checkpoint(self.lease.fence(), state);
            self.lease.begin_checkpoint(saved, now);
        }
    }

    fn on_saved(&mut self, saved: Saved) {
        let sent_at = saved.started();
        match self.lease.on_saved(saved) {
            Ok(()) => {
                self.watch.on_saved(sent_at);
                self.heed_order();
            }
            Err(SaveError::Lost) => self.stop = Some(StopReason::Lost),
            Err(SaveError::Firestore(error)) => {
                tracing::warn!(run.id = self.state.identity.run_id, %error, "checkpoint could not be written");
            }
        }
    }
}
