//! What a run did, in numbers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Upper bounds of a provider call's latency, in milliseconds.
pub const CALL_BOUNDS_MS: &[u64] =
    &[50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000];
/// Upper bounds of an attempt's duration, in milliseconds.
pub const ATTEMPT_BOUNDS_MS: &[u64] =
    &[500, 1_000, 2_500, 5_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000];

/// What a run did, over all its attempts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Records stored, by collection.
    pub collections: BTreeMap<String, u64>,
    /// Records rejected because they violate their schema, by the collection they were meant for.
    pub rejected: BTreeMap<String, u64>,
    pub raw_logs: u64,
    /// Batches that were answered and stored.
    pub batches: u64,
    /// Provider calls sent, including retries.
    pub calls: u64,
    /// Provider calls that ended, by their class; `ok` for an answer.
    pub classes: BTreeMap<String, u64>,
    /// Duration of provider calls.
    pub latency: Histogram,
    /// Provider calls after the first of their batch.
    pub retries: u64,
    /// Documents written.
    pub writes: u64,
    /// Attempts of Firestore writes after the first.
    pub write_retries: u64,
}

/// How often a value lay between which bounds; the bounds are the reader's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Histogram {
    /// Values up to each bound and above the one before, by the bound in milliseconds; `inf` for the rest.
    pub buckets: BTreeMap<String, u64>,
    pub sum_ms: u64,
}

/// The bucket of values beyond the last bound.
pub const BEYOND: &str = "inf";

impl Histogram {
    pub fn observe(&mut self, bounds_ms: &[u64], value_ms: u64) {
        let bound = bounds_ms.iter().find(|bound| value_ms <= **bound);
        let bucket = bound.map_or_else(|| BEYOND.to_owned(), ToString::to_string);
        *self.buckets.entry(bucket).or_default() += 1;
        self.sum_ms = self.sum_ms.saturating_add(value_ms);
    }

    fn since(&self, earlier: &Self) -> Self {
        Self {
            buckets: growth(&self.buckets, &earlier.buckets),
            sum_ms: self.sum_ms.saturating_sub(earlier.sum_ms),
        }
    }
}

impl Counts {
    pub fn records_stored(&self) -> u64 {
        sum(&self.collections)
    }

    pub fn records_rejected(&self) -> u64 {
        sum(&self.rejected)
    }

    /// What has been done since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            collections: growth(&self.collections, &earlier.collections),
            rejected: growth(&self.rejected, &earlier.rejected),
            raw_logs: self.raw_logs.saturating_sub(earlier.raw_logs),
            batches: self.batches.saturating_sub(earlier.batches),
            calls: self.calls.saturating_sub(earlier.calls),
            classes: growth(&self.classes, &earlier.classes),
            latency: self.latency.since(&earlier.latency),
            retries: self.retries.saturating_sub(earlier.retries),
            writes: self.writes.saturating_sub(earlier.writes),
            write_retries: self.write_retries.saturating_sub(earlier.write_retries),
        }
    }
}

fn sum(counts: &BTreeMap<String, u64>) -> u64 {
    counts.values().fold(0, |sum, count| sum.saturating_add(*count))
}

/// The entries that have grown, and by how much.
fn growth(now: &BTreeMap<String, u64>, earlier: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let grown = |(name, count): (&String, &u64)| {
        let by = count.saturating_sub(earlier.get(name).copied().unwrap_or_default());
        (by > 0).then(|| (name.clone(), by))
    };
    let mut growth = BTreeMap::new();
    growth.extend(now.iter().filter_map(grown));
    growth
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_on_a_bound_belongs_to_it() {
        let mut histogram = Histogram::default();
        for value in [0, 50, 51, 100, 300_000, 300_001] {
            histogram.observe(CALL_BOUNDS_MS, value);
        }
        let expect = [("100", 2), ("300000", 1), ("50", 2), (BEYOND, 1)];
        assert_eq!(histogram.buckets, expect.map(|(bound, count)| (bound.to_owned(), count)).into());
        assert_eq!(histogram.sum_ms, 600_202);
    }

    #[test]
    fn what_was_done_since_is_the_difference() {
        let map = |count| BTreeMap::from([("a".to_owned(), count), ("b".to_owned(), 1)]);
        let earlier = Counts { collections: map(2), calls: 3, ..Counts::default() };
        let now = Counts { collections: map(5), calls: 4, retries: 1, ..Counts::default() };
        let since = now.since(&earlier);
        let expect = BTreeMap::from([("a".to_owned(), 3)]);
        assert_eq!((since.collections, since.calls, since.retries), (expect, 1, 1));
    }
}
