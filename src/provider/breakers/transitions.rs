//! Changes to a provider's shared state.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Breakers;
use super::stored::{self, State};
use crate::catalogue::Provider;
use crate::firestore::{Code, FirestoreError, Precondition, Write};
use crate::resilience::breaker::{Admission, BreakerState, Position};
use crate::resilience::limits::Limit;

/// How often a change is retried because others changed the document or Firestore failed.
const TRIES_MAX: u32 = 6;

/// What to do with the shared state.
enum Change {
    /// Nothing: this is the result.
    Keep(bool),
    /// Store this; with the position that a breaker enters.
    Store(State, Option<Position>),
}

impl Breakers {
    /// Opens an endpoint's breaker for everyone, unless another run has opened it or is probing. `caller` is the run that asks.
    pub async fn open(
        &self,
        provider: Provider,
        endpoint: &str,
        caller: &str,
        reason: &str,
    ) -> Result<(), FirestoreError> {
        let config = self.inner.config;
        tracing::warn!(
            provider.name = provider.name(),
            provider.endpoint = endpoint,
            reason,
            "circuit breaker opened"
        );
        self.change(provider, |state, now| {
            let shared = state.endpoint(endpoint);
            match shared.position {
                // The response was lost, or another run was faster.
                Position::Open if shared.until > Some(now) => Change::Keep(true),
                Position::HalfOpen if shared.prober.as_deref() != Some(caller) => Change::Keep(true),
                _ => {
                    let opened = shared.opened(now, reason, &config);
                    Change::Store(state.with(endpoint, opened), Some(Position::Open))
                }
            }
        })
        .await
        .map(drop)
    }

    /// Makes `prober` the only run that may call; false if another was faster.
    pub async fn claim_probe(
        &self,
        provider: Provider,
        endpoint: &str,
        prober: &str,
        time: Duration,
    ) -> Result<bool, FirestoreError> {
        self.change(provider, |state, now| {
            let shared = state.endpoint(endpoint);
            let is_ours = shared.prober.as_deref() == Some(prober) && shared.until > Some(now);
            if shared.position == Position::HalfOpen && is_ours {
                return Change::Keep(true);
            }
            if shared.admit(now) != Admission::Probe {
                return Change::Keep(false);
            }
            let probing = shared.probing(now, prober, time);
            Change::Store(state.with(endpoint, probing), Some(Position::HalfOpen))
        })
        .await
    }

    /// Closes an endpoint's breaker for everyone, after the probe of `prober` was answered.
    pub async fn close(
        &self,
        provider: Provider,
        endpoint: &str,
        prober: &str,
    ) -> Result<(), FirestoreError> {
        tracing::info!(
            provider.name = provider.name(),
            provider.endpoint = endpoint,
            "circuit breaker closed"
        );
        self.change(provider, |state, _| {
            let shared = state.endpoint(endpoint);
            // Already closed, or another run has taken over the probe and will report the result.
            if shared.position != Position::HalfOpen || shared.prober.as_deref() != Some(prober) {
                return Change::Keep(true);
            }
            Change::Store(state.with(endpoint, BreakerState::closed()), Some(Position::Closed))
        })
        .await
        .map(drop)
    }

    /// Holds back all calls to the provider, from all runs and instances, because it has reported a limit. `is_late`: the
    /// refused call was sent before the current pause began.
    pub async fn limit_hit(
        &self,
        provider: Provider,
        asked: Option<Duration>,
        reason: &str,
        is_late: bool,
    ) -> Result<(), FirestoreError> {
        let now = self.now(provider);
        let own = self.with(provider, |cell| {
            // Calls of other runs that were sent alongside the first refused one tell nothing new either.
            let is_late = is_late || !cell.state.limit.left(now).is_zero();
            cell.state.limit = cell.state.limit.hit(now, asked, self.inner.minute, reason, is_late);
            cell.state.limit.clone()
        });
        let wait = own.left(now);
        let hold = self.inner.world.clock.instant() + wait;
        self.with(provider, |cell| cell.held_until = cell.held_until.max(Some(hold)));
        tracing::warn!(
            provider.name = provider.name(),
            reason,
            wait_seconds = wait.as_secs(),
            in_row = own.in_row,
            "provider limit reached"
        );
        self.change(provider, |state, _| {
            // The response was lost, or another run has already recorded it.
            if state.limit.until >= own.until {
                return Change::Keep(true);
            }
            Change::Store(State { limit: own.clone(), ..state.clone() }, None)
        })
        .await
        .map(drop)
    }

    /// The provider answers again: the next pause is a first one.
    pub async fn limit_over(&self, provider: Provider) -> Result<(), FirestoreError> {
        self.change(provider, |state, now| {
            if state.limit == Limit::default() || !state.limit.left(now).is_zero() {
                return Change::Keep(true);
            }
            Change::Store(State { limit: Limit::default(), ..state.clone() }, None)
        })
        .await
        .map(drop)
    }

    /// Closes all breakers of a provider and ends its pause, whatever is stored: an operator's command.
    pub async fn reset(&self, provider: Provider) -> Result<(), FirestoreError> {
        self.with(provider, |cell| cell.held_until = None);
        self.change(provider, |state, _| {
            if state.is_quiet() {
                return Change::Keep(true);
            }
            Change::Store(State::default(), Some(Position::Closed))
        })
        .await
        .map(drop)
    }

    /// Changes the stored state, starting over if others have changed it in the meantime. Each time it decides based on
    /// what is stored by then, so a change whose response was lost is found to be done.
    async fn change(
        &self,
        provider: Provider,
        decide: impl Fn(&State, DateTime<Utc>) -> Change,
    ) -> Result<bool, FirestoreError> {
        let mut tries = 1;
        loop {
            self.reload(provider).await?;
            let now = self.now(provider);
            let (state, update_time) = self.with(provider, |cell| (cell.state.clone(), cell.update_time));
            let (state, position) = match decide(&state, now) {
                Change::Keep(answer) => return Ok(answer),
                Change::Store(state, position) => (state, position),
            };
            let mut write = Write::merge(self.document(provider), state.to_fields(provider, now))
                .only_if(update_time.map_or(Precondition::Missing, Precondition::UnchangedSince));
            write.increments.extend(position.map(stored::transition));
            let error = match self.inner.firestore.commit(&[write]).await {
                Ok(times) => {
                    let read_at = self.inner.world.clock.instant();
                    self.with(provider, |cell| {
                        cell.state = State { entries: std::mem::take(&mut cell.state.entries), ..state };
                        cell.update_time = times.first().copied();
                        (cell.read_at, cell.changed_at) = (Some(read_at), Some(read_at));
                    });
                    return Ok(true);
                }
                Err(error) => error,
            };
            let conflict =
                matches!(error.code(), Some(Code::AlreadyExists | Code::FailedPrecondition | Code::NotFound));
            if tries >= TRIES_MAX || !(conflict || error.is_retryable()) {
                return Err(error);
            }
            if !conflict {
                self.inner.firestore.back_off(tries).await;
            }
            tries += 1;
        }
    }
}
