//! What the runs of one instance share about coverage documents: whose turn it is to write, and what was written last.
//!
//! Without it, runs that feed one day at once would have each other's commits refused, again and again, with a
//! read before each further attempt. Across instances the preconditions of the commits decide, as before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::DayCells;
use crate::base::ports::{Clock, Instant};
use crate::run::cell::Day;

/// Tickers of all documents that are shared, each taking about 100 bytes at most.
const TICKERS_MAX: usize = 20_000;

/// How often a waiting run looks. It does not wait on a lock, because one request of an instance cannot wake another.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Datasets whose documents are being written.
    busy: Mutex<BTreeSet<&'static str>>,
    written: Mutex<BTreeMap<Day, Written>>,
}

/// A turn to write documents of some datasets; it ends when it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    shared: &'a Shared,
    datasets: BTreeSet<&'static str>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        locked(&self.shared.busy).retain(|dataset| !self.datasets.contains(dataset));
    }
}

/// A document as this instance has written it.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub cells: Arc<DayCells>,
    pub update_time: DateTime<Utc>,
    pub at: Instant,
}

impl Shared {
    /// The turn to write documents of these days; none if it does not come within `patience`. Then the run writes all the
    /// same: turns only spare requests.
    pub(super) async fn turn(
        &self,
        clock: &dyn Clock,
        days: impl Iterator<Item = &Day>,
        patience: Duration,
    ) -> Option<Turn<'_>> {
        let datasets: BTreeSet<_> = days.map(|day| day.dataset).collect();
        let until = clock.instant() + patience;
        loop {
            if self.take(&datasets) {
                return Some(Turn { shared: self, datasets });
            }
            if clock.instant() >= until {
                return None;
            }
            clock.sleep(LOOK_AGAIN).await;
        }
    }

    /// All of them or none: nobody who has one waits for another.
    fn take(&self, datasets: &BTreeSet<&'static str>) -> bool {
        let mut busy = locked(&self.busy);
        let is_free = busy.is_disjoint(datasets);
        if is_free {
            busy.extend(datasets);
        }
        is_free
    }

    /// The document of a day as this instance has written it since then. What was written before may have been changed
    /// by other instances, and a run that knows nothing better would not notice.
    pub(super) fn written_since(&self, day: &Day, since: Instant) -> Option<Written> {
        locked(&self.written).get(day).filter(|written| written.at >= since).cloned()
    }

    pub(super) fn note(&self, day: Day, written: Written) {
        let mut all = locked(&self.written);
        all.insert(day, written);
        let mut tickers: usize = all.values().map(|written| written.cells.len()).sum();
        while tickers > TICKERS_MAX
            && let Some(oldest) = all.iter().min_by_key(|(_, written)| written.at).map(|(day, _)| *day)
        {
            tickers -= all.remove(&oldest).map_or(0, |written| written.cells.len());
        }
    }

    /// Somebody else has changed the document of a day, or may have.
    pub(super) fn forget(&self, day: &Day) {
        locked(&self.written).remove(day);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::cell::Cell;

    fn day(dataset: &'static str, date: &str) -> Day {
        Day { dataset, date: date.parse().unwrap() }
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_origin(Duration::from_secs(seconds))
    }

    fn written(seconds: u64) -> Written {
        Written { cells: Arc::default(), update_time: DateTime::UNIX_EPOCH, at: at(seconds) }
    }

    #[test]
    fn runs_take_turns_at_a_dataset_and_not_at_others() {
        let shared = Shared::default();
        let of = |names: &[&'static str]| names.iter().copied().collect::<BTreeSet<_>>();
        assert!(shared.take(&of(&["daily_prices", "quotes"])));
        let turn = Turn { shared: &shared, datasets: of(&["daily_prices", "quotes"]) };
        assert!(!shared.take(&of(&["news", "quotes"])));
        assert!(shared.take(&of(&["news"])), "it was not taken with the other");
        drop(turn);
        assert!(shared.take(&of(&["quotes", "daily_prices"])));
    }

    #[test]
    fn what_was_written_longest_ago_is_forgotten_first() {
        let of = |tickers: usize, seconds| {
            let cells =
                (0..tickers).map(|number| (format!("T{number}").into(), Cell::stored([] as [&str; 0])));
            let mut day = DayCells::default();
            day.correct(&cells.collect());
            Written { cells: day.into(), ..written(seconds) }
        };
        let shared = Shared::default();
        let (early, late) = (day("daily_prices", "2026-11-27"), day("quotes", "2026-11-27"));
        shared.note(late, of(TICKERS_MAX, 1));
        shared.note(early, of(1, 2));
        let known = |day| shared.written_since(day, at(0)).is_some();
        assert_eq!((known(&early), known(&late)), (true, false));
    }

    #[test]
    fn only_what_was_written_since_a_run_began_is_known_to_it() {
        let shared = Shared::default();
        let day = day("quotes", "2026-11-27");
        shared.note(day, written(10));
        assert!(shared.written_since(&day, at(10)).is_some());
        assert!(shared.written_since(&day, at(11)).is_none());
        shared.forget(&day);
        assert!(shared.written_since(&day, at(0)).is_none());
    }
}
