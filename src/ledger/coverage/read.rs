//! Reading coverage: counts of many days, or the cells of some.

use std::ops::RangeInclusive;

use chrono::{DateTime, NaiveDate, Utc};

use super::fields::{CHANGED_AT, COUNTS, RUN_ID};
use super::save::unreadable;
use super::{Counts, Coverage, DayCells, id};
use crate::firestore::document::Document;
use crate::firestore::query::{NameRange, Start};
use crate::firestore::{FirestoreError, Value};
use crate::run::cell::Day;

/// Counts in one response.
const COUNTS_MAX: usize = 1_000;
/// Documents of cells in one response of 32 MiB.
const PAGE_DOCUMENTS: usize = 24;

/// The counts of a day, without its cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaySummary {
    pub date: NaiveDate,
    pub counts: Counts,
    pub changed_at: Option<DateTime<Utc>>,
    /// The run that changed it last.
    pub run_id: Option<String>,
}

/// The cells of a day and its summary.
#[derive(Debug)]
pub struct WholeDay {
    pub summary: DaySummary,
    pub cells: DayCells,
}

impl Coverage {
    /// The counts of the days that have a document, with one request.
    pub async fn counts(
        &self,
        dataset: &'static str,
        days: &RangeInclusive<NaiveDate>,
    ) -> Result<Vec<DaySummary>, FirestoreError> {
        let select = [COUNTS, CHANGED_AT, RUN_ID];
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = self.firestore.names(&self.range(dataset, days, after, COUNTS_MAX, &select)).await?;
            found.extend(page.documents.iter().filter_map(|document| DaySummary::of(dataset, document)));
            match page.next() {
                Some(last) => after = Some(last.id.clone()),
                None => return Ok(found),
            }
        }
    }

    /// The counts of single days of several datasets, with one request; none for those without a document.
    pub async fn counts_of(&self, days: &[Day]) -> Result<Vec<Option<DaySummary>>, FirestoreError> {
        if days.is_empty() {
            return Ok(Vec::new());
        }
        let paths: Vec<_> = days.iter().map(|day| self.document(*day)).collect();
        let documents = self.firestore.get_fields(&paths, &[COUNTS, CHANGED_AT, RUN_ID]).await?;
        let summary = |day: &Day| {
            let document = documents.iter().find(|document| document.id == id(*day))?;
            DaySummary::of(day.dataset, document)
        };
        Ok(days.iter().map(summary).collect())
    }

    /// A day with all its cells; none without a document.
    pub async fn day(&self, day: Day) -> Result<Option<WholeDay>, FirestoreError> {
        let path = self.document(day);
        let Some(document) = self.firestore.get(&path).await? else { return Ok(None) };
        let cells = DayCells::from_fields(&document.fields).map_err(|error| unreadable(&path, &error))?;
        let summary = DaySummary::read(day.date, &document);
        Ok(Some(WholeDay { summary, cells }))
    }

    /// The days of a range that have a document, with their cells, oldest first; `take` is handed one after the other,
    /// because together they may be larger than an instance's memory.
    pub async fn each_day(
        &self,
        dataset: &'static str,
        days: &RangeInclusive<NaiveDate>,
        mut take: impl FnMut(&DaySummary, &DayCells),
    ) -> Result<(), FirestoreError> {
        let mut after = None;
        loop {
            let range = self.range(dataset, days, after, PAGE_DOCUMENTS, &[]);
            let page = self.firestore.names(&range).await?;
            for document in &page.documents {
                let Some(summary) = DaySummary::of(dataset, document) else { continue };
                let path = self.document(Day { dataset, date: summary.date });
                let cells =
                    DayCells::from_fields(&document.fields).map_err(|error| unreadable(&path, &error))?;
                take(&summary, &cells);
            }
            match page.next() {
                Some(last) => after = Some(last.id.clone()),
                None => return Ok(()),
            }
        }
    }

    fn range<'a>(
        &'a self,
        dataset: &'static str,
        days: &RangeInclusive<NaiveDate>,
        after: Option<String>,
        limit: usize,
        select: &'a [&'a str],
    ) -> NameRange<'a> {
        let name = |id: &str| format!("{}/documents/{}/{id}", self.firestore.database(), self.collection);
        let at = |date: NaiveDate| name(&id(Day { dataset, date }));
        let until = days.end().succ_opt().map(at);
        let from = after.map_or_else(|| Start::At(at(*days.start())), |id| Start::After(name(&id)));
        NameRange { collection: &self.collection, from: Some(from), until, limit, select }
    }
}

impl DaySummary {
    /// None if the document's name is not one of ours.
    fn of(dataset: &str, document: &Document) -> Option<Self> {
        let date = document.id.strip_prefix(dataset)?.strip_prefix('_')?.parse().ok()?;
        Some(Self::read(date, document))
    }

    fn read(date: NaiveDate, document: &Document) -> Self {
        Self {
            date,
            counts: Counts::from_value(document.fields.get(COUNTS)),
            changed_at: document.fields.get(CHANGED_AT).and_then(Value::as_timestamp),
            run_id: document.text(RUN_ID).map(ToOwned::to_owned),
        }
    }
}
