//! What a batch's response means for each of its writes.

use super::{Answer, BulkWriter, Delivered, Item};
use crate::firestore::{Code, FirestoreError};

/// Maximum attempts of one write.
const ATTEMPTS_MAX: u32 = 8;
/// Throttling takes longest to end: its waits start where others get after this many doublings.
const EXHAUSTED_STEPS: u32 = 3;

/// What a failure says about a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Retryability {
    /// The same write may succeed later in this run.
    Later { throttled: bool },
    /// Firestore will never take this write.
    Never,
    /// Nothing can be written until someone acts: no permission, no such database.
    NotNow,
}

fn retryability(error: &FirestoreError) -> Retryability {
    match error.code() {
        _ if error.is_retryable() => {
            Retryability::Later { throttled: error.code() == Some(Code::ResourceExhausted) }
        }
        // Includes a request that is too large as a whole, which has no canonical status.
        Some(Code::InvalidArgument | Code::OutOfRange | Code::Unknown) => Retryability::Never,
        _ => Retryability::NotNow,
    }
}

/// Whether the document was changed by somebody else since it was compared.
fn is_outdated(error: &FirestoreError) -> bool {
    matches!(error.code(), Some(Code::AlreadyExists | Code::FailedPrecondition | Code::NotFound))
}

impl<T: Copy + Ord + Send + Sync + 'static> BulkWriter<T> {
    pub(super) fn on_answer(&mut self, answer: Answer<T>) {
        match answer {
            Answer::Read { items, is_whole, documents } => self.on_read(items, is_whole, documents),
            Answer::Written { items, statuses } => {
                self.writes_in_flight -= 1;
                match statuses {
                    Ok(statuses) => self.on_written(items, statuses),
                    Err(error) => self.on_request_failed(items, &error),
                }
            }
        }
    }

    fn on_written(&mut self, items: Vec<Item<T>>, statuses: Vec<Option<(Code, String)>>) {
        for (mut item, status) in items.into_iter().zip(statuses) {
            let Some((code, message)) = status else {
                if let Some((_, outcome)) = self.open.get_mut(&item.delivery) {
                    outcome.sent += 1;
                }
                if item.before.take().is_some() {
                    self.queue(item);
                } else {
                    self.settle(item, |outcome, item| outcome.note_written(item.tag, item.revises));
                }
                continue;
            };
            let error = FirestoreError::Status { code, message };
            let is_compared = item.before.is_none() && item.write.precondition.is_some();
            if is_compared && is_outdated(&error) && item.attempt < ATTEMPTS_MAX {
                item.attempt += 1;
                self.compare_again(item);
            } else {
                self.retry_or_give_up(item, retryability(&error), &error);
            }
        }
    }

    /// Documents could not be compared: nothing is written that might overwrite what is worth keeping.
    pub(super) fn on_unread(&mut self, items: Vec<Item<T>>, error: &FirestoreError) {
        let retryability = match retryability(error) {
            Retryability::Never => Retryability::NotNow,
            other => other,
        };
        for item in items {
            self.retry_or_give_up(item, retryability, error);
        }
    }

    /// A whole request failed. One write may be the cause, or all of them together may be too large, so they are
    /// retried in halves, down to single writes.
    fn on_request_failed(&mut self, items: Vec<Item<T>>, error: &FirestoreError) {
        let retryability = retryability(error);
        let halve = matches!(retryability, Retryability::Never | Retryability::Later { throttled: true })
            && items.len() > 1;
        let company_max = (items.len() / 2).max(1);
        for mut item in items {
            if halve {
                item.company_max = company_max;
            }
            if halve && retryability == Retryability::Never {
                self.waiting_bytes += item.bytes();
                self.ready.push_back(item);
            } else {
                self.retry_or_give_up(item, retryability, error);
            }
        }
    }

    fn retry_or_give_up(&mut self, mut item: Item<T>, retryability: Retryability, error: &FirestoreError) {
        match retryability {
            Retryability::Never => {
                self.settle(item, |outcome, item| outcome.refused.push(item.unwritten(error.to_string())));
            }
            Retryability::Later { throttled } if item.attempt < ATTEMPTS_MAX => {
                let step = item.attempt + if throttled { EXHAUSTED_STEPS } else { 0 };
                let delay = self.backoff.delay(step, self.world.entropy.next_u64());
                item.attempt += 1;
                if let Some((_, outcome)) = self.open.get_mut(&item.delivery) {
                    outcome.retries += 1;
                }
                self.waiting_bytes += item.bytes();
                self.delayed.push((self.world.clock.instant() + delay, item));
            }
            Retryability::Later { .. } | Retryability::NotNow => {
                self.settle(item, |outcome, item| outcome.failed.push(item.unwritten(error.to_string())));
            }
        }
    }

    pub(super) fn settle(&mut self, item: Item<T>, note: impl FnOnce(&mut Delivered<T>, Item<T>)) {
        let delivery = item.delivery;
        self.busy.remove(&item.write.document);
        let Some((left, outcome)) = self.open.get_mut(&delivery) else { return };
        note(outcome, item);
        *left -= 1;
        if *left == 0
            && let Some((_, outcome)) = self.open.remove(&delivery)
        {
            self.delivered.push_back(outcome);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ports::TransportError;

    #[test]
    fn a_failure_says_whether_the_write_may_ever_succeed() {
        let status = |code| FirestoreError::Status { code, message: String::new() };
        let table = [
            (status(Code::Unavailable), Retryability::Later { throttled: false }),
            (status(Code::ResourceExhausted), Retryability::Later { throttled: true }),
            (TransportError::Connect(String::new()).into(), Retryability::Later { throttled: false }),
            (status(Code::InvalidArgument), Retryability::Never),
            (status(Code::PermissionDenied), Retryability::NotNow),
            (status(Code::Unauthenticated), Retryability::NotNow),
            (status(Code::NotFound), Retryability::NotNow),
            (TransportError::Denied(String::new()).into(), Retryability::NotNow),
        ];
        for (error, expect) in table {
            assert_eq!(retryability(&error), expect, "{error}");
        }
    }
}
