//! Working off a run: calls go out, answers flow on to Firestore, the ledger learns how far it is.
//!
//! One loop owns everything. It starts what may start, waits for the next event and reacts; whatever
//! it decides comes from pure functions ([`queue`], [`crate::resilience`]). Calls and writes overlap,
//! and memory holds only the batches in flight.

mod call;
mod complaints;
mod dispatch;
mod ending;
mod failing;
mod lane;
pub mod queue;
mod reaction;
mod settling;
mod steps;
mod storing;
mod timing;

use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use futures::stream::{FuturesUnordered, StreamExt};

use crate::base::ports::{BoxFuture, Instant};
use crate::catalogue::{Job, Scope};
use crate::engine::Engine;
use crate::firestore::bulk::{BulkWriter, Settled};
use crate::google::Token;
use crate::intake::kind::Kind;
use crate::ledger::{Fence, Owned, SaveError};
use crate::provider::breakers::Trend;
use crate::resilience::deadline::Deadline;
use crate::resilience::diagnosis::Diagnosis;
use crate::run::stop::Stop;
use crate::run::{RunState, Work};
use call::{Called, RunContext};
use lane::Lane;
use queue::Queue;
use steps::{Step, Stepped};
use storing::{Seen, Storing};

/// A run that was worked on as far as it went.
pub struct Executed {
    pub state: RunState,
    pub fence: Fence,
    pub stop: Option<Stop>,
    /// How the calls to each endpoint went.
    pub trends: Vec<Trend>,
}

impl Executed {
    /// A run that could not be worked on.
    pub fn stopped(owned: Owned, stop: Stop) -> Self {
        Self { state: owned.state, fence: owned.fence, stop: Some(stop), trends: Vec::new() }
    }
}

/// A run being worked on.
struct Execution<'a> {
    engine: &'a Engine,
    run: RunContext,
    state: RunState,
    fence: Fence,
    deadline: Deadline,
    queue: Queue,
    calls: FuturesUnordered<BoxFuture<'static, Called>>,
    /// What is being called, to know what is left when calls are cut.
    calling: Vec<InFlight>,
    lanes: Vec<Lane>,
    writer: BulkWriter<Kind>,
    storing: Storing,
    seen: Seen,
    /// Work that this attempt will not try again.
    put_off: Vec<Work>,
    stop: Option<Stop>,
    saving: Option<Saving>,
    /// What is to be told to all runs, and the one thing that is being told.
    steps: VecDeque<Step>,
    stepping: Option<BoxFuture<'static, Stepped>>,
    next_upkeep: Instant,
    /// Since when this run has been among those who may call.
    turn_began: Option<Instant>,
    /// Whether it has said how many calls it wants at once.
    has_asked: bool,
    /// Calls that had gone out when the provider last asked for less.
    limited_at: u64,
    /// The ID token that the provider did not accept in this attempt.
    refused_token: Option<Arc<Token>>,
    call_number: u64,
    last_save: Instant,
    lease_until: Instant,
    changed: bool,
}

/// A call on its way.
struct InFlight {
    number: u64,
    endpoint: &'static str,
    started: Instant,
    /// What is left to do if it is cut; none for a control.
    work: Option<Work>,
    /// Whether it is to find out if the provider is up.
    is_check: bool,
}

/// A checkpoint on its way.
struct Saving {
    started: Instant,
    future: BoxFuture<'static, Result<Fence, SaveError>>,
}

enum Event {
    Called(Called),
    Settled(Settled<Kind>),
    Saved(Instant, Result<Fence, SaveError>),
    Stepped(Stepped),
    Time,
}

/// Works on what is pending of an owned run until nothing is left or it must stop.
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

/// Lets the runtime and the instance's other requests have their turn. An answer takes milliseconds to read, in which
/// nothing arrives and nothing goes out: several that come together would hold up all writes, and every `/health`.
async fn give_way() {
    let mut given = false;
    poll_fn(|task| {
        if std::mem::replace(&mut given, true) {
            return Poll::Ready(());
        }
        task.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl<'a> Execution<'a> {
    fn new(engine: &'a Engine, job: &'static Job, scope: Scope, owned: Owned, start: Instant) -> Self {
        let Owned { mut state, fence } = owned;
        let provider = engine.settings.provider(job.provider);
        let lease_until = fence.lease_until();
        let endpoints: Vec<_> = job.endpoints.iter().map(|endpoint| endpoint.path).collect();
        let pending = std::mem::take(&mut state.pending);
        let queue = Queue::new(pending, &endpoints, provider.batch_size, engine.settings.call.max_attempts);
        let lane = |endpoint: &&'static str| {
            let failures = engine.breakers.failures(job.provider, endpoint);
            let diagnosis = Diagnosis::new(failures, engine.breakers.config());
            Lane::new(endpoint, diagnosis, provider.max_concurrency, state.controls.get(*endpoint).cloned())
        };
        let lanes = endpoints.iter().map(lane).collect();
        let deadline = Deadline::new(start, engine.deadline_of(job, state.trigger));
        let now = engine.world.clock.instant();
        Self {
            engine,
            run: RunContext {
                job,
                scope,
                run_id: state.run_id.clone(),
                run_attempt: state.attempt,
                run_time: state.run_time.clone(),
            },
            state,
            fence,
            deadline,
            queue,
            calls: FuturesUnordered::new(),
            calling: Vec::new(),
            lanes,
            writer: engine.bulk_writer(),
            storing: Storing::default(),
            seen: Seen::default(),
            put_off: Vec::new(),
            stop: None,
            saving: None,
            steps: VecDeque::new(),
            stepping: None,
            next_upkeep: now,
            turn_began: None,
            has_asked: false,
            limited_at: 0,
            refused_token: None,
            call_number: 0,
            last_save: now,
            lease_until,
            changed: false,
        }
    }

    async fn work(&mut self) {
        loop {
            self.dispatch();
            if self.is_done() {
                return;
            }
            match self.next_event().await {
                Event::Called(called) => {
                    self.on_called(called);
                    give_way().await;
                }
                Event::Settled(settled) => self.on_settled(settled),
                Event::Saved(started, saved) => self.on_saved(started, saved),
                Event::Stepped(stepped) => self.on_stepped(stepped),
                Event::Time => {}
            }
            if self.must_cut() {
                return;
            }
            self.checkpoint_if_due();
        }
    }

    fn is_done(&self) -> bool {
        let no_more = !self.has_work() || self.stop.is_some();
        let all_told = self.steps.is_empty() && self.stepping.is_none();
        no_more && self.calls.is_empty() && self.writer.is_idle() && all_told
    }

    async fn next_event(&mut self) -> Event {
        let timer = self.timer();
        let Self { calls, writer, saving, stepping, .. } = self;
        let called = async {
            match calls.next().await {
                Some(called) => Event::Called(called),
                None => pending().await,
            }
        };
        let saved = async {
            match saving {
                Some(Saving { started, future }) => Event::Saved(*started, future.await),
                None => pending().await,
            }
        };
        let stepped = async {
            match stepping {
                Some(step) => Event::Stepped(step.await),
                None => pending().await,
            }
        };
        let settled = async { Event::Settled(writer.settled().await) };
        let time = async {
            timer.await;
            Event::Time
        };
        futures::pin_mut!(called, saved, stepped, settled, time);
        futures::select_biased! {
            event = futures::FutureExt::fuse(saved) => event,
            event = futures::FutureExt::fuse(stepped) => event,
            event = futures::FutureExt::fuse(settled) => event,
            event = futures::FutureExt::fuse(called) => event,
            event = futures::FutureExt::fuse(time) => event,
        }
    }
}
