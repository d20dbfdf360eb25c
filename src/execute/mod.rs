//! Executing a run: calls go out, responses flow on to Firestore, the ledger records the progress.
//!
//! One loop owns everything. It starts what may start, waits for the next event and reacts; its
//! decisions come from pure functions ([`queue`], [`crate::resilience`]). Calls and writes overlap,
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
pub mod stop;
mod storing;
mod timing;

use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use futures::stream::{FuturesUnordered, StreamExt};

use crate::app::App;
use crate::breakers::Trend;
use crate::firestore::bulk::{BulkWriter, Settled};
use crate::google::Token;
use crate::job::{Job, Scope};
use crate::ledger::{Fence, Owned, SaveError};
use crate::ports::{BoxFuture, Instant};
use crate::resilience::deadline::Deadline;
use crate::resilience::diagnosis::Diagnosis;
use crate::run::{RunState, Work};
use call::{Called, RunContext};
use lane::Lane;
use queue::Queue;
use steps::{Step, Stepped};
use stop::Stop;
use storing::{Seen, Storing};

/// A run after an attempt.
pub struct Executed {
    pub state: RunState,
    pub fence: Fence,
    pub stop: Option<Stop>,
    /// How the calls to each endpoint went.
    pub trends: Vec<Trend>,
}

impl Executed {
    /// A run that could not be executed.
    pub fn stopped(owned: Owned, stop: Stop) -> Self {
        Self { state: owned.state, fence: owned.fence, stop: Some(stop), trends: Vec::new() }
    }
}

/// A run in progress.
struct Execution<'a> {
    app: &'a App,
    run: RunContext,
    state: RunState,
    fence: Fence,
    deadline: Deadline,
    queue: Queue,
    calls: FuturesUnordered<BoxFuture<'static, Called>>,
    /// Calls in flight, to know what is left when they are cut off.
    calling: Vec<InFlight>,
    lanes: Vec<Lane>,
    writer: BulkWriter,
    storing: Storing,
    seen: Seen,
    /// Work that this attempt will not retry.
    put_off: Vec<Work>,
    stop: Option<Stop>,
    saving: Option<Saving>,
    /// Steps that share something with all runs, and the one in progress.
    steps: VecDeque<Step>,
    stepping: Option<BoxFuture<'static, Stepped>>,
    next_upkeep: Instant,
    /// Since when this run has been registered to call.
    turn_began: Option<Instant>,
    /// Whether it has registered the number of concurrent calls it wants.
    has_asked: bool,
    /// Calls that had been sent when the provider last reported a limit.
    limited_at: u64,
    /// The ID token that the provider rejected in this attempt.
    refused_token: Option<Arc<Token>>,
    call_number: u64,
    last_save: Instant,
    lease_until: Instant,
    changed: bool,
}

/// A call in flight.
struct InFlight {
    number: u64,
    endpoint: &'static str,
    started: Instant,
    /// What is left to do if it is cut off; none for a control.
    work: Option<Work>,
    /// Whether its purpose is to find out if the provider is up.
    is_check: bool,
}

/// A checkpoint in flight.
struct Saving {
    started: Instant,
    future: BoxFuture<'static, Result<Fence, SaveError>>,
}

enum Event {
    Called(Called),
    Settled(Settled),
    Saved(Instant, Result<Fence, SaveError>),
    Stepped(Stepped),
    Time,
}

/// Works on the pending tickers of an owned run until none are left or it must stop.
pub async fn execute(app: &App, job: &'static Job, scope: Scope, owned: Owned, start: Instant) -> Executed {
    let mut execution = Execution::new(app, job, scope, owned, start);
    execution.work().await;
    execution.finish().await
}

/// Yields to the runtime and the instance's other requests. Reading a response takes milliseconds in which nothing
/// arrives and nothing is sent: several at once would hold up all writes, and every `/health`.
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
    fn new(app: &'a App, job: &'static Job, scope: Scope, owned: Owned, start: Instant) -> Self {
        let Owned { mut state, fence } = owned;
        let provider = app.config.provider(job.provider);
        let lease_until = fence.lease_until();
        let endpoints: Vec<_> = job.endpoints.iter().map(|endpoint| endpoint.path).collect();
        let pending = std::mem::take(&mut state.pending);
        let queue = Queue::new(pending, &endpoints, provider.batch_size, app.config.call.max_attempts);
        let lane = |endpoint: &&'static str| {
            let failures = app.breakers.failures(job.provider, endpoint);
            let diagnosis = Diagnosis::new(failures, app.breakers.config());
            Lane::new(endpoint, diagnosis, provider.max_concurrency, state.controls.get(*endpoint).cloned())
        };
        let lanes = endpoints.iter().map(lane).collect();
        let deadline = Deadline::new(start, app.deadline_of(job, state.trigger));
        let now = app.world.clock.instant();
        Self {
            app,
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
            writer: app.bulk_writer(),
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
