//! Counting the documents themselves.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Counts, Coverage, DayCells};
use crate::catalogue::dataset::{DOUBTFUL, QUALITY_FIELD};
use crate::firestore::query::FieldRange;
use crate::firestore::{Code, FirestoreError, Precondition, Value, Write};
use crate::run::cell::{Cell, Day};

/// Documents of one page.
const PAGE_DOCUMENTS: usize = 2_000;
/// Pages of one count: quotes of 5,000 tickers every five minutes are 400,000 documents.
const PAGES_MAX: usize = 300;
/// How often it starts over because runs have changed the entry meanwhile.
const CONFLICTS_MAX: usize = 5;
/// What a coverage document names in place of a run.
const VERIFIED: &str = "verified";
/// The field with a record's ticker.
const TICKER: &str = "ticker";

/// Where the records of a day are.
#[derive(Debug)]
pub struct Records<'a> {
    pub collection: &'a str,
    /// The field that has their time.
    pub field: &'a str,
    /// The first value of the day, and the first one after it.
    pub from: Value,
    pub until: Value,
}

/// What a count has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    pub documents: u64,
    pub changed: bool,
    pub before: Counts,
    pub after: Counts,
}

impl Coverage {
    /// Counts the records of a day and corrects its entry: what is stored is what was counted. The entry is read before
    /// the records are counted and written only if nobody has changed it since, so that no run's work is lost.
    pub async fn verify(&self, day: Day, records: &Records<'_>) -> Result<Verified, FirestoreError> {
        for _ in 0..CONFLICTS_MAX {
            let (mut cells, is_unreadable, precondition) =
                match self.firestore.get(&self.document(day)).await? {
                    Some(document) => {
                        let cells = DayCells::from_fields(&document.fields);
                        let precondition = Precondition::UnchangedSince(document.update_time);
                        (cells.clone().unwrap_or_default(), cells.is_err(), precondition)
                    }
                    None => (DayCells::default(), false, Precondition::Missing),
                };
            let (documents, counted) = self.count(records).await?;
            let before = cells.counts();
            let changed = cells.correct(&counted) || is_unreadable;
            let verified = Verified { documents, changed, before, after: cells.counts() };
            if !changed {
                return Ok(verified);
            }
            let fields = cells.to_fields(day, VERIFIED, self.world.clock.now());
            let write = Write::overwrite(self.document(day), fields).only_if(precondition);
            let written = self.firestore.commit(&[write]).await;
            // Also if its answer was lost.
            self.shared.forget(&day);
            match written {
                Ok(_) => return Ok(verified),
                // Also a write of ours whose answer was lost: then the next count changes nothing.
                Err(error) if is_repeatable(&error) => self.firestore.back_off(1).await,
                Err(error) => return Err(error),
            }
        }
        let message = format!(
            "runs have changed the coverage of {} on {} {CONFLICTS_MAX} times while it was counted",
            day.dataset, day.date
        );
        Err(FirestoreError::Status { code: Code::Aborted, message })
    }

    /// The number of records, and the cell of each ticker that has some.
    async fn count(&self, records: &Records<'_>) -> Result<(u64, BTreeMap<Arc<str>, Cell>), FirestoreError> {
        let (mut documents, mut cells) = (0, BTreeMap::<Arc<str>, Cell>::new());
        let mut after = None;
        for _ in 0..PAGES_MAX {
            let range = FieldRange {
                collection: records.collection,
                field: records.field,
                from: records.from.clone(),
                until: records.until.clone(),
                after: after.take(),
                limit: PAGE_DOCUMENTS,
                select: &[TICKER, QUALITY_FIELD, records.field],
            };
            let page = self.firestore.range(&range).await?;
            for document in &page.documents {
                documents += 1;
                let Some(ticker) = document.text(TICKER) else { continue };
                let codes = document.fields.get(QUALITY_FIELD).and_then(Value::as_array).unwrap_or_default();
                let cell = Cell::stored(
                    codes.iter().filter_map(Value::as_str).filter(|code| DOUBTFUL.contains(code)),
                );
                let both = match cells.get(ticker) {
                    Some(other) => cell.and(other),
                    None => cell,
                };
                cells.insert(Arc::from(ticker), both);
            }
            match page.next() {
                Some(last) => {
                    let value = last.fields.get(records.field).cloned().unwrap_or(Value::NULL);
                    after = Some((value, self.name(records.collection, &last.id)));
                }
                None => return Ok((documents, cells)),
            }
        }
        let most = PAGES_MAX * PAGE_DOCUMENTS;
        Err(FirestoreError::Protocol(format!("too many records on one day to count: more than {most}")))
    }

    /// The ID is as stored: it is escaped already.
    fn name(&self, collection: &str, id: &str) -> String {
        format!("{}/documents/{collection}/{id}", self.firestore.database())
    }
}

fn is_repeatable(error: &FirestoreError) -> bool {
    let conflict =
        matches!(error.code(), Some(Code::AlreadyExists | Code::FailedPrecondition | Code::NotFound));
    conflict || error.is_retryable()
}
