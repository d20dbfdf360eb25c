//! What must be known before a provider is called.

use std::pin::pin;

use futures::future::{Either, select};

use super::App;
use crate::execute::stop::Stop;
use crate::firestore::FirestoreError;
use crate::job::{Job, Scope, Ticker};
use crate::ledger::{Kept, Owned, packing};
use crate::plan;
use crate::ports::Instant;
use crate::resilience::breaker::Admission;
use crate::resilience::deadline::Deadline;

/// Why a run ends whose lease has ended before.
const LEASE_EXPIRED: &str = "the lease could not be renewed in time";

impl App {
    /// Makes sure that the provider may be called and that the tickers are known. Firestore may take its time for
    /// that: the lease is kept meanwhile, and time is left to close the run.
    pub(super) async fn prepare(
        &self,
        job: &'static Job,
        scope: Scope,
        owned: &mut Owned,
        start: Instant,
    ) -> Result<(), Stop> {
        let began = self.world.clock.instant();
        let given = owned.state.tickers_given.clone();
        let plan = pin!(self.plan(job, scope, given, owned.state.planned));
        let until_soft = Deadline::new(start, self.config.run.deadline).until_soft(began);
        let in_time = select(plan, self.world.clock.sleep(until_soft));
        let planned = match self.ledger.keeping(owned, in_time).await {
            Kept::Done(Either::Left((planned, _))) => planned?,
            Kept::Done(Either::Right(_)) => {
                let reason = format!("the tickers could not be read within {} s", until_soft.as_secs());
                return Err(Stop::Ledger { reason });
            }
            Kept::Lost => return Err(Stop::Lost),
            Kept::Expired => return Err(Stop::Ledger { reason: LEASE_EXPIRED.to_owned() }),
        };
        if let Some((tickers, remarks)) = planned {
            for remark in remarks {
                owned.state.remark(remark);
            }
            owned.state.plan(plan::work(job, scope, &tickers), tickers.len());
        }
        let endpoints: Vec<_> = job.endpoints.iter().map(|endpoint| endpoint.path).collect();
        owned.state.fail_unknown(&endpoints);
        owned.state.resources.steps_ms.plan = self.millis_since(began);
        Ok(())
    }

    /// The tickers of a run that has no plan yet, and what is odd about them; none where it has one.
    async fn plan(
        &self,
        job: &'static Job,
        scope: Scope,
        given: Option<Vec<Ticker>>,
        is_planned: bool,
    ) -> Result<Option<(Vec<Ticker>, Vec<String>)>, Stop> {
        let storage = |error: FirestoreError| Stop::Storage { reason: error.to_string() };
        self.breakers.refresh(job.provider).await.map_err(storage)?;
        if let Admission::Refuse { retry_after } = self.breakers.admit(job.provider) {
            let reason = self.breakers.state(job.provider).reason.unwrap_or_default();
            return Err(Stop::Breaker { retry_after, reason });
        }
        if is_planned {
            return Ok(None);
        }
        let (tickers, remarks) = match given {
            Some(tickers) => (tickers, Vec::new()),
            None => {
                let resolved = plan::resolve(&self.firestore, &self.config.collections, scope).await;
                resolved.map_err(storage)?
            }
        };
        match packing::excess(&tickers) {
            None => Ok(Some((tickers, remarks))),
            Some(reason) => Err(Stop::Ledger { reason }),
        }
    }
}
