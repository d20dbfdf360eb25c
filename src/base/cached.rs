//! A value that is fetched once for all callers waiting for it.
//!
//! The first caller that finds no fresh value fetches it; the others poll every few milliseconds.
//! They do not wait on a lock: a request that is dropped midway must not take the others down with it,
//! and one request of an instance cannot wake another.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::base::ports::Instant;
use crate::base::world::World;

/// How often a waiting request polls.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// After this a fetch counts as dead and another request takes over.
const FETCH_DEAD: Duration = Duration::from_secs(30);
/// How long the old value is used after a failed renewal before the next attempt.
const RENEW_AGAIN: Duration = Duration::from_secs(10);

/// How long a value may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    /// How long it is fresh, so that it is not renewed.
    pub fresh: Duration,
    /// How long it remains usable if it cannot be renewed.
    pub usable: Duration,
}

/// The cell.
#[derive(Debug)]
pub struct Cached<T, E> {
    state: Mutex<State<T, E>>,
}

#[derive(Debug)]
struct State<T, E> {
    value: Option<Held<T>>,
    fetching_since: Option<Instant>,
    /// The last failure and when it was.
    failure: Option<(Instant, E)>,
}

#[derive(Debug)]
struct Held<T> {
    value: Arc<T>,
    fresh_until: Instant,
    usable_until: Instant,
}

enum Turn<T, E> {
    Use(Arc<T>),
    Fail(E),
    Fetch(Instant),
    Wait,
}

impl<T, E> Default for Cached<T, E> {
    fn default() -> Self {
        Self { state: Mutex::new(State { value: None, fetching_since: None, failure: None }) }
    }
}

impl<T, E: Clone> Cached<T, E> {
    /// The value; fetched if there is no fresh one.
    pub async fn get<F>(&self, world: &World, fetch: impl FnOnce() -> F) -> Result<Arc<T>, E>
    where
        F: Future<Output = Result<(T, Lifetime), E>>,
    {
        let asked = world.clock.instant();
        loop {
            match self.turn(asked, world.clock.instant()) {
                Turn::Use(value) => return Ok(value),
                Turn::Fail(error) => return Err(error),
                Turn::Wait => world.clock.sleep(LOOK_AGAIN).await,
                Turn::Fetch(since) => {
                    let _dropped = Fetching { cached: self, since };
                    let fetched = fetch().await;
                    return self.take(fetched, since, world.clock.instant());
                }
            }
        }
    }

    /// Drops the value: something that it says has changed.
    pub fn forget(&self) {
        self.lock().value = None;
    }

    /// Drops a value, unless it has been replaced in the meantime.
    pub fn reject(&self, value: &Arc<T>) {
        let mut state = self.lock();
        if state.value.as_ref().is_some_and(|held| Arc::ptr_eq(&held.value, value)) {
            state.value = None;
        }
    }

    /// What a request that arrived at `asked` does at `now`.
    fn turn(&self, asked: Instant, now: Instant) -> Turn<T, E> {
        let mut state = self.lock();
        if let Some(held) = state.value.as_ref().filter(|held| now < held.fresh_until) {
            return Turn::Use(held.value.clone());
        }
        if state.fetching_since.is_some_and(|since| now.since(since) < FETCH_DEAD) {
            return Turn::Wait;
        }
        // A fetch that failed while this request waited was for this request too.
        if let Some((failed_at, error)) = &state.failure
            && *failed_at > asked
        {
            return Turn::Fail(error.clone());
        }
        state.fetching_since = Some(now);
        Turn::Fetch(now)
    }

    fn take(&self, fetched: Result<(T, Lifetime), E>, since: Instant, now: Instant) -> Result<Arc<T>, E> {
        let mut state = self.lock();
        if state.fetching_since == Some(since) {
            state.fetching_since = None;
        }
        match fetched {
            Ok((value, lifetime)) => {
                let value = Arc::new(value);
                state.value = Some(Held {
                    value: value.clone(),
                    fresh_until: now + lifetime.fresh,
                    usable_until: now + lifetime.usable,
                });
                state.failure = None;
                Ok(value)
            }
            Err(error) => match &mut state.value {
                Some(held) if now < held.usable_until => {
                    held.fresh_until = now + RENEW_AGAIN;
                    Ok(held.value.clone())
                }
                _ => {
                    state.failure = Some((now, error.clone()));
                    Err(error)
                }
            },
        }
    }

