//! Orders about runs: cancel one, resume one, resume many.

use std::pin::pin;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::{Either, select};
use serde::Serialize;

use super::{Answer, Engine};
use crate::base::context;
use crate::base::ports::{Instant, TransportError};
use crate::firestore::{FirestoreError, Write};
use crate::ledger::orders::Order;
use crate::ledger::summary::ListedRun;
use crate::ledger::{Cancelling, Filter, PageToken};
use crate::resilience::deadline::Deadline;
use crate::run::report::RunReport;
use crate::run::{Cancelled, RunState, Status};

/// Longest wait for a run's owner to stop: it does within 2 s, and then stores what it has received.
const STOP_WAIT: Duration = Duration::from_secs(5);
/// Time between two looks whether it has.
const STOP_POLL: Duration = Duration::from_millis(250);
/// Longest time for an order that needs Firestore only.
const ORDER_TIME: Duration = Duration::from_secs(30);
/// Runs of one page while those to be resumed are looked for.
const PAGE: usize = 200;
/// Most runs that are looked at to find the oldest.
const MATCHED_MAX: usize = 1_000;
/// What is said of a run that has expired meanwhile.
const GONE: &str = "the run no longer exists";

/// Result of an order to cancel a run.
#[derive(Debug)]
pub enum Stopped {
    Cancelled(Box<RunReport>),
    /// Its owner is asked and has not stopped yet.
    Asked(Box<RunReport>),
    /// It had ended before the order reached it.
    Ended(Box<RunReport>),
}

impl Engine {
    /// Carries out an order in the time of one request; whether it takes effect after that is unknown.
    pub async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, FirestoreError>>,
    ) -> Result<T, FirestoreError> {
        let time = ORDER_TIME.min(self.settings.run.deadline);
        match select(pin!(work), self.world.clock.sleep(time)).await {
            Either::Left((done, _)) => done,
            Either::Right(_) => Err(TransportError::Timeout(time).into()),
        }
    }

    /// Stops a run on whatever instance works on it; none if it is unknown.
    pub async fn cancel(&self, run_id: &str, order: &Order) -> Result<Option<Stopped>, FirestoreError> {
        let words = Cancelled {
            by: order.who.clone(),
            at: self.world.clock.now(),
            reason: order.why.clone().unwrap_or_default(),
        };
        let beside = [self.ledger.order(order)];
        Ok(match self.ledger.cancel(run_id, &words, &beside).await? {
            None => None,
            Some(Cancelling::Ended(state)) => Some(Stopped::Ended(report(&state))),
            Some(Cancelling::Done(state)) => Some(Stopped::Cancelled(report(&state))),
            Some(Cancelling::Asked) => self.await_stop(run_id).await?,
        })
    }

    /// Waits until the owner of a run has stopped.
    async fn await_stop(&self, run_id: &str) -> Result<Option<Stopped>, FirestoreError> {
        let start = self.world.clock.instant();
        while self.world.clock.instant().since(start) < STOP_WAIT && self.ledger.is_running(run_id).await? {
            self.world.clock.sleep(STOP_POLL).await;
        }
        let state = self.ledger.get(run_id).await?;
        Ok(state.map(|state| match state.status {
            Status::Cancelled => Stopped::Cancelled(report(&state)),
            Status::Running => Stopped::Asked(report(&state)),
            _ => Stopped::Ended(report(&state)),
        }))
    }

    /// Continues a run; none if it is unknown. The order is stored in the commit that takes the run up.
    pub async fn resume(&self, run_id: &str, order: Option<Write>) -> Option<Answer> {
        self.resume_since(run_id, order, self.world.clock.instant()).await
    }

    /// The same in a request that began at `start`.
    pub async fn resume_since(&self, run_id: &str, order: Option<Write>, start: Instant) -> Option<Answer> {
        let work = async {
            let beside = |state: &RunState, owner: &str| {
                self.beside(state, owner).into_iter().chain(order.clone()).collect()
            };
            match self.ledger.resume(run_id, &beside).await {
                // A person wants the result now, whatever the provider has published, and even of a paused job.
                Ok(Some(claim)) => Some(self.answer(claim, start, false).await),
                Ok(None) => None,
                Err(error) => Some(Answer::Unavailable(error)),
            }
        };
        let left = self.settings.run.deadline.saturating_sub(self.world.clock.instant().since(start));
        self.by_deadline(left, Box::pin(work)).await.unwrap_or_else(Some)
    }
}

