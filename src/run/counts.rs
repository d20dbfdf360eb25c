//! What a run did, in numbers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Upper bounds of a provider call's latency, in milliseconds.
pub const CALL_BOUNDS_MS: &[u64] =
    &[50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000];
/// Upper bounds of an attempt's duration, in milliseconds.
pub const ATTEMPT_BOUNDS_MS: &[u64] =
    &[500, 1_000, 2_500, 5_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000];

/// A counter that is one number.
pub struct Counter {
    /// Its name in the statistics of a job.
    pub stored: &'static str,
    /// Its name and help text as a metric, if it is one.
    pub metric: Option<(&'static str, &'static str)>,
    pub get: fn(&Counts) -> u64,
    pub get_mut: fn(&mut Counts) -> &mut u64,
}

/// A counter for each member of a family, such as each collection.
pub struct Family {
    /// The family's name in the statistics of a job.
    pub stored: &'static str,
    pub get: fn(&Counts) -> &BTreeMap<String, u64>,
    pub get_mut: fn(&mut Counts) -> &mut BTreeMap<String, u64>,
}

/// Makes [`Counts`] from one table: the ledger, statistics, metrics and reports get each counter from its row.
macro_rules! counts {
    (
        reported { $($(#[doc = $doc:literal])+ $counter:ident, stored $stored:literal, metric $metric:expr;)* }
        kept { $($(#[doc = $kept_doc:literal])+ $kept:ident, stored $kept_stored:literal, metric $kept_metric:expr;)* }
        families { $($(#[doc = $family_doc:literal])+ $family:ident, stored $family_stored:literal;)* }
    ) => {
        /// What a run did, over all its attempts.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Counts {
            $($(#[doc = $family_doc])+ pub $family: BTreeMap<String, u64>,)*
            $($(#[doc = $doc])+ pub $counter: u64,)*
            $($(#[doc = $kept_doc])+ pub $kept: u64,)*
            /// Duration of provider calls.
            pub latency: Histogram,
        }

        /// The counters in a report.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
        #[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
        pub struct Reported {
            $($(#[doc = $doc])+ pub $counter: u64,)*
        }

        impl Counts {
            /// The rows of the counters that are one number.
            pub const COUNTERS: &[Counter] = &[
                $(Counter {
                    stored: $stored,
                    metric: $metric,
                    get: |counts| counts.$counter,
                    get_mut: |counts| &mut counts.$counter,
                },)*
                $(Counter {
                    stored: $kept_stored,
                    metric: $kept_metric,
                    get: |counts| counts.$kept,
                    get_mut: |counts| &mut counts.$kept,
                },)*
            ];
            /// The rows of the families.
            pub const FAMILIES: &[Family] = &[
                $(Family {
                    stored: $family_stored,
                    get: |counts| &counts.$family,
                    get_mut: |counts| &mut counts.$family,
                },)*
            ];

            /// The part of them that a report shows.
            pub fn reported(&self) -> Reported {
                Reported { $($counter: self.$counter,)* }
            }
        }
    };
}

counts! {
    reported {
        /// Raw logs stored.
        raw_logs, stored "raw_logs", metric None;
        /// Batches that were answered and stored.
        batches, stored "batches", metric None;
        /// Provider calls sent, including retries.
        calls, stored "calls_sent", metric None;
        /// Provider calls after the first of their batch.
        retries, stored "retries", metric Some((
            "orchestrator_provider_retries_total",
            "Provider calls after the first of their batch.",
        ));
        /// Attempts of Firestore writes after the first.
        write_retries, stored "write_retries", metric Some((
            "orchestrator_firestore_write_retries_total",
            "Attempts of document writes after the first.",
        ));
        /// Records that were stored before and say the same: they were not written again.
        records_unchanged, stored "records_unchanged", metric Some((
            "orchestrator_records_unchanged_total",
            "Records that were stored before and say the same.",
        ));
        /// Records among the stored ones that said something else before: what they said is kept as a revision.
        records_revised, stored "records_revised", metric Some((
            "orchestrator_records_revised_total",
            "Records that said something else before, kept as revisions.",
        ));
        /// Records whose values are doubtful: stored, and marked in their field `quality`.
        records_flagged, stored "records_flagged", metric Some((
            "orchestrator_records_flagged_total",
            "Records whose values are doubtful: stored, and marked.",
        ));
        /// Documents that Firestore was asked for, found or missing; a query that finds nothing counts as one. Without
        /// what closing an attempt takes, and without attempts that were cut off.
        documents_read, stored "documents_read", metric None;
        /// Documents written, the ledger's own included. Without what closing an attempt takes, and without attempts
        /// that were cut off.
        documents_written, stored "documents_written", metric None;
    }
    kept {
        /// Documents written.
        writes, stored "writes", metric Some((
            "orchestrator_firestore_writes_total",
            "Documents written, excluding the ledger's own.",
        ));
    }
    families {
        /// Records stored, by collection.
        collections, stored "records";
        /// Records rejected because they violate their schema, by the collection they were meant for.
        rejected, stored "rejected";
        /// Provider calls that ended, by their class; `ok` for an answer.
        classes, stored "calls";
        /// Tickers at each endpoint by outcome, when the latest attempt ended.
        outcomes, stored "outcomes";
    }
}

/// How many values fell between two bounds; the reader defines the bounds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Histogram {
    /// Values up to each bound and above the previous one, by the bound in milliseconds; `inf` for the rest.
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

    /// The higher of each count and the one before: what has ever been counted.
    #[must_use]
    pub fn max(&self, earlier: &Self) -> Self {
        let mut max = self.clone();
        for Counter { get, get_mut, .. } in Self::COUNTERS {
            *get_mut(&mut max) = get(self).max(get(earlier));
        }
        for Family { get, get_mut, .. } in Self::FAMILIES {
            for (name, count) in get(earlier) {
                let ever = get_mut(&mut max).entry(name.clone()).or_default();
                *ever = (*ever).max(*count);
            }
        }
        max
    }

    /// What has been done since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = Self { latency: self.latency.since(&earlier.latency), ..Self::default() };
        for Counter { get, get_mut, .. } in Self::COUNTERS {
            *get_mut(&mut since) = get(self).saturating_sub(get(earlier));
        }
        for Family { get, get_mut, .. } in Self::FAMILIES {
            *get_mut(&mut since) = growth(get(self), get(earlier));
        }
        since
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
