//! Taking in stored answers once more: records are made again from the raw logs, and no provider is called.

use chrono::{DateTime, Utc};
use futures::future::{Either, select};

use super::execute::Executed;
use super::execute::differences::{self, Differences};
use super::execute::recall::{self, SourceRun};
use super::{Answer, Engine};
use crate::base::context;
use crate::base::id::fnv1a_128;
use crate::base::ports::Instant;
use crate::catalogue::{Job, Scope};
use crate::firestore::{FirestoreError, Write};
use crate::intake::call_log;
use crate::ledger::{Filter, Kept, Owned, PageToken};
use crate::resilience::deadline::Deadline;
use crate::run::stop::StopReason;
use crate::run::{Replay, RunState, Source, Status, Trigger};

/// Runs of one replay: their IDs fit into its ledger entry.
pub const RUNS_MAX: usize = 1_000;
/// Runs of one page.
const PAGE: usize = 200;

/// Stored answers that are to be taken in once more.
#[derive(Debug)]
pub struct Recalling {
    pub job: &'static Job,
    /// Oldest first.
    pub runs: Vec<String>,
    /// What was asked for: distinguishes requests under the same key.
    pub asked: String,
}

/// The runs of a job in some time.
#[derive(Debug)]
pub enum Selected {
    Runs(Vec<String>),
    /// More than [`RUNS_MAX`].
    TooMany,
}

impl Engine {
    /// The runs of a job that called its provider and have ended, created from `from` on and before `until`; oldest
    /// first.
    pub async fn replayable(
        &self,
        job: &'static Job,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Selected, FirestoreError> {
        let (mut runs, mut after) = (Vec::new(), None);
        loop {
            let (job, from, until) = (Some(job.name), Some(from), Some(until));
            let filter = Filter { job, from, until, limit: PAGE, after, ..Filter::default() };
            let page = self.ledger.list(&filter).await?;
            let is_over = |status: Status| !matches!(status, Status::Running | Status::Skipped);
            let over = page.runs.into_iter().map(|run| run.summary);
            let over = over.filter(|run| is_over(run.run_status) && run.trigger != Source::Replay.name());
            runs.extend(over.map(|run| run.run_id));
            if runs.len() > RUNS_MAX {
                return Ok(Selected::TooMany);
            }
            after = page.next_page_token.as_deref().and_then(PageToken::parse);
            if after.is_none() {
                runs.reverse();
                return Ok(Selected::Runs(runs));
            }
        }
    }

    /// What a replay would change.
    pub async fn differences(&self, wanted: &Recalling) -> Result<Differences, FirestoreError> {
        let start = self.world.clock.instant();
        let deadline = Deadline::new(start, self.deadline_of(wanted.job, Source::Replay));
        let mut found = Differences::of(wanted.runs.len());
        let work = async {
            for run_id in &wanted.runs {
                // Nothing of the others would be looked at.
                if !found.complete {
                    break;
                }
                let Some((scope, source)) = self.source_run(run_id, None).await? else {
                    found.answers_unreadable += 1;
                    continue;
                };
                differences::compare(self, wanted.job, scope, source, &deadline, &mut found).await?;
            }
            Ok::<_, FirestoreError>(())
        };
        let left = deadline.until_hard(start);
        let is_late = match select(Box::pin(work), self.world.clock.sleep(left)).await {
            Either::Left((done, _)) => done.map(|()| false)?,
            Either::Right(_) => true,
        };
        found.complete &= !is_late;
        Ok(found)
    }

    /// Takes in stored answers once more, as a run with this ID. The order is stored in the commit that makes the run.
    pub async fn replay(&self, run_id: String, wanted: Recalling, order: Write) -> Answer {
        let start = self.world.clock.instant();
        let job = wanted.job;
        context::works_on(job.name, &run_id);
        let new = self.replaying(run_id, wanted);
        let beside = |state: &RunState, _: &str| {
            Some(order.clone()).filter(|_| state.attempt.number == 1).into_iter().collect()
        };
        let work = async {
            match self.ledger.claim(new, &beside).await {
                Ok(claim) => self.answer(claim, start, false).await,
                Err(error) => Answer::Unavailable(error),
            }
        };
        let deadline = self.deadline_of(job, Source::Replay);
        self.by_deadline(deadline, Box::pin(work)).await.unwrap_or_else(|late| late)
    }

