//! One ticker while the entries of a response are read.

use std::collections::BTreeMap;

use super::Intake;
use crate::catalogue::dataset::Shape;
use crate::firestore::{Value, Write};
use crate::intake::expectation::{Expectation, Nearness};
use crate::intake::record::{Asked, Part};
use crate::intake::rejected::Rejected;

/// What is known about one ticker while the entries are read.
#[derive(Default)]
pub(super) struct TickerSoFar {
    pub(super) records: usize,
    /// The place in time of the newest record.
    pub(super) newest: Option<i64>,
    /// Records of the days that were requested, and of days far away from them.
    pub(super) inside: usize,
    pub(super) outside: usize,
    /// The indicators of its entry, each with the place of its newest record; none if it was rejected, or has failed.
    pub(super) indicators: BTreeMap<String, Option<i64>>,
    /// Whether some of its entry cannot be read, so that there is no telling what is missing in it.
    pub(super) is_odd: bool,
    pub(super) rejected: usize,
    /// Why the first rejected record was rejected.
    pub(super) why: Option<String>,
    pub(super) errors: Vec<String>,
    /// Parts that failed for no reason of their own, while others were answered.
    pub(super) again: Vec<Part>,
}

impl TickerSoFar {
    pub(super) fn note(&mut self, records: &[Write], expectation: &Expectation) {
        self.records += records.len();
        for record in records {
            match expectation.nearness(&record.fields) {
                Some(Nearness::Inside) => self.inside += 1,
                Some(Nearness::Far) => self.outside += 1,
                Some(Nearness::Near) | None => {}
            }
            let place = expectation.place(&record.fields);
            self.newest = self.newest.max(place);
            let indicator = record.fields.get("indicator").and_then(Value::as_str);
            if let Some(newest) = indicator.and_then(|name| self.indicators.get_mut(name)) {
                *newest = place.max(*newest);
            }
        }
    }

    /// The indicators without a current record, of those that were asked for: outdated or missing. What was rejected, or
    /// has failed, is told elsewhere.
    pub(super) fn outdated(&self, shape: Shape, expectation: &Expectation, asked: &Asked<'_>) -> Vec<String> {
        let Shape::Indicators(all) = shape else { return Vec::new() };
        let named: Vec<&str> = if asked.parts.is_empty() {
            all.to_vec()
        } else {
            asked.parts.iter().map(String::as_str).collect()
        };
        let outdated = |(name, newest): (&String, &Option<i64>)| {
            let newest = expectation.outdated((*newest)?)?;
            Some(format!("{name} ({newest})"))
        };
        let missing = named.into_iter().filter(|name| !self.is_odd && !self.indicators.contains_key(*name));
        let missing = missing.map(|name| format!("{name} (no record)"));
        let mut outdated: Vec<_> = self.indicators.iter().filter_map(outdated).chain(missing).collect();
        outdated.extend(asked.outdated.iter().cloned());
        outdated
    }

    pub(super) fn reject(&mut self, rejected: Vec<Rejected>, intake: &mut Intake) {
        self.rejected += rejected.len();
        if let Some(first) = rejected.first() {
            self.why.get_or_insert_with(|| first.reasons.join(", "));
        }
        intake.rejected.extend(rejected);
    }
}
