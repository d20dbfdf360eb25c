//! Telling the changes of one alert.

use chrono::{DateTime, Utc};
use futures::future::join_all;

use super::alert::{Known, Told};
use super::message::News;
use super::target::{Sent, Target};
use super::{Notifier, Watch, document, post};
use crate::firestore::{DocumentPath, FirestoreError, Precondition, Value, Write};
use crate::ops::facts::NOTIFICATIONS;

/// How often one document is read again because somebody else has changed it.
const CONFLICTS_MAX: u32 = 5;

/// An alert's document as it was read or written.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) key: String,
    pub(super) known: Known,
    pub(super) update_time: DateTime<Utc>,
}

impl Notifier {
    /// Tells the changes that this watch has claimed, and stores who has taken them.
    pub(super) async fn deliver(&self, held: Held, watch: &Watch) -> Result<(), FirestoreError> {
        let targets = self.config.targets();
        let lanes = targets.iter().map(|target| self.tell_target(*target, &held, watch));
        let results: Vec<_> = join_all(lanes).await.into_iter().flatten().collect();
        self.record(held, &results, watch).await
    }

    /// Tells one target the alert's changes in their order, until it does not take one.
    async fn tell_target(&self, target: Target, held: &Held, watch: &Watch) -> Vec<Told> {
        let mut results = Vec::new();
        for change in held.known.changes.iter().filter(|change| change.is_pending(target)) {
            if self.world.clock.instant() >= watch.last_message || watch.is_down(target) {
                break;
            }
            let news = News { key: &held.key, subject: &held.known.subject, change };
            let sent = self.tell(target, &news, watch.message).await;
            post::log(target, &held.key, &sent);
            watch.count(target, sent.error());
            let error = sent.error().map(ToOwned::to_owned);
            let is_told = error.is_none();
            results.push(Told { change: change.id.clone(), target, error });
            if matches!(sent, Sent::Down { .. }) {
                watch.give_up(target);
            }
            if !is_told {
                break;
            }
        }
        results
    }

    /// Stores what became of messages, whoever else has changed the document meanwhile.
    async fn record(&self, held: Held, results: &[Told], watch: &Watch) -> Result<(), FirestoreError> {
        let Held { key, mut known, mut update_time } = held;
        let path = self.document(&key);
        for _ in 0..CONFLICTS_MAX {
            let next = known.told(results, &watch.id);
            if next == known {
                return Ok(());
            }
            let write = document::write(path.clone(), &next, Precondition::UnchangedSince(update_time));
            let counted = (!results.is_empty()).then(|| self.counted(results));
            let writes: Vec<_> = std::iter::once(write).chain(counted).collect();
            if self.commit(&writes).await?.is_some() {
                return Ok(());
            }
            match self.firestore.get(&path).await? {
                Some(document) => {
                    known = document::read(&document.fields);
                    update_time = document.update_time;
                }
                None => return Ok(()),
            }
        }
        tracing::warn!(alert.key = key, "alert changes too often: its messages may come again");
        Ok(())
    }

    /// Counts messages, in the commit that stores what became of them.
    fn counted(&self, results: &[Told]) -> Write {
        let mut write =
            Write::merge(DocumentPath::new(&self.collection, NOTIFICATIONS), crate::firestore::Fields::new());
        for target in Target::ALL {
            let of_target = || results.iter().filter(|told| told.target == target);
            let failed = of_target().filter(|told| told.error.is_some()).count();
            let told = of_target().count() - failed;
            for (outcome, count) in [("told", told), ("failed", failed)] {
                if count > 0 {
                    let field = format!("{outcome}_{}", target.name());
                    write.increments.push((field, Value::count(count)));
                }
            }
        }
        write
    }
}
