//! Writing what was learnt, whoever else writes at the same time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};

use super::shared::{Shared, Written};
use super::{Changes, Coverage, DayCells};
use crate::base::ports::Instant;
use crate::base::turns::yield_now;
use crate::firestore::write::DOCUMENT_BYTES_MAX;
use crate::firestore::{Code, FirestoreError, Precondition, Write};
use crate::run::cell::Day;

/// Documents in one read: a response holds 32 MiB, and base64 makes a full document 1.3 MB long.
const READ_DOCUMENTS_MAX: usize = 24;
/// Bytes of the documents in one commit: in base64 they stay below the emulator's 4 MiB.
const COMMIT_BYTES_MAX: usize = 2 << 20;
/// Documents in one commit.
const COMMIT_DOCUMENTS_MAX: usize = 100;
/// How often one write starts over after others have changed its documents.
const CONFLICTS_MAX: u32 = 8;
/// Attempts of one commit while Firestore fails; the caller tries again later.
const COMMIT_ATTEMPTS_MAX: u32 = 3;
/// Tickers of all documents that are kept in memory, each taking about 100 bytes at most.
const KEPT_TICKERS_MAX: usize = 200_000;

/// Documents as they were last seen, so that they need not be read again.
#[derive(Debug)]
pub struct Held {
    since: Instant,
    days: BTreeMap<Day, Version>,
    /// Documents that could not be read and have been made anew, each in a sentence.
    remade: Vec<String>,
    /// Cells of which something is stored, though an answer has nothing for them.
    contradicted: BTreeSet<(Arc<str>, NaiveDate)>,
}

/// One of them.
#[derive(Debug, Default)]
struct Version {
    cells: Arc<DayCells>,
    /// None if there is no document.
    update_time: Option<DateTime<Utc>>,
    /// Why the document could not be read, if that is so.
    unreadable: Option<String>,
}

/// What became of changes.
#[derive(Debug)]
pub struct Saved {
    pub held: Held,
    /// Changes that are not stored.
    pub left: Changes,
    pub result: Result<(), FirestoreError>,
    /// How long other runs of the instance were waited for.
    pub waited: Duration,
}

impl Held {
    /// Nothing yet, for a run that begins now.
    pub fn new(since: Instant) -> Self {
        Self { since, days: BTreeMap::new(), remade: Vec::new(), contradicted: BTreeSet::new() }
    }

    /// Takes over what other runs of the instance have written meanwhile.
    fn adopt<'a>(&mut self, shared: &Shared, days: impl IntoIterator<Item = &'a Day>) {
        for day in days {
            let Some(written) = shared.written_since(day, self.since) else { continue };
            let version = self.days.entry(*day).or_default();
            if version.update_time.is_none_or(|own| own < written.update_time) {
                let (cells, update_time) = (written.cells, Some(written.update_time));
                *version = Version { cells, update_time, unreadable: None };
            }
        }
    }

    /// Those of these days whose documents are not known.
    pub fn unknown<'a>(&self, days: impl IntoIterator<Item = &'a Day>) -> Vec<Day> {
        days.into_iter().filter(|day| !self.days.contains_key(day)).copied().collect()
    }

    /// Takes what is to be said about documents that have been made anew.
    pub fn take_remade(&mut self) -> Vec<String> {
        std::mem::take(&mut self.remade)
    }

    /// Takes the cells that an answer has nothing for, though an earlier one had.
    pub fn take_contradicted(&mut self) -> BTreeSet<(Arc<str>, NaiveDate)> {
        std::mem::take(&mut self.contradicted)
    }

    /// Forgets the oldest days until the others take little enough memory.
    fn shrink(&mut self) {
        let mut tickers: usize = self.days.values().map(|version| version.cells.len()).sum();
        while tickers > KEPT_TICKERS_MAX
            && let Some(oldest) = self.days.keys().min_by_key(|day| day.date).copied()
        {
            tickers -= self.days.remove(&oldest).map_or(0, |version| version.cells.len());
        }
    }
}

impl Coverage {
    /// Reads the documents of these days.
    pub async fn learn(&self, mut held: Held, days: &[Day]) -> (Held, Result<(), FirestoreError>) {
        held.adopt(&self.shared, days);
        let unknown = held.unknown(days);
        let result = self.read_into(&mut held, &unknown).await;
        (held, result)
    }

    /// Stores changes. Documents that do not change are not written; those that others have changed are read again.
    ///
    /// It may be repeated whatever became of it: changes that are stored already are no changes. Other runs of the
    /// instance that write these documents are waited for, no longer than `patience`.
    pub async fn save(&self, run_id: &str, mut held: Held, mut left: Changes, patience: Duration) -> Saved {
        let came = self.world.clock.instant();
        let _turn = self.shared.turn(&*self.world.clock, left.keys(), patience).await;
        let waited = self.world.clock.instant().since(came);
        let result = self.store(run_id, &mut held, &mut left).await;
        held.shrink();
        Saved { held, left, result, waited }
    }

