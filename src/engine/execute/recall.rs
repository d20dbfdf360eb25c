//! Replaying: responses come from the raw logs in place of the provider, one source run at a time, and take the same way
//! from there on.

use std::collections::{HashSet, VecDeque};
use std::future::pending;
use std::pin::Pin;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::stream::{self, Stream, StreamExt};
use http::HeaderMap;

use super::coverage::Covering;
use super::deliveries::Delivery;
use super::dispatch::WAITING_BYTES_MAX;
use super::queue::Batch;
use super::reaction::Settling;
use super::reply::Reply;
use super::run_context::RunContext;
use super::{Executed, Execution};
use crate::base::ports::{InboundResponse, Instant};
use crate::catalogue::{Job, Scope};
use crate::engine::Engine;
use crate::firestore::bulk::Comparison;
use crate::firestore::{DocumentPath, Firestore, FirestoreError, Value, Write};
use crate::intake::call_log::Logged;
use crate::intake::kind::Kind;
use crate::intake::recall::{self, Answer, Recalled};
use crate::intake::replayed::{OnlyIfMissing, ReplayedRecord};
use crate::ledger::Owned;
use crate::run::stop::StopReason;
use crate::run::{Identity, RunState, Source};

/// Responses whose documents or whose coverage, which is written every two seconds at most, are being stored.
const OPEN_MAX: usize = 1_000;

/// What is said if adjusted prices were written.
const ADJUSTED: &str = "adjusted prices are written as they were adjusted when the answers arrived: where there has been a \
                        split or dividend since, request the history again (a backfill with only: all)";

/// The run whose responses are taken in once more.
pub(in crate::engine) struct SourceRun {
    pub state: RunState,
    pub answers: Vec<Logged>,
}

/// The responses that are still to come, and those whose documents are not stored yet.
pub(super) struct Recalls {
    answers: Pin<Box<dyn Stream<Item = Result<Vec<Answer>, FirestoreError>> + Send>>,
    waiting: VecDeque<Answer>,
    is_exhausted: bool,
    /// Log IDs in order, each with whether it is through; the first is not.
    open: VecDeque<(String, bool)>,
    /// When the raw log was stored whose documents are being handed to the writer.
    logged_at: DateTime<Utc>,
}

impl Recalls {
    fn new(firestore: Firestore, collection: String, answers: Vec<Logged>) -> Self {
        let read = move |group: Vec<Logged>| {
            let (firestore, collection) = (firestore.clone(), collection.clone());
            async move { recall::read(&firestore, &collection, &group).await }
        };
        Self {
            answers: Box::pin(stream::iter(recall::groups(answers)).then(read)),
            waiting: VecDeque::new(),
            is_exhausted: false,
            open: VecDeque::new(),
            logged_at: DateTime::UNIX_EPOCH,
        }
    }

