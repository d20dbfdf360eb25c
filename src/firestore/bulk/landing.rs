//! What a batch's answer means for each of its writes.

use super::{BulkWriter, Flight, Item, Settled};
use crate::firestore::{Code, FirestoreError};

/// Tries of one write in all.
const ATTEMPTS_MAX: u32 = 8;

impl BulkWriter {
    pub(super) fn land(&mut self, flight: Flight) {
        for item in &flight.items {
            self.busy.remove(&item.write.document);
        }
        match flight.answer {
            Ok(statuses) => {
                for (item, status) in flight.items.into_iter().zip(statuses) {
                    match status {
                        None => self.settle(item, |outcome, item| {
                            *outcome
                                .written
                                .entry(item.write.document.collection().to_owned())
                                .or_default() += 1;
                        }),
                        Some((code, message)) => {
                            let reason = format!("{}: {message}", code.name());
                            self.retry_or_give_up(
                                item,
                                code.is_retryable(),
                                code == Code::ResourceExhausted,
                                &reason,
                            );
                        }
                    }
                }
            }
            Err(error) => self.land_refused(flight.items, &error),
        }
    }

    /// A whole request failed: one write may be the cause, so it comes back in halves.
    fn land_refused(&mut self, items: Vec<Item>, error: &FirestoreError) {
        let exhausted = error.code() == Some(Code::ResourceExhausted);
        let suspicious = exhausted || !error.is_retryable();
        let alone = items.len() == 1;
        let company_max = (items.len() / 2).max(1);
        let reason = error.to_string();
        for mut item in items {
            if suspicious && !alone {
                item.company_max = company_max;
                if !error.is_retryable() {
                    self.waiting_bytes += item.write.json.len();
                    self.ready.push_back(item);
                    continue;
                }
            }
            self.retry_or_give_up(item, error.is_retryable(), exhausted, &reason);
        }
    }

    fn retry_or_give_up(&mut self, mut item: Item, retryable: bool, exhausted: bool, reason: &str) {
        if !retryable {
            self.settle(item, |outcome, item| outcome.refused.push((item.write, reason.to_owned())));
        } else if item.attempt >= ATTEMPTS_MAX {
            self.settle(item, |outcome, item| outcome.failed.push((item.write, reason.to_owned())));
        } else {
            // Throttling ends slowest: its waits start where others arrive after three doublings.
            let step = item.attempt + if exhausted { 3 } else { 0 };
            let delay = self.backoff.delay(step, self.world.entropy.next_u64());
            item.attempt += 1;
            if let Some((_, outcome)) = self.open.get_mut(&item.group) {
                outcome.retries += 1;
            }
            self.waiting_bytes += item.write.json.len();
            self.delayed.push((self.world.clock.instant() + delay, item));
        }
    }

    fn settle(&mut self, item: Item, note: impl FnOnce(&mut Settled, Item)) {
        let group = item.group;
        let Some((left, outcome)) = self.open.get_mut(&group) else { return };
        note(outcome, item);
        *left -= 1;
        if *left == 0
            && let Some((_, outcome)) = self.open.remove(&group)
        {
            self.settled.push_back(outcome);
        }
    }
}
