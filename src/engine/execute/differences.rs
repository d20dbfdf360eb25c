//! What a replay would change, without changing anything.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use futures::stream::{self, StreamExt};
use serde::Serialize;
use serde_json::Value as Json;

use super::recall::{SourceRun, reply_of};
use super::run_context::RunContext;
use crate::base::text::excerpt;
use crate::base::turns::yield_now;
use crate::catalogue::{Job, Scope};
use crate::engine::Engine;
use crate::firestore::bulk::{Comparison, Verdict};
use crate::firestore::document::Document;
use crate::firestore::write::Mode;
use crate::firestore::{DocumentPath, Fields, FirestoreError, Value, Write};
use crate::intake::answer::Intake;
use crate::intake::content;
use crate::intake::recall::{self, Answer};
use crate::intake::rejected::Rejected;
use crate::intake::replayed::ReplayedRecord;
use crate::intake::revision::Rules;
use crate::resilience::deadline::Deadline;

/// Documents that are read in one request: as a whole, because any field may differ.
const DOCUMENTS_MAX: usize = 100;
/// Differences that are named.
const NAMED_MAX: usize = 100;
/// Documents that would be written, and are kept to compare later answers with, and their bytes. Beyond that the rest is
/// not looked at.
const PLANNED_MAX: usize = 20_000;
const PLANNED_BYTES_MAX: usize = 16 << 20;
/// Characters of a value that is shown.
const VALUE_CHARS_MAX: usize = 500;

/// What a replay would do.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Debug, Default, Serialize)]
pub struct Differences {
    /// Runs whose answers would be taken in once more.
    pub runs: usize,
    /// Whether all answers were looked at; otherwise the time was up, or there are too many differences.
    pub complete: bool,
    /// Answers that were looked at.
    pub answers: u64,
    /// Answers that cannot be read any more.
    pub answers_unreadable: u64,
    /// Records that are not stored.
    pub new: u64,
    /// Records that say something else than what is stored.
    pub changed: u64,
    pub unchanged: u64,
    /// Records that are left alone, because something newer is stored.
    pub superseded: u64,
    /// Records that cannot be stored as such.
    pub rejected: u64,
    /// How many of the changed records differ in a field.
    pub changed_fields: BTreeMap<String, u64>,
    /// The first of the records that are new, changed or rejected.
    pub differences: Vec<Difference>,
    #[serde(skip)]
    planned: HashMap<DocumentPath, Fields>,
    #[serde(skip)]
    planned_bytes: usize,
    #[serde(skip)]
    rejected_seen: HashSet<(Option<String>, u128)>,
}

/// A record that a replay would write or reject.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Debug, Serialize)]
pub struct Difference {
    pub change: Change,
    pub collection: String,
    /// The document's ID; null for a rejected record.
    pub document: Option<String>,
    /// What is stored and what it would be, by field; only of changed records.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, FieldChange>,
    /// Why it is rejected.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    New,
    Changed,
    Rejected,
}

/// The values of a field; null if there is none.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct FieldChange {
    pub stored: Json,
    pub replayed: Json,
}

impl Differences {
    pub fn of(runs: usize) -> Self {
        Self { runs, complete: true, ..Self::default() }
    }

    /// Whether there are too many differences to go on.
    fn is_full(&self) -> bool {
        self.planned.len().max(self.rejected_seen.len()) > PLANNED_MAX
            || self.planned_bytes > PLANNED_BYTES_MAX
    }

    fn name(&mut self, difference: Difference) {
        if self.differences.len() < NAMED_MAX {
            self.differences.push(difference);
        }
    }

    fn reject(&mut self, collection: &str, rejected: Rejected) {
        if !self.rejected_seen.insert(rejected.key()) {
            return;
        }
        self.rejected += 1;
        self.name(Difference {
            change: Change::Rejected,
            collection: collection.to_owned(),
            document: None,
            fields: BTreeMap::new(),
            reasons: rejected.reasons,
        });
    }

    fn add(&mut self, record: &Write, stored: Option<&Document>, verdict: Option<&Verdict>) {
        let is_new = stored.is_none();
        match verdict {
            Some(Verdict::Unchanged | Verdict::Done { .. }) => self.unchanged += 1,
            Some(Verdict::Superseded) => self.superseded += 1,
            Some(Verdict::Write(_) | Verdict::Revise { .. }) | None => {
                let stored = stored.map(|stored| &stored.fields);
                let fields = stored.map(|stored| changes(stored, record)).unwrap_or_default();
                *(if is_new { &mut self.new } else { &mut self.changed }) += 1;
                for field in fields.keys() {
                    *self.changed_fields.entry(field.clone()).or_default() += 1;
                }
                self.name(Difference {
                    change: if is_new { Change::New } else { Change::Changed },
                    collection: record.document.collection().to_owned(),
                    document: Some(record.document.id().to_owned()),
                    fields,
                    reasons: Vec::new(),
                });
                let mut planned = match (record.mode, stored) {
                    (Mode::Merge, Some(stored)) => stored.clone(),
                    _ => Fields::new(),
                };
                planned.extend(record.fields.clone());
                self.planned_bytes += record.stored_bytes();
                self.planned.insert(record.document.clone(), planned);
            }
        }
    }
}