    fn replaying(&self, run_id: String, Recalling { job, runs, asked }: Recalling) -> RunState {
        let now = self.world.clock.now();
        let trigger = Trigger {
            job,
            scope: job.scope,
            tickers: None,
            run_time: now,
            backfill: None,
            force: false,
            dry_run: false,
            reason: None,
            digest: format!("{:032x}", fnv1a_128(format!("replay\n{asked}").as_bytes())),
            run_id,
            source: Source::Replay,
            tick: None,
        };
        RunState { replay: Some(Box::new(Replay::of(runs))), ..trigger.into_state(now) }
    }

    /// Works on an owned replay, one source run after the other.
    pub(super) async fn replay_runs(
        &self,
        job: &'static Job,
        scope: Scope,
        mut owned: Owned,
        start: Instant,
    ) -> Executed {
        let deadline = Deadline::new(start, self.deadline_of(job, Source::Replay));
        loop {
            let Some(replay) = owned.state.replay.as_deref() else {
                return Executed::stopped(owned, StopReason::Ledger { reason: "it is no replay".to_owned() });
            };
            let Some(run_id) = replay.next_run().map(ToOwned::to_owned) else {
                owned.state.planned = true;
                return Executed { state: owned.state, fence: owned.fence, stop: None, trends: Vec::new() };
            };
            if owned.fence.cancelled().is_some() {
                return Executed::stopped(owned, StopReason::Cancelled);
            }
            if !deadline.admits(self.world.clock.instant()) {
                return Executed::stopped(owned, StopReason::Deadline);
            }
            let after = replay.after.clone();
            let source = self.source_run(&run_id, after.as_deref());
            let source = match self.ledger.keeping(&mut owned, source).await {
                Kept::Done(Ok(source)) => source,
                Kept::Done(Err(error)) => {
                    let reason = format!("the answers of {run_id} cannot be read: {error}");
                    return Executed::stopped(owned, StopReason::Storage { reason });
                }
                Kept::Lost => return Executed::stopped(owned, StopReason::Lost),
                Kept::Cancelled => return Executed::stopped(owned, StopReason::Cancelled),
                Kept::Expired => {
                    let reason = super::prepare::LEASE_EXPIRED.to_owned();
                    return Executed::stopped(owned, StopReason::Ledger { reason });
                }
            };
            let Some((_, source)) = source else {
                owned.state.remark(format!("{run_id} has expired: its answers cannot be read any more"));
                if let Some(replay) = &mut owned.state.replay {
                    replay.answers_unreadable += 1;
                    replay.end_run();
                }
                continue;
            };
            let before = owned.state.replay.as_ref().map(|replay| replay.runs_done);
            let mut executed = recall::replay(self, job, scope, owned, start, source).await;
            if executed.state.replay.as_ref().map(|replay| replay.runs_done) == before {
                let unsaid =
                    || StopReason::Storage { reason: format!("not all answers of {run_id} were stored") };
                executed.stop.get_or_insert_with(unsaid);
                return executed;
            }
            owned = Owned { state: executed.state, fence: executed.fence };
        }
    }

    /// A run with the answers that are still to be taken in, those after the log `after`; none if it no longer exists.
    async fn source_run(
        &self,
        run_id: &str,
        after: Option<&str>,
    ) -> Result<Option<(Scope, SourceRun)>, FirestoreError> {
        let Some(state) = self.ledger.get(run_id).await? else { return Ok(None) };
        let collection = &self.settings.collections.raw_logs;
        let mut answers = call_log::answers(&self.firestore, collection, run_id).await?;
        if let Some(after) = after {
            answers.retain(|answer| answer.is_after(after, run_id));
        }
        let scope = Scope::parse(&state.identity.scope).unwrap_or(Scope::None);
        Ok(Some((scope, SourceRun { state, answers })))
    }
}