    fn lock(&self) -> MutexGuard<'_, State<T, E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets another request fetch if the fetching one is dropped.
struct Fetching<'a, T, E> {
    cached: &'a Cached<T, E>,
    since: Instant,
}

impl<T, E> Drop for Fetching<'_, T, E> {
    fn drop(&mut self) {
        let mut state = self.cached.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.fetching_since == Some(self.since) {
            state.fetching_since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Lifetime = Lifetime { fresh: Duration::from_secs(50), usable: Duration::from_secs(60) };

    fn at(seconds: u64) -> Instant {
        Instant::from_origin(Duration::from_secs(seconds))
    }

    fn fetch(
        cached: &Cached<u32, &'static str>,
        now: u64,
        result: Result<u32, &'static str>,
    ) -> Result<u32, &'static str> {
        let Turn::Fetch(since) = cached.turn(at(now), at(now)) else { panic!("nothing to fetch") };
        cached.take(result.map(|value| (value, LIFE)), since, at(now)).map(|value| *value)
    }

    #[test]
    fn one_fetches_and_the_others_wait() {
        let cached = Cached::<u32, &'static str>::default();
        let Turn::Fetch(since) = cached.turn(at(0), at(0)) else { panic!() };
        assert!(matches!(cached.turn(at(0), at(1)), Turn::Wait));
        cached.take(Ok((7, LIFE)), since, at(2)).unwrap();
        assert!(matches!(cached.turn(at(0), at(2)), Turn::Use(value) if *value == 7));
    }

    #[test]
    fn a_failure_is_told_to_all_who_waited_and_to_nobody_else() {
        let cached = Cached::<u32, &'static str>::default();
        assert_eq!(fetch(&cached, 5, Err("down")), Err("down"));
        assert!(matches!(cached.turn(at(4), at(6)), Turn::Fail("down")));
        assert!(matches!(cached.turn(at(6), at(6)), Turn::Fetch(_)));
    }

    #[test]
    fn a_fetch_that_is_dropped_leaves_its_turn_to_the_next() {
        let cached = Cached::<u32, &'static str>::default();
        let Turn::Fetch(since) = cached.turn(at(0), at(0)) else { panic!() };
        drop(Fetching { cached: &cached, since });
        assert!(matches!(cached.turn(at(0), at(0)), Turn::Fetch(_)));
    }

    #[test]
    fn a_fetch_that_never_ends_is_taken_over() {
        let cached = Cached::<u32, &'static str>::default();
        assert!(matches!(cached.turn(at(0), at(0)), Turn::Fetch(_)));
        assert!(matches!(cached.turn(at(0), at(29)), Turn::Wait));
        assert!(matches!(cached.turn(at(0), at(30)), Turn::Fetch(_)));
    }

    #[test]
    fn the_old_value_serves_while_it_cannot_be_renewed() {
        let cached = Cached::default();
        assert_eq!(fetch(&cached, 0, Ok(7)), Ok(7));
        assert_eq!(fetch(&cached, 50, Err("down")), Ok(7));
        assert!(matches!(cached.turn(at(55), at(55)), Turn::Use(_)));
        assert_eq!(fetch(&cached, 60, Err("down")), Err("down"));
    }

    #[test]
    fn a_rejected_value_is_forgotten_but_not_its_successor() {
        let cached = Cached::<u32, &'static str>::default();
        fetch(&cached, 0, Ok(7)).unwrap();
        let Turn::Use(old) = cached.turn(at(1), at(1)) else { panic!() };
        cached.reject(&old);
        fetch(&cached, 2, Ok(8)).unwrap();
        cached.reject(&old);
        assert!(matches!(cached.turn(at(3), at(3)), Turn::Use(value) if *value == 8));
    }
}
