//! What must be known before a provider is called.

use std::pin::pin;

use futures::future::{Either, join, select};

use super::Engine;
use super::plan;
use crate::base::ports::Instant;
use crate::catalogue::{Job, Scope, Ticker};
use crate::firestore::FirestoreError;
use crate::ledger::{Kept, Owned, packing};
use crate::resilience::breaker::Admission;
use crate::resilience::deadline::Deadline;
use crate::run::stop::StopReason;
use crate::run::{RunState, Source, Status, WatchlistProblems};

/// Why a run ends if its lease expires during preparation.
pub(super) const LEASE_EXPIRED: &str = "the lease could not be renewed in time";

impl Engine {
    /// Makes sure that the provider may be called and that the tickers are known. Firestore may be slow: the lease is
    /// kept meanwhile, and enough time is left to close the run.
    pub(super) async fn prepare(
        &self,
        job: &'static Job,
        scope: Scope,
        owned: &mut Owned,
        start: Instant,
        is_tick: bool,
    ) -> Result<(), StopReason> {
        let began = self.world.clock.instant();
        let pause = self.pause_of(job, &owned.state, is_tick);
        let given = owned.state.tickers_given.clone();
        let plan = self.plan(job, scope, given, owned.state.planned);
        // Read meanwhile: a tick that is not paused takes no longer for it.
        let plan = pin!(async {
            let (paused, planned) = join(pause, plan).await;
            paused.and(planned)
        });
        let length = self.deadline_of(job, owned.state.identity.trigger);
        let until_soft = Deadline::new(start, length).until_soft(began);
        let in_time = select(plan, self.world.clock.sleep(until_soft));
        let planned = match self.ledger.keeping(owned, in_time).await {
            Kept::Done(Either::Left((planned, _))) => planned?,
            Kept::Done(Either::Right(_)) => {
                let reason = format!("the tickers could not be read within {} s", until_soft.as_secs());
                return Err(StopReason::Ledger { reason });
            }
            Kept::Lost => return Err(StopReason::Lost),
            Kept::Cancelled => return Err(StopReason::Cancelled),
            Kept::Expired => return Err(StopReason::Ledger { reason: LEASE_EXPIRED.to_owned() }),
        };
        if let Some((tickers, problems)) = planned {
            owned.state.watchlist_problems = problems;
            owned.state.plan(plan::work(job, scope, &tickers), tickers.len());
        }
        let endpoints: Vec<_> = job.endpoints.iter().map(|endpoint| endpoint.path).collect();
        owned.state.fail_unknown(&endpoints);
        owned.state.attempt.resources.steps_ms.plan = self.millis_since(began);
        if owned.fence.cancelled().is_some() { Err(StopReason::Cancelled) } else { Ok(()) }
    }

    /// Skips a tick of a job that is paused. A run that was begun before the pause is finished: an operator who does not
    /// want that cancels it. So is one that was skipped before: somebody has resumed it since.
    fn pause_of(
        &self,
        job: &'static Job,
        state: &RunState,
        is_tick: bool,
    ) -> impl Future<Output = Result<(), StopReason>> + use<> {
        let was_skipped = state.counted.as_ref().is_some_and(|counted| counted.status == Status::Skipped);
        let is_new = is_tick && state.identity.trigger == Source::Scheduler && !state.planned && !was_skipped;
        let (is_first, created_at) = (state.attempt.number == 1, state.identity.created_at);
        let ledger = self.ledger.clone();
        async move {
            if !is_new {
                return Ok(());
            }
            match ledger.paused(job.name).await {
                Ok(Some(pause)) if is_first || pause.window.since <= created_at => {
                    Err(StopReason::JobPaused { reason: pause.words() })
                }
                Ok(_) => Ok(()),
                Err(error) => Err(StopReason::Storage { reason: error.to_string() }),
            }
        }
    }

    /// The tickers of a run that has no plan yet, and the watchlist documents that cannot be read; none if it already
    /// has a plan.
    async fn plan(
        &self,
        job: &'static Job,
        scope: Scope,
        given: Option<Vec<Ticker>>,
        is_planned: bool,
    ) -> Result<Option<(Vec<Ticker>, WatchlistProblems)>, StopReason> {
        let storage = |error: FirestoreError| StopReason::Storage { reason: error.to_string() };
        // Not the earlier copy: the run has just been added to the list of callers.
        let refresh = self.breakers.reload(job.provider);
        // The watchlist is read meanwhile, unless the provider is known to refuse calls: then it is not needed.
        let reads = !is_planned && given.is_none() && self.all_refused(job).is_none();
        let resolve = || plan::resolve(&self.firestore, &self.settings.collections, scope);
        let (refreshed, resolved) = if reads {
            let (refreshed, resolved) = join(refresh, resolve()).await;
            (refreshed, Some(resolved))
        } else {
            (refresh.await, None)
        };
        refreshed.map_err(storage)?;
        if let Some(stop) = self.all_refused(job) {
            return Err(stop);
        }
        if is_planned {
            return Ok(None);
        }
        let (tickers, problems) = match (given, resolved) {
            (Some(tickers), _) => (tickers, WatchlistProblems::default()),
            (None, Some(resolved)) => resolved.map_err(storage)?,
            (None, None) => resolve().await.map_err(storage)?,
        };
        match packing::excess(&tickers) {
            None => Ok(Some((tickers, problems))),
            Some(reason) => Err(StopReason::Ledger { reason }),
        }
    }

    /// Why nothing of the job may be called, if every endpoint's breaker refuses it.
    fn all_refused(&self, job: &Job) -> Option<StopReason> {
        let mut soonest: Option<StopReason> = None;
        for endpoint in job.endpoints {
            let Admission::Refuse { retry_after } = self.breakers.admit(job.provider, endpoint.path) else {
                return None;
            };
            if soonest.as_ref().is_none_or(|stop| retry_after < stop.retry_after()) {
                let reason = self.breakers.endpoint(job.provider, endpoint.path).reason.unwrap_or_default();
                soonest = Some(StopReason::Breaker { retry_after, reason });
            }
        }
        soonest
    }
}
