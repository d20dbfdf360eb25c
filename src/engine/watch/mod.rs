//! The watch over runs: it goes on with those that nobody takes up any more, and fills holes.

mod due;
pub(super) mod heal;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use futures::future::{Either, join_all, select};
use serde::Serialize;

use super::{Answer, Engine};
use crate::base::context::{self, RequestContext};
use crate::base::ports::{Instant, TransportError};
use crate::catalogue::{self, Job, Provider};
use crate::engine::backfill::{NoPlan, Requested};
use crate::engine::execute::Executed;
use crate::firestore::FirestoreError;
use crate::ledger::summary::{ListedRun, RunSummary};
use crate::ledger::{Claim, Filter, PageToken};
use crate::run::report::ReportStatus;
use crate::run::stop::StopReason;
use crate::run::{RunState, Status, Trigger};
use due::{Duty, is_background};

/// Runs in one list, and lists of one status that are looked at.
const RUNS_MAX: usize = 200;
const PAGES_MAX: usize = 5;
/// Latest runs of a job among which are those of the ticks that no later tick has replaced.
const RUNS_HEALED: usize = 20;
/// After this long, the watch begins with no further run: the next watch does.
const BEGINS_FOR: Duration = Duration::from_secs(30);

/// What the watch knows from before, so that it need not ask Firestore every minute.
#[derive(Debug, Default)]
pub struct Remembered {
    /// Runs that heal, and have been made or had nothing to do.
    healed: Mutex<BTreeSet<String>>,
}

/// What the watch did for one run.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WatchedRun {
    pub run_id: String,
    pub job: String,
    pub status: ReportStatus,
    pub message: String,
}

/// A run that the watch could not work on.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnwatchedRun {
    pub run_id: String,
    pub error: String,
}

/// What the watch did for all runs.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct WatchedRuns {
    /// Unfinished runs that it went on with, or closed because nobody goes on with them any more.
    pub resumed: Vec<WatchedRun>,
    /// Backfills that it started because records were missing.
    pub healed: Vec<WatchedRun>,
    /// Runs that it could not work on.
    pub failed: Vec<UnwatchedRun>,
}

/// Something to do.
enum Task {
    GoOn { run_id: String, job: &'static Job },
    GiveUp { run_id: String, job: &'static Job, reason: &'static str },
    Heal(Box<Trigger>),
}

impl Engine {
    /// Goes on with unfinished runs and fills holes, one run at a time for each provider, in a request that began at
    /// `start`.
    pub async fn watch(&self, start: Instant) -> Result<WatchedRuns, FirestoreError> {
        let deadline = self.settings.run.deadline;
        let left = deadline.saturating_sub(self.world.clock.instant().since(start));
        match select(Box::pin(self.watch_runs(start)), self.world.clock.sleep(left)).await {
            Either::Left((watched, _)) => watched,
            Either::Right(_) => Err(TransportError::Timeout(deadline).into()),
        }
    }

    async fn watch_runs(&self, start: Instant) -> Result<WatchedRuns, FirestoreError> {
        let mut tasks = self.unfinished().await?;
        tasks.extend(self.holes_to_fill().map(|trigger| Task::Heal(Box::new(trigger))));
        let of = Provider::all().map(|provider| {
            let (own, others) =
                std::mem::take(&mut tasks).into_iter().partition(|task| task.provider() == provider);
            tasks = others;
            self.watch_provider(own, start)
        });
        let mut done = WatchedRuns::default();
        for part in join_all(of).await {
            done.resumed.extend(part.resumed);
            done.healed.extend(part.healed);
            done.failed.extend(part.failed);
        }
        Ok(done)
    }

    /// One entry that cannot be read must not keep the watch from all others.
    async fn watch_provider(&self, tasks: Vec<Task>, start: Instant) -> WatchedRuns {
        let mut done = WatchedRuns::default();
        // What is begun late would be cut off at once.
        let begins_for = BEGINS_FOR.min(self.settings.run.deadline / 4);
        for task in tasks {
            if self.world.clock.instant().since(start) >= begins_for {
                break;
            }
            let run_id = task.run_id().to_owned();
            let worked = match task {
                Task::GoOn { run_id, job } => {
                    let worked = Box::pin(self.apart(self.go_on(&run_id, job, start))).await;
                    worked.map(|run| done.resumed.extend(run))
                }
                Task::GiveUp { run_id, job, reason } => {
                    let worked = Box::pin(self.apart(self.give_up(&run_id, job, reason, start))).await;
                    worked.map(|run| done.resumed.extend(run))
                }
                Task::Heal(trigger) => {
                    let worked = Box::pin(self.apart(self.heal(*trigger, start))).await;
                    worked.map(|run| done.healed.extend(run))
                }
            };
            if let Err(error) = worked {
                tracing::error!(run.id = run_id, %error, "the watch could not work on a run");
                done.failed.push(UnwatchedRun { run_id, error: error.to_string() });
            }
        }
        done
    }