fn changes(stored: &Fields, record: &Write) -> BTreeMap<String, FieldChange> {
    let is_merged = record.mode == Mode::Merge;
    let plain = |fields: &Fields, name: &String| fields.get(name).map_or(Json::Null, shown);
    let differs = content::differences(stored, &record.fields, is_merged).into_iter();
    differs
        .map(|name| {
            let change = FieldChange { stored: plain(stored, &name), replayed: plain(&record.fields, &name) };
            (name, change)
        })
        .collect()
}

/// A value, or the start of its text if it is long.
fn shown(value: &Value) -> Json {
    let plain = value.to_plain();
    let text = plain.as_str().map_or_else(|| plain.to_string(), ToOwned::to_owned);
    if text.len() <= VALUE_CHARS_MAX { plain } else { excerpt(&text, VALUE_CHARS_MAX).into() }
}

/// Compares the responses of one run with what is stored.
pub(in crate::engine) async fn compare(
    engine: &Engine,
    job: &'static Job,
    scope: Scope,
    source: SourceRun,
    deadline: &Deadline,
    found: &mut Differences,
) -> Result<(), FirestoreError> {
    let run = RunContext::of(job, scope, 1, &source.state);
    let collection = &engine.settings.collections.raw_logs;
    let read = |group: Vec<_>| async move { recall::read(&engine.firestore, collection, &group).await };
    let mut answers = Box::pin(stream::iter(recall::groups(source.answers)).then(read));
    while let Some(group) = answers.next().await {
        for answer in group? {
            if !deadline.admits(engine.world.clock.instant()) || found.is_full() {
                found.complete = false;
                return Ok(());
            }
            take_in(engine, &run, answer, found).await?;
            yield_now().await;
        }
    }
    Ok(())
}

async fn take_in(
    engine: &Engine,
    run: &RunContext,
    (_, answer): Answer,
    found: &mut Differences,
) -> Result<(), FirestoreError> {
    let had_failed = answer.as_ref().is_ok_and(|recalled| recalled.had_failed);
    let read = answer.and_then(|recalled| {
        let logged_at = recalled.logged_at;
        let intake = reply_of(run.job, recalled)?.read(engine, run).map_err(|fault| fault.message)?;
        Ok((logged_at, intake))
    });
    let Ok((logged_at, intake)) = read else {
        found.answers_unreadable += u64::from(!had_failed);
        return Ok(());
    };
    found.answers += 1;
    let Intake { dataset, records, rejected, .. } = intake;
    let collection = engine.settings.collections.of(dataset);
    for rejected in rejected {
        found.reject(collection, rejected);
    }
    let rules = Arc::new(Rules {
        revisions: engine.settings.collections.revisions.clone(),
        database: engine.firestore.database().to_owned(),
        run_id: String::new(),
        is_forced: false,
    });
    for records in records.chunks(DOCUMENTS_MAX) {
        let stored = stored(engine, records, found).await?;
        for record in records {
            let stored = stored.get(&record.document);
            let comparison = ReplayedRecord::of(record, &rules, logged_at);
            let write = record.encode(&rules.database);
            let verdict = stored.map(|stored| {
                comparison.judge(&write, stored).unwrap_or_else(|| comparison.judge_whole(&write, stored))
            });
            found.add(record, stored, verdict.as_ref());
        }
    }
    Ok(())
}

/// What would be stored when these records come: what is, or what an earlier answer would have written.
async fn stored(
    engine: &Engine,
    records: &[Write],
    found: &Differences,
) -> Result<HashMap<DocumentPath, Document>, FirestoreError> {
    let paths: Vec<_> = records.iter().map(|record| record.document.clone()).collect();
    let documents = engine.firestore.get_all(&paths).await?;
    let mut by_id: HashMap<_, _> =
        documents.into_iter().map(|document| (document.id.clone(), document)).collect();
    let now = engine.world.clock.now();
    let of = |path: DocumentPath| {
        let stored = by_id.remove(path.id());
        let planned = found.planned.get(&path).map(|fields| Document {
            id: path.id().to_owned(),
            fields: fields.clone(),
            create_time: now,
            update_time: now,
            read_time: now,
        });
        Some((path, planned.or(stored)?))
    };
    Ok(paths.into_iter().filter_map(of).collect())
}
