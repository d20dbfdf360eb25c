//! Working off a run: calls go out, answers flow on to Firestore, the ledger learns how far it is.
//!
//! One loop owns everything. It starts what may start, waits for the next event and reacts; whatever
//! it decides comes from pure functions ([`queue`], [`crate::resilience`]). Calls and writes overlap,
//! and memory holds only the batches in flight.

mod call;
mod dispatch;
pub mod queue;
mod reaction;
mod settling;
pub mod stop;
mod storing;
mod timing;

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use futures::stream::{FuturesUnordered, StreamExt};

use crate::app::App;
use crate::firestore::FirestoreError;
use crate::firestore::bulk::{BulkWriter, Settled};
use crate::google::Token;
use crate::job::{Job, Scope};
use crate::ledger::{Fence, Owned, SaveError};
use crate::ports::{BoxFuture, Instant, millis};
use crate::resilience::deadline::Deadline;
use crate::run::{RunState, Work, merged};
use call::{Called, RunContext};
use queue::Queue;
use stop::Stop;
use storing::Storing;

/// A run that was worked on as far as it went.
pub struct Executed {
    pub state: RunState,
    pub fence: Fence,
    pub stop: Option<Stop>,
}

/// A run being worked on.
struct Execution<'a> {
    app: &'a App,
    run: RunContext,
    state: RunState,
    fence: Fence,
    deadline: Deadline,
    queue: Queue,
    calls: FuturesUnordered<BoxFuture<'static, Called>>,
    /// What is being called, to know what is left when calls are cut.
    calling: Vec<(u64, Work)>,
    writer: BulkWriter,
    storing: Storing,
    /// Work that this attempt will not try again.
    put_off: Vec<Work>,
    stop: Option<Stop>,
    saving: Option<Saving>,
    breaker_turn: Option<BoxFuture<'static, Result<Turn, FirestoreError>>>,
    /// The one call that tries whether the provider is back.
    probing: bool,
    answered: u64,
    /// The ID token that the provider did not accept in this attempt.
    refused_token: Option<Arc<Token>>,
    call_number: u64,
    last_save: Instant,
    lease_until: Instant,
    changed: bool,
}

/// A checkpoint on its way.
struct Saving {
    started: Instant,
    future: BoxFuture<'static, Result<Fence, SaveError>>,
}

/// What was done about the provider's breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Refreshed,
    Opened,
    Closed,
    /// Whether this run may probe.
    Probe(bool),
}

enum Event {
    Called(Called),
    Settled(Settled),
    Saved(Instant, Result<Fence, SaveError>),
    BreakerTurned(Result<Turn, FirestoreError>),
    Time,
}

/// Works on what is pending of an owned run until nothing is left or it must stop.
pub async fn execute(app: &App, job: &'static Job, scope: Scope, owned: Owned, start: Instant) -> Executed {
    let mut execution = Execution::new(app, job, scope, owned, start);
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
    fn new(app: &'a App, job: &'static Job, scope: Scope, owned: Owned, start: Instant) -> Self {
        let Owned { mut state, fence } = owned;
        let lease_until = fence.lease_until();
        let endpoints: Vec<_> = job.endpoints.iter().map(|endpoint| endpoint.path).collect();
        let size = app.config.provider(job.provider).batch_size;
        let queue =
            Queue::new(&std::mem::take(&mut state.pending), &endpoints, size, app.config.call.max_attempts);
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
            deadline: Deadline::new(start, app.config.run.deadline),
            queue,
            calls: FuturesUnordered::new(),
            calling: Vec::new(),
            writer: app.bulk_writer(),
            storing: Storing::default(),
            put_off: Vec::new(),
            stop: None,
            saving: None,
            breaker_turn: None,
            probing: false,
            answered: 0,
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
                Event::BreakerTurned(turned) => self.on_breaker_turned(turned),
                Event::Time => {}
            }
            if self.must_cut() {
                return;
            }
            self.checkpoint_if_due();
        }
    }

    fn is_done(&self) -> bool {
        let no_more = self.queue.is_empty() || self.stop.is_some();
        no_more && self.calls.is_empty() && self.writer.is_idle() && self.breaker_turn.is_none()
    }

    async fn next_event(&mut self) -> Event {
        let timer = self.timer();
        let Self { calls, writer, saving, breaker_turn, .. } = self;
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
        let turned = async {
            match breaker_turn {
                Some(turn) => Event::BreakerTurned(turn.await),
                None => pending().await,
            }
        };
        let settled = async { Event::Settled(writer.settled().await) };
        let time = async {
            timer.await;
            Event::Time
        };
        futures::pin_mut!(called, saved, turned, settled, time);
        futures::select_biased! {
            event = futures::FutureExt::fuse(saved) => event,
            event = futures::FutureExt::fuse(turned) => event,
            event = futures::FutureExt::fuse(settled) => event,
            event = futures::FutureExt::fuse(called) => event,
            event = futures::FutureExt::fuse(time) => event,
        }
    }

    /// Ends the attempt: what is not done is pending.
    async fn finish(mut self) -> Executed {
        let cut = self.must_cut();
        if let Some(saving) = self.saving.take()
            && self.stop != Some(Stop::Lost)
        {
            // The fence is only known again when the write on its way has landed.
            let saved = saving.future.await;
            self.on_saved(saving.started, saved);
        }
        if cut && self.stop.is_none() {
            self.stop = Some(Stop::Deadline);
        }
        self.calls.clear();
        for settled in self.writer.abandon("the request's time was used up before it was stored") {
            self.note_settled(settled);
        }
        self.state.pending = self.pending();
        self.state.resources.waits_ms.limit += millis(self.writer.held());
        Executed { state: self.state, fence: self.fence, stop: self.stop }
    }

    /// All work that is not done.
    fn pending(&self) -> Vec<Work> {
        let queued = self.queue.iter().map(|batch| batch.clone().into_work(None));
        let calling = self.calling.iter().map(|(_, work)| work.clone());
        let put_off = self.put_off.iter().cloned();
        merged(calling.chain(self.storing.open_work()).chain(queued).chain(put_off).collect())
    }
}
