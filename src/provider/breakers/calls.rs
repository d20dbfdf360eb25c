//! Registering to call a provider: [`crate::resilience::slots`] says what the list of registered runs means.

use std::time::Duration;

use super::stored::{BACKGROUND, CALLS, FAILURES, RENEWED, SINCE};
use super::{Breakers, Cell};
use crate::base::ports::{Instant, millis};
use crate::catalogue::Provider;
use crate::firestore::value::fields;
use crate::firestore::{FirestoreError, Value, Write};
use crate::resilience::slots::{Share, Slots};

/// A run of this instance that has registered.
#[derive(Clone, Debug)]
pub(super) struct Registered {
    owner: String,
    calls: usize,
    background: bool,
    /// When its liveness was last written; the moment before the request.
    renewed: Instant,
}

/// Concurrent calls of all runs in the background together, beside those of the others.
const BACKGROUND_CALLS: usize = 1;

/// How the calls to one endpoint went in an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trend {
    pub endpoint: &'static str,
    /// Whether it was answered at least once.
    pub answered: bool,
    /// Calls that failed since the last response, or since the attempt began.
    pub failures: u32,
}

impl Breakers {
    /// Puts `owner` at the end of the list; to be committed with the claim of its run. One in the `background` leaves the
    /// provider to the others.
    pub fn registration(&self, provider: Provider, owner: &str, calls: usize, background: bool) -> Write {
        let renewed = self.inner.world.clock.instant();
        self.with(provider, |cell| {
            // Attempts that never deregistered are forgotten.
            let is_alive = |registered: &Registered| renewed.since(registered.renewed) < self.inner.lease * 2;
            cell.registered.retain(|registered| registered.owner != owner && is_alive(registered));
            cell.registered.push(Registered { owner: owner.to_owned(), calls, background, renewed });
        });
        let mut write = self.entry(provider, owner, calls, background);
        write.times.push(format!("{SINCE}{owner}"));
        write
    }

    /// Writes that `owner` is alive; its place stays the same.
    fn entry(&self, provider: Provider, owner: &str, calls: usize, background: bool) -> Write {
        let mut entry = fields([
            ("calls", Value::count(calls)),
            ("lease_ms", Value::Integer(millis(self.inner.lease).cast_signed())),
        ]);
        if background {
            entry.insert(BACKGROUND.to_owned(), Value::Boolean(true));
        }
        let entry = Value::Map { fields: entry };
        let name = format!("{CALLS}{owner}");
        let mut write = Write::merge(self.document(provider), fields([(name.as_str(), entry)]));
        write.times.push(format!("{RENEWED}{owner}"));
        write
    }

    /// Removes `owner`, and every dead run, from the list, and records how its calls went; to be committed with the end
    /// of its attempt.
    pub fn farewell(&self, provider: Provider, owner: &str, trends: &[Trend]) -> Write {
        let mut gone = vec![owner.to_owned()];
        let mut write = Write::merge(self.document(provider), fields([]));
        self.with(provider, |cell| {
            cell.registered.retain(|registered| registered.owner != owner);
            // The copy may be old: a run that died only recently may have come back since.
            let long_dead = cell.state.entries.clone();
            let as_of = cell.as_of;
            let dead = long_dead.iter().filter(|entry| entry.is_long_dead(as_of));
            gone.extend(dead.map(|entry| entry.owner.clone()));
            for trend in trends {
                let name = format!("{FAILURES}{}", trend.endpoint);
                let stored = cell.state.failures.get(trend.endpoint).copied().unwrap_or_default();
                match (trend.answered, trend.failures) {
                    (false, 0) => {}
                    (false, more) => write.increments.push((name, Value::Integer(more.into()))),
                    (true, count) if stored == count => {}
                    (true, count) => drop(write.fields.insert(name, Value::Integer(count.into()))),
                }
            }
            // All its calls have ended: runs waiting in this instance need not read that first.
            cell.state.entries.retain(|entry| !gone.contains(&entry.owner));
        });
        let names = |owner: &String| [CALLS, SINCE, RENEWED].map(|prefix| format!("{prefix}{owner}"));
        write.removals = gone.iter().flat_map(names).collect();
        write
    }

    /// What `owner` may do, according to this instance's copy; none if it is not on the list, or counts as dead.
    pub fn share(&self, provider: Provider, owner: &str, limit: usize) -> Option<Share> {
        let (instant, lease) = (self.inner.world.clock.instant(), self.inner.lease);
        self.with(provider, |cell| {
            let own = cell.registered.iter().find(|registered| registered.owner == owner)?;
            if instant.since(own.renewed) >= lease {
                return None;
            }
            let limit = if own.background { BACKGROUND_CALLS } else { limit };
            let share = slots(cell, owner, own).share(owner, limit)?;
            Some(Share { calls: share.calls.min(own.calls), ..share })
        })
    }

    /// Whether a run that is not in the background is on the list.
    pub fn has_foreground(&self, provider: Provider) -> bool {
        self.with(provider, |cell| {
            let others = cell.state.entries.iter().filter(|entry| !entry.background);
            !Slots::new(others.cloned().collect(), cell.as_of).is_empty()
        })
    }

    /// Calls that `owner` has registered, and how long ago its liveness was written.
    pub fn registered(&self, provider: Provider, owner: &str) -> Option<(usize, Duration)> {
        let instant = self.inner.world.clock.instant();
        self.with(provider, |cell| {
            let own = cell.registered.iter().find(|registered| registered.owner == owner)?;
            Some((own.calls, instant.since(own.renewed)))
        })
    }

    /// Writes that `owner` is alive and wants `calls`; moves it to the end of the list if it wants more than before.
    pub async fn register(
        &self,
        provider: Provider,
        owner: &str,
        calls: usize,
        at_the_end: bool,
    ) -> Result<(), FirestoreError> {
        let background = self
            .with(provider, |cell| cell.registered.iter().any(|own| own.owner == owner && own.background));
        let write = if at_the_end {
            self.registration(provider, owner, calls, background)
        } else {
            let renewed = self.inner.world.clock.instant();
            // Takes effect immediately for this run, for the others once it is written.
            self.with(provider, |cell| {
                for own in cell.registered.iter_mut().filter(|own| own.owner == owner) {
                    own.calls = calls;
                }
            });
            let write = self.entry(provider, owner, calls, background);
            self.inner.firestore.commit(&[write]).await?;
            self.with(provider, |cell| {
                for own in cell.registered.iter_mut().filter(|own| own.owner == owner) {
                    own.renewed = renewed;
                }
            });
            return Ok(());
        };
        self.with(provider, |cell| cell.state.entries.retain(|entry| entry.owner != owner));
        self.inner.firestore.commit(&[write]).await?;
        self.reload(provider).await
    }
}

/// The instance's copy of the list, with what the run knows about itself. Runs that were alive when it was read count
/// as alive until it is read again: an old copy cannot tell which have died since.
fn slots(cell: &Cell, owner: &str, own: &Registered) -> Slots {
    let of_its_kind = cell.state.entries.iter().filter(|entry| entry.background == own.background);
    let mut entries: Vec<_> = of_its_kind.cloned().collect();
    for entry in entries.iter_mut().filter(|entry| entry.owner == owner) {
        entry.calls = entry.calls.min(own.calls);
        // Its own lease is judged by its own clock.
        entry.renewed = entry.renewed.max(cell.as_of);
    }
    Slots::new(entries, cell.as_of)
}
