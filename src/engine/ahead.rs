//! The watchlist of a run, read while the run is claimed: neither needs the other.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use super::{Engine, plan};
use crate::base::ports::BoxFuture;
use crate::catalogue::{Scope, Ticker, find};
use crate::firestore::FirestoreError;
use crate::run::{RunState, Status, WatchlistProblems};

/// The tickers of a scope, and what cannot be read of it.
type Resolved = Result<(Vec<Ticker>, WatchlistProblems), FirestoreError>;

/// A watchlist on its way, or here; nothing if nobody asked for it ahead.
pub(super) enum Ahead {
    Nothing,
    OnItsWay(BoxFuture<'static, Resolved>),
    Here(Resolved),
}

impl Ahead {
    /// Does `work` while the watchlist is on its way.
    pub(super) async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        poll_fn(|task| {
            if let Self::OnItsWay(reading) = self
                && let Poll::Ready(resolved) = reading.as_mut().poll(task)
            {
                *self = Self::Here(resolved);
            }
            work.as_mut().poll(task)
        })
        .await
    }
}

impl Engine {
    /// Begins to read the watchlist of a run that will need it, unless its provider is known to refuse calls.
    pub(super) fn read_ahead(&self, new: &RunState) -> Ahead {
        let is_unknown = !new.planned && new.tickers_given.is_none() && new.status == Status::Running;
        let known = find(&new.job).zip(Scope::parse(&new.identity.scope));
        match known.filter(|(job, _)| is_unknown && self.all_refused(job).is_none()) {
            Some((_, scope)) => Ahead::OnItsWay(self.resolve(scope)),
            None => Ahead::Nothing,
        }
    }

    /// The tickers of a scope.
    fn resolve(&self, scope: Scope) -> BoxFuture<'static, Resolved> {
        let (firestore, collections) = (self.firestore.clone(), self.settings.collections.clone());
        Box::pin(async move { plan::resolve(&firestore, &collections, scope).await })
    }

    /// The same, if it is not here or on its way already.
    pub(super) async fn resolved(&self, scope: Scope, ahead: Ahead) -> Resolved {
        match ahead {
            Ahead::Here(resolved) => resolved,
            Ahead::OnItsWay(reading) => reading.await,
            Ahead::Nothing => self.resolve(scope).await,
        }
    }
}