    /// Does work in a context of its own: several runs at once have their own log fields and traffic.
    async fn apart<T>(&self, work: impl Future<Output = T>) -> T {
        match context::current() {
            Some(outer) => {
                let own = RequestContext::new(outer.request_id.clone(), outer.trace);
                context::within(Arc::new(own), work).await
            }
            None => work.await,
        }
    }

    /// Unfinished runs that are due or given up: oldest first, backfills after the others.
    async fn unfinished(&self) -> Result<Vec<Task>, FirestoreError> {
        let now = self.world.clock.now();
        let mut due: Vec<(&'static Job, Duty, RunSummary)> = Vec::new();
        for status in [Status::Running, Status::Failed] {
            let mut after = None;
            for _ in 0..PAGES_MAX {
                let filter = Filter { status: Some(status), limit: RUNS_MAX, after, ..Filter::default() };
                let page = self.ledger.list(&filter).await?;
                let is_recent = |run: &ListedRun| {
                    run.summary.created_at.is_some_and(|created| now - created <= due::BACKFILL_FOR)
                };
                let goes_on = page.runs.last().is_some_and(is_recent);
                for run in page.runs {
                    let Some(job) = catalogue::find(&run.job) else { continue };
                    let duty = due::duty(job, &run.summary, &self.settings.ticks, now);
                    due.extend(duty.map(|duty| (job, duty, run.summary)));
                }
                match page.next_page_token.as_deref().and_then(PageToken::parse).filter(|_| goes_on) {
                    Some(token) => after = Some(token),
                    None => break,
                }
            }
        }
        due.sort_by_key(|(_, _, run)| (is_background(run), run.created_at));
        let task = |(job, duty, run): (_, _, RunSummary)| match duty {
            Duty::GoOn => Task::GoOn { run_id: run.run_id, job },
            Duty::GiveUp(reason) => Task::GiveUp { run_id: run.run_id, job, reason },
        };
        Ok(due.into_iter().map(task).collect())
    }

    /// Works on a run as far as its next attempt gets; none if somebody else does, or nothing is left.
    async fn go_on(
        &self,
        run_id: &str,
        job: &'static Job,
        start: Instant,
    ) -> Result<Option<WatchedRun>, FirestoreError> {
        let claim = self.ledger.go_on(run_id, &|state, owner| self.beside(state, owner)).await?;
        match claim {
            Some(claim @ Claim::Owned(_)) => Ok(self.attempt(claim, job, start).await),
            _ => Ok(None),
        }
    }

    /// Closes a run whose owner has died; what was pending is named in its entry and stays so. None if its owner is
    /// alive, or it has ended.
    async fn give_up(
        &self,
        run_id: &str,
        job: &'static Job,
        reason: &'static str,
        start: Instant,
    ) -> Result<Option<WatchedRun>, FirestoreError> {
        let claim = self.ledger.go_on(run_id, &|state, owner| self.beside(state, owner)).await?;
        let Some(Claim::Owned(owned)) = claim else { return Ok(None) };
        context::works_on(job.name, run_id);
        let given_up = Executed::stopped(*owned, StopReason::GivenUp { reason });
        Ok(watched(self.end(given_up, start, false).await))
    }

    async fn attempt(&self, claim: Claim, job: &'static Job, start: Instant) -> Option<WatchedRun> {
        let Claim::Owned(owned) = &claim else { return None };
        let spent = self.world.clock.instant().since(start);
        let deadline = self.deadline_of(job, owned.state.identity.trigger).saturating_sub(spent);
        let work = Box::pin(self.answer(claim, start, true));
        watched(self.by_deadline(deadline, work).await.unwrap_or_else(|late| late))
    }

    /// The backfills of the last sessions that are not known to be made.
    fn holes_to_fill(&self) -> impl Iterator<Item = Trigger> {
        let now = self.world.clock.now();
        let patience = TimeDelta::from_std(self.settings.run.publish.patience).unwrap_or_default();
        let healing = move |job| {
            heal::healing(job, &self.settings.ticks, patience, self.settings.run.heal_sessions, now)
        };
        catalogue::jobs().filter_map(healing).filter(|trigger| !self.remembered().contains(&trigger.run_id))
    }

    /// Starts a backfill, unless it was made before or nothing is missing.
    async fn heal(&self, trigger: Trigger, start: Instant) -> Result<Option<WatchedRun>, FirestoreError> {
        let (run_id, job) = (trigger.run_id.clone(), trigger.job);
        if self.ledger.get(&run_id).await?.is_some() {
            self.remembered().insert(run_id);
            return Ok(None);
        }
        let now = self.world.clock.now();
        let pause = self.ledger.paused(job.name).await?;
        let Some(backfill) = trigger.backfill.filter(|_| !pause.is_some_and(|pause| pause.is_active(now)))
        else {
            return Ok(None);
        };
        let requested = self.requested(job).await?;
        let state = match self.run_without(&trigger, backfill, &requested).await {
            Ok(state) => state,
            Err(NoPlan::Firestore(error)) => return Err(error),
            Err(NoPlan::TooLarge(reason)) => {
                tracing::error!(run.id = run_id, reason, "missing records cannot be filled by one run");
                let refused = RunState { status: Status::Partial, ..trigger.into_state(now) };
                return self.note_healed(refused, reason).await;
            }
        };
        if state.pending.is_empty() {
            let remark = if requested.is_empty() {
                "no record is missing"
            } else {
                "no record is missing but those that a tick's run has still to request"
            };
            return self.note_healed(state, remark.to_owned()).await;
        }
        let claim = self.ledger.claim(state, &|state, owner| self.beside(state, owner)).await?;
        self.remembered().insert(run_id);
        Ok(self.attempt(claim, job, start).await)
    }

    /// What the runs of a job's ticks have still to request.
    async fn requested(&self, job: &'static Job) -> Result<Requested, FirestoreError> {
        let now = self.world.clock.now();
        let mut requested = Requested::default();
        for status in [Status::Running, Status::Failed] {
            let filter =
                Filter { job: Some(job.name), status: Some(status), limit: RUNS_HEALED, ..Filter::default() };
            let page = self.ledger.list(&filter).await?;
            let is_expected =
                |run: &&ListedRun| due::is_expected(job, &run.summary, &self.settings.ticks, now);
            for run in page.runs.iter().filter(is_expected) {
                if let Some(state) = self.ledger.get(&run.summary.run_id).await? {
                    requested.add(job, &state, &self.settings.ticks.calendar);
                }
            }
        }
        Ok(requested)
    }

    /// Stores that there was nothing to do, so that no instance looks again.
    async fn note_healed(
        &self,
        mut state: RunState,
        remark: String,
    ) -> Result<Option<WatchedRun>, FirestoreError> {
        let run_id = state.identity.run_id.clone();
        state.remark(remark);
        state.planned = true;
        state.attempt.ended_at = Some(self.world.clock.now());
        if state.status == Status::Running {
            state.status = Status::Succeeded;
        }
        self.ledger.leave(state).await?;
        self.remembered().insert(run_id);
        Ok(None)
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, BTreeSet<String>> {
        self.watch.healed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Plans the runs that request the histories again that this one has found changed; the watch works on them. Why it
    /// cannot, if Firestore does not answer.
    pub(super) async fn plan_refetches(&self, state: &mut RunState) -> Option<StopReason> {
        let sessions = self.settings.run.refetch_sessions;
        let job = catalogue::find(&state.job).filter(|_| sessions > 0 && !state.has_pending())?;
        let now = self.world.clock.now();
        for trigger in heal::refetches(state, job, &self.settings.ticks.calendar, sessions, now) {
            let (run_id, backfill) = (trigger.run_id.clone(), trigger.backfill?);
            let count = trigger.tickers.as_ref().map_or(0, Vec::len);
            let planned = match self.run_of_backfill(trigger, backfill).await {
                Ok(new) => self.ledger.leave(new).await,
                Err(NoPlan::TooLarge(reason)) => {
                    state.remark(format!(
                        "the histories of {count} tickers cannot be requested again: {reason}"
                    ));
                    continue;
                }
                Err(NoPlan::Firestore(error)) => Err(error),
            };
            match planned {
                Ok(true) => state.remark(format!(
                    "{count} tickers had a split or dividend: their history is requested again by {run_id}"
                )),
                Ok(false) => {}
                Err(error) => {
                    return Some(StopReason::Storage {
                        reason: format!("{run_id} could not be planned: {error}"),
                    });
                }
            }
        }
        None
    }
}

/// What the watch says of a run; nothing if it could not end its attempt.
fn watched(answer: Answer) -> Option<WatchedRun> {
    match answer {
        Answer::Ended { report, .. } | Answer::Running { report, .. } | Answer::Finished(report) => {
            Some(WatchedRun {
                run_id: report.data.identity.run_id.clone(),
                job: report.job.clone(),
                status: report.status,
                message: report.message.clone(),
            })
        }
        Answer::Different | Answer::TooLarge(_) => None,
        Answer::Unavailable(error) => {
            tracing::warn!(%error, "the watch could not finish an attempt");
            None
        }
    }
}

impl Task {
    fn run_id(&self) -> &str {
        match self {
            Self::GoOn { run_id, .. } | Self::GiveUp { run_id, .. } => run_id,
            Self::Heal(trigger) => &trigger.run_id,
        }
    }

    fn provider(&self) -> Provider {
        match self {
            Self::GoOn { job, .. } | Self::GiveUp { job, .. } => job.provider,
            Self::Heal(trigger) => trigger.job.provider,
        }
    }
}
