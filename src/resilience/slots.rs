//! Who may call a provider, and with how many concurrent calls, across all runs and instances.
//!
//! Runs register in one list that all of them read. The list is ordered by Firestore's own clock, so everyone who reads
//! the same list reaches the same result without coordination:
//!
//! ```text
//! a run may use  min(what it registered, limit − what those before it registered)
//! ```
//!
//! A run may only lower its registered calls in place; to get more it moves to the end of the list. So a run that
//! acts on an older copy of the list can use too little, never too much.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// How long a run keeps its turn while others wait: rotating costs a write and the others' next read of the list.
pub const TURN: Duration = Duration::from_secs(10);

/// Number of leases after which a silent registered run is removed from the list.
const LEASES_LONG: u32 = 3;

/// A registered run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The owner's name: unique to this attempt of a run.
    pub owner: String,
    /// Calls it wants to have in flight.
    pub calls: usize,
    /// Its place in the list, by Firestore's clock.
    pub since: DateTime<Utc>,
    /// When it was last heard of, by Firestore's clock.
    pub renewed: DateTime<Utc>,
    /// How long it counts as alive after that.
    pub lease: Duration,
    /// Whether it leaves the provider to the others: it is not counted among them.
    pub background: bool,
}

impl Entry {
    fn is_alive(&self, now: DateTime<Utc>) -> bool {
        TimeDelta::from_std(self.lease).is_ok_and(|lease| now - self.renewed < lease)
    }

    /// Whether it is certainly dead: its run's lease, which is as long, expired long ago.
    pub fn is_long_dead(&self, now: DateTime<Utc>) -> bool {
        TimeDelta::from_std(self.lease * LEASES_LONG).is_ok_and(|leases| now - self.renewed >= leases)
    }
}

/// A snapshot of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slots {
    entries: Vec<Entry>,
}

/// What the list means for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Calls it may have in flight.
    pub calls: usize,
    /// Runs on the list, itself included.
    pub runs: usize,
    /// Whether a run behind it has no call at all.
    pub others_wait: bool,
    /// What it should register instead; in the same place, since it is less.
    pub lower_to: Option<usize>,
}

impl Slots {
    /// The list at Firestore's time `now`, without dead runs.
    pub fn new(mut entries: Vec<Entry>, now: DateTime<Utc>) -> Self {
        entries.retain(|entry| entry.is_alive(now));
        entries.sort_by(|a, b| (a.since, &a.owner).cmp(&(b.since, &b.owner)));
        Self { entries }
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// What `owner` may do; none if it is not on the list.
    pub fn share(&self, owner: &str, limit: usize) -> Option<Share> {
        let place = self.entries.iter().position(|entry| entry.owner == owner)?;
        let mine = self.entries.get(place)?;
        let registered = |entries: &[Entry]| entries.iter().map(|entry| entry.calls).sum::<usize>();
        let before = registered(self.entries.get(..place).unwrap_or_default());
        let calls = mine.calls.min(limit.saturating_sub(before));
        let behind = self.entries.get(place + 1..).unwrap_or_default();
        let mut taken = before + mine.calls;
        let mut others_wait = false;
        let mut squeezed = false;
        for entry in behind {
            let free = limit.saturating_sub(taken);
            others_wait |= free == 0;
            squeezed |= free < entry.calls;
            taken += entry.calls;
        }
        let fair = (limit / self.entries.len().max(1)).max(1);
        let lower_to = (squeezed && mine.calls > fair).then_some(fair);
        Some(Share { calls, runs: self.entries.len(), others_wait, lower_to })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LEASE: Duration = Duration::from_secs(60);

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn entry(owner: &str, calls: usize, since: i64) -> Entry {
        Entry {
            owner: owner.to_owned(),
            calls,
            since: at(since),
            renewed: at(since),
            lease: LEASE,
            background: false,
        }
    }

    fn share(entries: &[Entry], owner: &str, limit: usize) -> Share {
        Slots::new(entries.to_vec(), at(10)).share(owner, limit).unwrap()
    }

    #[test]
    fn the_first_has_what_it_wants_and_the_next_what_is_left() {
        let entries = [entry("b", 3, 2), entry("a", 3, 1)];
        let first = share(&entries, "a", 4);
        assert_eq!((first.calls, first.others_wait, first.lower_to), (3, false, Some(2)));
        let second = share(&entries, "b", 4);
        assert_eq!((second.calls, second.lower_to), (1, None), "nobody stands behind it");
    }

    #[test]
    fn who_finds_nothing_left_waits_and_is_seen_waiting() {
        let entries = [entry("a", 1, 1), entry("b", 1, 2)];
        assert_eq!(share(&entries, "b", 1).calls, 0);
        let first = share(&entries, "a", 1);
        assert_eq!((first.calls, first.others_wait, first.lower_to), (1, true, None));
    }

    #[test]
    fn the_dead_hold_nothing() {
        let entries = vec![entry("a", 1, 1), entry("b", 1, 50)];
        let slots = Slots::new(entries, at(61));
        assert_eq!(slots.share("b", 1).unwrap().calls, 1);
        assert_eq!(slots.share("a", 1), None);
        let long_dead = [180, 181].map(|now| entry("a", 1, 1).is_long_dead(at(now)));
        assert_eq!(long_dead, [false, true], "an old reading of the list takes nobody off who came back");
    }

    proptest! {
        /// Whoever reads whichever earlier state of the list: together they never exceed the limit.
        #[test]
        fn no_reading_of_the_list_gives_too_much(wants in prop::collection::vec(1_usize..6, 1..8), limit in 1_usize..6) {
            let all: Vec<_> = (0_i64..).zip(&wants).map(|(n, calls)| entry(&n.to_string(), *calls, n)).collect();
            let mut used = 0;
            for (place, mine) in all.iter().enumerate() {
                // It has read the list before all those behind it came.
                used += share(&all[..=place], &mine.owner, limit).calls;
            }
            prop_assert!(used <= limit);
        }

        /// Nobody waits forever: when all have lowered to their share, each has a call, or the limit is used up.
        #[test]
        fn when_all_have_lowered_everybody_has_a_call(count in 1_i64..9, limit in 1_usize..6) {
            let mut all: Vec<_> = (0..count).map(|n| entry(&n.to_string(), limit, n)).collect();
            for place in 0..all.len() {
                if let Some(less) = share(&all, &all[place].owner.clone(), limit).lower_to {
                    all[place].calls = less;
                }
            }
            let used: Vec<_> = all.iter().map(|mine| share(&all, &mine.owner, limit).calls).collect();
            let idle = used.iter().filter(|calls| **calls == 0).count();
            prop_assert!(idle == 0 || used.iter().sum::<usize>() == limit, "{used:?}");
        }
    }
}
