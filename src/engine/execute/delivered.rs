//! How the loop handles documents that were stored, refused or left unwritten.

use std::collections::HashSet;

use super::Execution;
use super::deliveries::Delivery;
use super::found::Cells;
use crate::catalogue::{Dataset, Ticker};
use crate::firestore::bulk::{Delivered, Tally, Unwritten};
use crate::intake::kind::Kind;
use crate::intake::rejected;
use crate::run::stop::StopReason;
use crate::run::{Outcome, StaleRecords, Work};

impl Execution<'_> {
    pub(super) fn on_delivered(&mut self, delivered: Delivered<Kind>) {
        if let Some(stop) = self.note_delivered(delivered)
            && self.stop.is_none()
        {
            self.stop = Some(stop);
        }
    }

    /// Applies a delivery's outcome to the run's state; work whose documents could not be stored is deferred.
    pub(super) fn note_delivered(&mut self, delivered: Delivered<Kind>) -> Option<StopReason> {
        let mut delivery = self.backlog.deliveries.close(delivered.delivery)?;
        self.note_superseded(&mut delivery, &delivered.superseded);
        self.state.counts.write_retries += delivered.retries;
        self.state.counts.writes += delivered.sent;
        for (kind, tally) in delivered.tallies {
            match kind {
                Kind::Record(_, subject) => delivery.tell(subject, tally),
                Kind::RawLog => self.state.counts.raw_logs += tally.written,
                // Counted once they are stored as rejected: this counts records, not documents.
                Kind::Rejected | Kind::Part => {}
            }
        }
        let (mut refused_records, mut refused_other) = (Vec::new(), None);
        for refused in delivered.refused {
            match refused.tag {
                Kind::Record(dataset, _) => refused_records.push((dataset, refused)),
                Kind::RawLog | Kind::Rejected | Kind::Part => {
                    refused_other.get_or_insert(format!("firestore rejected {refused}"));
                }
            }
        }
        let failed = delivered.failed.first().map(ToString::to_string);
        let mut reason = refused_other.or(failed);
        if delivered.unknown > 0 {
            reason = Some("the request ran out of time before everything was stored".to_owned());
        }
        if let Some(reason) = reason {
            // The attempt may stop for another reason, and a missing raw log alone defers no work: report it anyway,
            // once per attempt.
            let told = format!("attempt {}: not everything could be stored", self.run.run_attempt);
            if !self.state.remarks.iter().any(|remark| remark.starts_with(&told)) {
                self.state.remark(format!("{told}: {reason}"));
            }
            self.cover_written(&mut delivery, &delivered.failed, delivered.unknown);
            if let Some(work) = delivery.work {
                self.backlog.defer_work(Work { reason: Some(reason.clone()), ..work });
            }
            return Some(StopReason::Storage { reason });
        }
        if refused_records.is_empty() {
            self.complete(delivery);
        } else {
            self.reject(delivery, &refused_records);
        }
        None
    }

    /// Stores what Firestore refused as rejected records; the delivery is complete once they are stored.
    fn reject(&mut self, mut delivery: Delivery, refused: &[(&'static Dataset, Unwritten<Kind>)]) {
        delivery.cells.refuse(refused.iter().map(|(_, refused)| &refused.write.document));
        for (dataset, _) in refused {
            *delivery.rejected.entry(self.collection(dataset)).or_default() += 1;
        }
        let origin = self.origin();
        let writes = refused
            .iter()
            .flat_map(|(_, refused)| rejected::writes_of_refused(&refused.write, &refused.reason, &origin))
            .collect();
        let id = self.backlog.deliveries.open(delivery);
        self.push(id, writes);
    }

    /// The collection of a dataset's records.
    pub(super) fn collection(&self, dataset: &Dataset) -> String {
        self.engine.settings.collections.of(dataset).to_owned()
    }

    /// The documents of a delivery are stored: its work is done once the coverage says so.
    fn complete(&mut self, delivery: Delivery) {
        self.coverage.add(&delivery);
        self.backlog.deliveries.cover(delivery);
    }

    /// Some documents of a delivery are stored, others are not: its work is repeated, which may find less.
    fn cover_written(&mut self, delivery: &mut Delivery, failed: &[Unwritten<Kind>], unknown: usize) {
        if unknown > 0 {
            return;
        }
        let failed: HashSet<_> = failed.iter().map(|failed| &failed.write.document).collect();
        let mut found = std::mem::take(&mut delivery.cells.found);
        found.retain(|found| !failed.contains(&found.document));
        let cells = Cells { found, ..Cells::default() };
        self.coverage.add(&Delivery { endpoint: delivery.endpoint, cells, ..Delivery::default() });
    }

    /// The documents of a delivery and its coverage are stored.
    pub(super) fn settle(&mut self, delivery: Delivery) {
        if delivery.is_preliminary {
            return;
        }
        let (mut all, mut again) = (Tally::default(), Tally::default());
        let comes_again: HashSet<_> = delivery
            .shortfalls
            .iter()
            .filter(|short| short.has_records())
            .filter_map(|short| short.ticker.as_ref().map(Ticker::as_str))
            .collect();
        for told in &delivery.subjects {
            all += told.tally;
            if comes_again.contains(&*told.name) {
                again += told.tally;
            }
        }
        let counts = &mut self.state.counts;
        if all.written > 0 {
            *counts.collections.entry(delivery.collection.clone()).or_default() += all.written;
        }
        counts.records_unchanged += all.unchanged;
        counts.records_revised += all.revised;
        for (collection, count) in delivery.rejected {
            *counts.rejected.entry(collection).or_default() += count;
        }
        counts.records_flagged += delivery.flagged;
        self.lease.note_progress();
        // Responses that settle no ticker may still have stored something.
        let Some(work) = delivery.work else {
            if let Some(log_id) = &delivery.recalled {
                if all.written > 0 {
                    self.note_adjusted_again(delivery.endpoint);
                }
                self.end_recalled(log_id, true);
            }
            return;
        };
        counts.batches += 1;
        let Work { endpoint, window, mut tickers, .. } = work;
        let knows_tickers = !tickers.is_empty();
        let short: HashSet<_> =
            delivery.shortfalls.iter().filter_map(|short| short.ticker.as_ref()).collect();
        tickers.retain(|ticker| !short.contains(ticker));
        let unchanged: HashSet<_> =
            delivery.subjects.iter().filter(|told| told.is_unchanged()).map(|told| &*told.name).collect();
        if knows_tickers {
            let is_unchanged = |ticker: &mut Ticker| unchanged.contains(ticker.as_str());
            let kept: Vec<_> = tickers.extract_if(.., is_unchanged).collect();
            for (tickers, outcome) in [(tickers, Outcome::Stored), (kept, Outcome::Unchanged)] {
                if !tickers.is_empty() {
                    self.state.settle(&endpoint, window, tickers, outcome);
                }
            }
        } else {
            let is_unchanged = !unchanged.is_empty() && unchanged.len() == delivery.subjects.len();
            let outcome = if is_unchanged { Outcome::Unchanged } else { Outcome::Stored };
            self.state.settle(&endpoint, window, tickers, outcome);
        }
        if !comes_again.is_empty() {
            let Tally { written: records, revised, unchanged } = again;
            let (endpoint, collection) = (endpoint.clone(), delivery.collection.clone());
            let rest = delivery.stale;
            self.state.note_stale(StaleRecords { endpoint, collection, records, unchanged, revised, ..rest });
        }
        self.state.shortfalls.extend(delivery.shortfalls);
    }
}
