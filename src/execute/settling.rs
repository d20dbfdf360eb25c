//! How the loop handles documents that were stored, refused or left.

use super::Execution;
use super::stop::Stop;
use super::storing::Group;
use crate::config::Collections;
use crate::firestore::EncodedWrite;
use crate::firestore::bulk::Settled;
use crate::persist::rejected;
use crate::run::{Failure, Work};

impl Execution<'_> {
    pub(super) fn on_settled(&mut self, settled: Settled) {
        if let Some(stop) = self.note_settled(settled)
            && self.stop.is_none()
        {
            self.stop = Some(stop);
        }
    }

    /// Applies a group's outcome to the run's state; work whose documents could not be stored is deferred.
    pub(super) fn note_settled(&mut self, settled: Settled) -> Option<Stop> {
        let mut group = self.storing.close(settled.group)?;
        let collections = &self.app.config.collections;
        self.state.counts.write_retries += settled.retries;
        for (collection, count) in settled.written {
            self.state.counts.writes += count;
            if collection == collections.raw_logs {
                self.state.counts.raw_logs += count;
            } else if is_record(collections, &collection) {
                group.written.push((collection, count));
            }
        }
        let mut reason =
            settled.failed.into_iter().next().map(|(write, reason)| format!("{}: {reason}", write.document));
        let (records, others): (Vec<_>, Vec<_>) = settled
            .refused
            .into_iter()
            .partition(|(write, _)| is_record(collections, write.document.collection()));
        if let Some((write, words)) = others.into_iter().next() {
            reason = Some(format!("firestore rejected {}: {words}", write.document));
        }
        if settled.unknown > 0 {
            reason = Some("the request ran out of time before everything was stored".to_owned());
        }
        if let Some(reason) = reason {
            // The reason to stop may be another, and a raw log alone defers no work: it must be reported anyway,
            // once in an attempt.
            let told = format!("attempt {}: not everything could be stored", self.run.run_attempt);
            if !self.state.remarks.iter().any(|remark| remark.starts_with(&told)) {
                self.state.remark(format!("{told}: {reason}"));
            }
            self.put_off.extend(group.work.map(|work| Work { reason: Some(reason.clone()), ..work }));
            return Some(Stop::Storage { reason });
        }
        if records.is_empty() {
            self.complete(group);
        } else {
            self.reject(group, &records);
        }
        None
    }

    /// Stores what Firestore refused as rejected records; the group is settled when they are.
    fn reject(&mut self, mut group: Group, refused: &[(EncodedWrite, String)]) {
        for (write, _) in refused {
            *group.rejected.entry(write.document.collection().to_owned()).or_default() += 1;
        }
        let origin = self.origin();
        let writes: Vec<_> = refused
            .iter()
            .flat_map(|(write, reason)| rejected::writes_of_refused(write, reason, &origin))
            .collect();
        let group = self.storing.open(group);
        self.push(group, &writes);
    }

    fn complete(&mut self, group: Group) {
        let counts = &mut self.state.counts;
        for (collection, count) in group.written {
            let repeated = group.repeated.get(&collection).copied().unwrap_or_default();
            let count = count.saturating_sub(repeated);
            if count > 0 {
                *counts.collections.entry(collection).or_default() += count;
            }
        }
        for (collection, count) in group.rejected {
            *counts.rejected.entry(collection).or_default() += count;
        }
        self.changed = true;
        // Responses that settle no ticker may still have stored something.
        let Some(work) = group.work else { return };
        counts.batches += 1;
        self.state.note_done(work.units().saturating_sub(group.failed.len()));
        let endpoint = work.endpoint;
        let failure = |(ticker, reason)| Failure {
            ticker: Some(ticker),
            endpoint: endpoint.clone(),
            class: None,
            reason,
        };
        self.state.failed.extend(group.failed.into_iter().map(failure));
    }
}

/// Whether a collection holds records of a dataset.
fn is_record(collections: &Collections, collection: &str) -> bool {
    [
        &collections.prices_daily,
        &collections.prices_intraday,
        &collections.news,
        &collections.fundamentals,
        &collections.earnings,
        &collections.indicators,
    ]
    .iter()
    .any(|name| *name == collection)
}