/// Which runs are to be resumed.
#[derive(Debug)]
pub struct Selection {
    pub job: Option<&'static str>,
    pub status: Status,
    /// Created at this time or later, and before the other.
    pub from: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    pub limit: usize,
}

/// What became of a run that was to be resumed.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Only a dry run was asked for.
    WouldBeResumed,
    /// Its attempt has ended.
    Resumed,
    /// Another request is working on it.
    Running,
    /// It had nothing left to do.
    Ended,
    /// This request has no time left for it: order it again.
    NotReached,
    /// Firestore is unreachable.
    Unavailable,
}

/// A run that was to be resumed.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Debug, Serialize)]
pub struct Resumed {
    pub run_id: String,
    pub job: String,
    pub outcome: Fate,
    /// Its status now.
    pub run_status: Status,
    pub message: String,
}

impl Selection {
    /// The filter, for people.
    pub fn words(&self) -> String {
        let Self { job, status, from, until, limit } = self;
        let time = |name: &str, time: &Option<DateTime<Utc>>| {
            time.map(|time| format!(" {name}={}", time.to_rfc3339())).unwrap_or_default()
        };
        let job = job.map(|job| format!(" job={job}")).unwrap_or_default();
        format!("status={}{job}{}{} limit={limit}", status.name(), time("from", from), time("to", until))
    }
}

impl Engine {
    /// How many runs a selection matches, and the oldest of them; none if there are too many to look at.
    pub async fn resumable(
        &self,
        wanted: &Selection,
    ) -> Result<Option<(usize, Vec<Resumed>)>, FirestoreError> {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let Selection { job, status, from, until, .. } = *wanted;
            let filter = Filter { job, status: Some(status), from, until, limit: PAGE, after };
            let page = self.ledger.list(&filter).await?;
            // One that waits for its data has not failed, and goes on by itself.
            found.extend(page.runs.into_iter().filter(|run| run.summary.waits_until.is_none()));
            if found.len() > MATCHED_MAX {
                return Ok(None);
            }
            after = page.next_page_token.as_deref().and_then(PageToken::parse);
            if after.is_none() {
                break;
            }
        }
        let matched = found.len();
        let would = |run: ListedRun| Resumed {
            run_id: run.summary.run_id,
            job: run.job,
            outcome: Fate::WouldBeResumed,
            run_status: run.summary.run_status,
            message: run.message,
        };
        Ok(Some((matched, found.into_iter().rev().take(wanted.limit).map(would).collect())))
    }

    /// Resumes runs one after the other, within the time of a request that began at `start`.
    pub async fn resume_all(&self, runs: Vec<Resumed>, start: Instant) -> Vec<Resumed> {
        let deadline = Deadline::new(start, self.settings.run.deadline);
        let mut ended = Vec::new();
        for run in runs {
            let has_time = deadline.admits(self.world.clock.instant());
            let answer = if has_time { self.resume_since(&run.run_id, None, start).await } else { None };
            ended.push(match answer {
                None if has_time => Resumed { outcome: Fate::Ended, message: GONE.to_owned(), ..run },
                None => Resumed { outcome: Fate::NotReached, ..run },
                Some(Answer::Ended { report, .. }) => run.now(Fate::Resumed, *report),
                Some(Answer::Finished(report)) => run.now(Fate::Ended, *report),
                Some(Answer::Running { report, .. }) => run.now(Fate::Running, *report),
                Some(Answer::Different | Answer::TooLarge(_)) => Resumed { outcome: Fate::Ended, ..run },
                Some(Answer::Unavailable(error)) => {
                    Resumed { outcome: Fate::Unavailable, message: error.to_string(), ..run }
                }
            });
        }
        ended
    }
}

impl Resumed {
    fn now(self, outcome: Fate, report: RunReport) -> Self {
        Self { outcome, run_status: report.data.run_status, message: report.message, ..self }
    }
}

fn report(state: &RunState) -> Box<RunReport> {
    context::works_on(&state.job, &state.identity.run_id);
    Box::new(RunReport::new(state))
}