    async fn store(&self, run_id: &str, held: &mut Held, left: &mut Changes) -> Result<(), FirestoreError> {
        held.adopt(&self.shared, left.keys());
        let unknown = held.unknown(left.keys());
        self.read_into(held, &unknown).await?;
        let mut conflicts = 0;
        loop {
            let Some(batch) = self.next_batch(run_id, held, left).await else { return Ok(()) };
            match self.commit(&batch).await {
                Ok(times) => {
                    for ((day, _), time) in batch.iter().zip(times) {
                        left.remove(day);
                        if let Some(version) = held.days.get_mut(day) {
                            version.update_time = Some(time);
                            let (cells, at) = (version.cells.clone(), self.world.clock.instant());
                            self.shared.note(*day, Written { cells, update_time: time, at });
                            let reason = version.unreadable.take();
                            held.remade.extend(reason.map(|reason| remade(*day, &reason)));
                        }
                    }
                }
                Err(error) => {
                    // What is in memory may be what is stored, or not.
                    held.days.retain(|day, _| !batch.iter().any(|(written, _)| written == day));
                    for (day, _) in &batch {
                        self.shared.forget(day);
                    }
                    if !is_conflict(&error) || conflicts >= CONFLICTS_MAX {
                        return Err(error);
                    }
                    conflicts += 1;
                    self.firestore.back_off(conflicts).await;
                    let days: Vec<_> = batch.into_iter().map(|(day, _)| day).collect();
                    self.read_into(held, &days).await?;
                }
            }
        }
    }

    /// The writes of the next documents that change, as many as fit into a commit; changes of the others are done.
    async fn next_batch(
        &self,
        run_id: &str,
        held: &mut Held,
        left: &mut Changes,
    ) -> Option<Vec<(Day, Write)>> {
        let (mut batch, mut bytes, mut same) = (Vec::new(), 0, Vec::new());
        for (day, change) in left.iter() {
            let version = held.days.entry(*day).or_default();
            held.contradicted.extend(version.cells.contradicted(change).map(|ticker| (ticker, day.date)));
            if !Arc::make_mut(&mut version.cells).apply(change) {
                same.push(*day);
                continue;
            }
            let fields = version.cells.to_fields(*day, run_id, self.world.clock.now());
            let precondition =
                version.update_time.map_or(Precondition::Missing, Precondition::UnchangedSince);
            let write = Write::overwrite(self.document(*day), fields).only_if(precondition);
            bytes += write.stored_bytes();
            batch.push((*day, write));
            // The documents of a large watchlist take milliseconds each.
            yield_now().await;
            if bytes + DOCUMENT_BYTES_MAX > COMMIT_BYTES_MAX || batch.len() >= COMMIT_DOCUMENTS_MAX {
                break;
            }
        }
        left.retain(|day, _| !same.contains(day));
        (!batch.is_empty()).then_some(batch)
    }

    async fn commit(&self, batch: &[(Day, Write)]) -> Result<Vec<DateTime<Utc>>, FirestoreError> {
        let writes: Vec<_> = batch.iter().map(|(_, write)| write.clone()).collect();
        let mut attempt = 1;
        loop {
            match self.firestore.commit(&writes).await {
                Err(error)
                    if error.is_retryable() && !is_conflict(&error) && attempt < COMMIT_ATTEMPTS_MAX =>
                {
                    self.firestore.back_off(attempt).await;
                    attempt += 1;
                }
                result => return result,
            }
        }
    }

    async fn read_into(&self, held: &mut Held, days: &[Day]) -> Result<(), FirestoreError> {
        for days in days.chunks(READ_DOCUMENTS_MAX) {
            let paths: Vec<_> = days.iter().map(|day| self.document(*day)).collect();
            let documents = self.firestore.get_all(&paths).await?;
            for (day, path) in days.iter().zip(&paths) {
                let version = match documents.iter().find(|document| document.id == path.id()) {
                    None => Version::default(),
                    Some(document) => {
                        let update_time = Some(document.update_time);
                        match DayCells::from_fields(&document.fields) {
                            Ok(cells) => Version { cells: cells.into(), update_time, unreadable: None },
                            // Runs would wait for it forever. What they know is worth more than what nobody can read.
                            Err(error) => {
                                tracing::error!(document = %path, %error, "coverage document cannot be read");
                                Version { update_time, unreadable: Some(error), ..Version::default() }
                            }
                        }
                    }
                };
                held.days.insert(*day, version);
                yield_now().await;
            }
        }
        Ok(())
    }
}

/// A document that cannot be read says which one it is, and how to make it anew.
pub(super) fn unreadable(path: &crate::firestore::DocumentPath, error: &str) -> FirestoreError {
    FirestoreError::Protocol(format!(
        "the coverage document {path} cannot be read: {error}; verify that day, or delete the document"
    ))
}

fn remade(Day { dataset, date }: Day, error: &str) -> String {
    format!(
        "the coverage of {dataset} on {date} could not be read and was made anew from what this run knows; \
         POST /coverage/{dataset}/{date}/verify counts what else is stored: {error}"
    )
}

/// Whether somebody else has changed a document since it was read.
fn is_conflict(error: &FirestoreError) -> bool {
    matches!(
        error.code(),
        Some(Code::AlreadyExists | Code::FailedPrecondition | Code::NotFound | Code::Aborted)
    )
}