    /// Reads the next responses if none is waiting; false if there are no more. A read that was begun must not stand
    /// still while documents are stored, or its time would be up.
    async fn fill(&mut self) -> Result<bool, FirestoreError> {
        while self.waiting.is_empty() {
            match self.answers.next().await {
                Some(group) => self.waiting.extend(group?),
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// A response is through. Returns the latest one up to which all are, if that has changed.
    fn end(&mut self, log_id: &str) -> Option<String> {
        if let Some((_, is_through)) = self.open.iter_mut().find(|(open, _)| open == log_id) {
            *is_through = true;
        }
        let mut last = None;
        while self.open.front().is_some_and(|(_, is_through)| *is_through) {
            last = self.open.pop_front().map(|(log_id, _)| log_id);
        }
        last
    }
}

/// What comes next of the responses.
pub(super) type Next = Result<Option<Answer>, FirestoreError>;

/// Takes in the responses of one run for a replay that is owned.
pub(in crate::engine) async fn replay(
    engine: &Engine,
    job: &'static Job,
    scope: Scope,
    owned: Owned,
    start: Instant,
    source: SourceRun,
) -> Executed {
    let mut execution = Execution::new(engine, job, scope, owned, start);
    execution.recall(source);
    execution.work().await;
    let is_through = execution.recalls.as_ref().is_some_and(|recalls| recalls.is_exhausted);
    let mut executed = execution.finish().await;
    let is_whole = is_through && executed.stop.is_none() && executed.state.pending.is_empty();
    if let Some(replay) = executed.state.replay.as_mut().filter(|_| is_whole) {
        replay.end_run();
    }
    executed
}

impl Execution<'_> {
    /// Makes this the replay of a run: everything is as it was for that one.
    fn recall(&mut self, SourceRun { state: source, answers }: SourceRun) {
        let tick = source.tick().unwrap_or(source.identity.created_at);
        let identity = Identity { trigger: Source::Replay, ..source.identity.clone() };
        let about = RunState { identity, scheduled_at: Some(tick), ..RunState::default() };
        let now = self.engine.world.clock.instant();
        let ticks = &self.engine.settings.ticks;
        self.coverage = Covering::new(self.engine.coverage.clone(), ticks, self.run.job, &about, now);
        self.run = RunContext::of(self.run.job, self.run.scope, self.run.run_attempt, &source);
        let collection = self.engine.settings.collections.raw_logs.clone();
        self.recalls = Some(Recalls::new(self.engine.firestore.clone(), collection, answers));
    }

    /// Whether this attempt has responses left to take in.
    pub(super) fn has_recalls(&self) -> bool {
        self.stop.is_none() && self.recalls.as_ref().is_some_and(|recalls| !recalls.is_exhausted)
    }

    /// Whether another response may be taken in now.
    pub(super) fn may_recall(&self) -> bool {
        let is_free = self.recalls.as_ref().is_some_and(|recalls| recalls.open.len() < OPEN_MAX);
        is_free
            && self.has_recalls()
            && self.writer.waiting_bytes() < WAITING_BYTES_MAX
            && !self.coverage.is_full()
    }

    /// Stops when the time of this attempt is up.
    pub(super) fn recall_in_time(&mut self) {
        let now = self.engine.world.clock.instant();
        if self.has_recalls() && !self.deadline.admits(now) {
            self.stop = Some(StopReason::Deadline);
        }
    }

    pub(super) fn on_recalled(&mut self, next: Next) {
        let (log_id, answer) = match next {
            Ok(Some(answer)) => answer,
            Ok(None) => return,
            Err(error) => {
                let reason = format!("raw logs cannot be read: {error}");
                self.stop = Some(StopReason::Storage { reason });
                return;
            }
        };
        if let Some(recalls) = &mut self.recalls {
            recalls.open.push_back((log_id.clone(), false));
        }
        // What was no answer then is no loss now.
        let had_failed = answer.as_ref().is_ok_and(|recalled| recalled.had_failed);
        let taken_in = answer.and_then(|recalled| {
            let logged_at = recalled.logged_at;
            let reply = reply_of(self.run.job, recalled)?;
            let intake = reply.read(self.engine, &self.run).map_err(|fault| fault.message)?;
            Ok((reply.batch, intake, logged_at))
        });
        match taken_in {
            Ok((batch, intake, logged_at)) => {
                if let Some(recalls) = &mut self.recalls {
                    recalls.logged_at = logged_at;
                }
                self.store(&batch, intake, Settling { recalled: Some(log_id), ..Settling::default() });
            }
            Err(reason) => {
                if !had_failed {
                    self.note_unreadable(&log_id, &reason);
                }
                self.end_recalled(&log_id, false);
            }
        }
    }

    fn note_unreadable(&mut self, log_id: &str, reason: &str) {
        if let Some(replay) = &mut self.state.replay {
            replay.answers_unreadable += 1;
        }
        self.state.remark(format!("{log_id}: {reason}"));
    }

    /// Adjusted prices of then are not what they are today.
    pub(super) fn note_adjusted_again(&mut self, endpoint: &str) {
        if self.run.dataset(endpoint).is_some_and(|dataset| !dataset.adjusts.is_empty()) {
            self.state.remark(ADJUSTED.to_owned());
        }
    }

    /// A response is through: its documents and their coverage are stored, if it was taken in.
    pub(super) fn end_recalled(&mut self, log_id: &str, is_taken_in: bool) {
        let Some(recalls) = &mut self.recalls else { return };
        let last = recalls.end(log_id);
        let Some(replay) = &mut self.state.replay else { return };
        replay.answers += u64::from(is_taken_in);
        if last.is_some() {
            replay.after = last;
        }
    }

    /// How a document is compared that is made again.
    pub(super) fn comparison_again(
        &self,
        recalls: &Recalls,
        kind: Kind,
        write: &Write,
    ) -> Option<Box<dyn Comparison>> {
        match kind {
            Kind::Record(..) => Some(Box::new(ReplayedRecord::of(write, &self.rules, recalls.logged_at))),
            Kind::Rejected | Kind::Part => Some(Box::new(OnlyIfMissing)),
            Kind::RawLog => None,
        }
    }

    /// Documents of a delivery that say something newer: they were not written.
    pub(super) fn note_superseded(&mut self, delivery: &mut Delivery, documents: &[DocumentPath]) {
        if documents.is_empty() {
            return;
        }
        let documents: HashSet<_> = documents.iter().collect();
        delivery.cells.found.retain(|found| !documents.contains(&found.document));
        if let Some(replay) = &mut self.state.replay {
            replay.records_superseded += u64::try_from(documents.len()).unwrap_or(u64::MAX);
        }
    }
}

/// The response as if it had just arrived; why it cannot be read, if its job has changed.
pub(super) fn reply_of(job: &'static Job, recalled: Recalled) -> Result<Reply, String> {
    let Recalled { endpoint, tickers, window, parameters, received_at, status, body, .. } = recalled;
    let Some(endpoint) = job.endpoints.iter().find(|known| known.path == endpoint) else {
        return Err(format!("{} has no endpoint {endpoint} any more", job.name));
    };
    let is_larger =
        |(name, number): (&'static str, u16)| parameters.get(name) == Some(&Value::Integer(number.into()));
    let enlarged = endpoint.dataset.quality.larger().is_some_and(is_larger);
    Ok(Reply {
        number: 0,
        batch: Batch { window, enlarged, ..Batch::new(endpoint.path, tickers, 1) },
        requested_at: received_at,
        latency: Duration::ZERO,
        received_at,
        token: None,
        answer: Ok(InboundResponse { status, headers: HeaderMap::new(), body }),
    })
}

/// Waits for the next response; for ever if none may be taken in, or there are no more.
pub(super) async fn next(recalls: &mut Option<Recalls>, may_recall: bool) -> Next {
    let Some(recalls) = recalls.as_mut().filter(|recalls| !recalls.is_exhausted) else {
        return pending().await;
    };
    if !recalls.fill().await? {
        recalls.is_exhausted = true;
        return Ok(None);
    }
    if may_recall { Ok(recalls.waiting.pop_front()) } else { pending().await }
}
