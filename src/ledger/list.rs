//! Listing runs, newest first, a page at a time.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, SecondsFormat, Utc};

use super::Ledger;
use super::entry::{CREATED_AT, JOB, STATUS};
use super::summary::{FIELDS, ListedRun, RunSummary};
use crate::firestore::query::Query;
use crate::firestore::{DocumentPath, FirestoreError, Value};
use crate::run::Status;

/// Which runs.
#[derive(Debug, Default)]
pub struct Filter<'a> {
    pub job: Option<&'a str>,
    pub status: Option<Status>,
    /// Created at this time or later.
    pub from: Option<DateTime<Utc>>,
    /// Created before this time.
    pub until: Option<DateTime<Utc>>,
    pub limit: usize,
    pub after: Option<PageToken>,
}

/// Some runs and where the next page starts.
#[derive(Debug)]
pub struct RunPage {
    pub runs: Vec<ListedRun>,
    pub next_page_token: Option<String>,
}

/// The last run of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageToken {
    created_at: DateTime<Utc>,
    run_id: String,
}

impl PageToken {
    /// None if the string is not one of our tokens.
    pub fn parse(text: &str) -> Option<Self> {
        let decoded = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let (time, run_id) = decoded.split_once('\n')?;
        let created_at = DateTime::parse_from_rfc3339(time).ok()?.to_utc();
        Some(Self { created_at, run_id: run_id.to_owned() })
    }

    fn of(run: &RunSummary) -> Option<Self> {
        Some(Self { created_at: run.created_at?, run_id: run.run_id.clone() })
    }

    fn encode(&self) -> String {
        let time = self.created_at.to_rfc3339_opts(SecondsFormat::Nanos, true);
        URL_SAFE_NO_PAD.encode(format!("{time}\n{}", self.run_id))
    }
}

impl Ledger {
    pub async fn list(&self, filter: &Filter<'_>) -> Result<RunPage, FirestoreError> {
        let job = filter.job.map(|job| (JOB, Value::string(job)));
        let status = filter.status.map(|status| (STATUS, Value::string(status.name())));
        let after = filter.after.as_ref().map(|token| {
            let document = DocumentPath::new(&self.collections.runs, &token.run_id);
            let name = format!("{}/documents/{document}", self.firestore.database());
            (Value::Timestamp(token.created_at), name)
        });
        let query = Query {
            collection: &self.collections.runs,
            equals: job.into_iter().chain(status).collect(),
            any_of: None,
            newest_by: CREATED_AT,
            from: filter.from.map(Value::Timestamp),
            until: filter.until.map(Value::Timestamp),
            after,
            limit: filter.limit,
            select: FIELDS,
        };
        let page = self.firestore.query(&query).await?;
        let runs: Vec<_> = page.documents.iter().map(ListedRun::from_document).collect();
        let last = runs.last().filter(|_| runs.len() == filter.limit);
        let next_page_token = last.and_then(|run| PageToken::of(&run.summary)).map(|token| token.encode());
        Ok(RunPage { runs, next_page_token })
    }
}

impl Ledger {
    /// A job's latest runs, without what only a single run's page needs. Skipped ones are left out: those of one closed
    /// day would leave no place for any other.
    pub async fn recent(&self, job: &str, limit: usize) -> Result<Vec<RunSummary>, FirestoreError> {
        let statuses = Status::ALL.into_iter().filter(|status| *status != Status::Skipped);
        let statuses = statuses.map(|status| Value::string(status.name()));
        let query = Query {
            collection: &self.collections.runs,
            equals: vec![(JOB, Value::string(job))],
            any_of: Some((STATUS, statuses.collect())),
            newest_by: CREATED_AT,
            limit,
            select: FIELDS,
            ..Query::default()
        };
        let page = self.firestore.query(&query).await?;
        Ok(page.documents.iter().map(RunSummary::from_document).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tokens_survive_the_round_trip(seconds in 0i64..4_000_000_000, micros in 0u32..1_000_000, run_id: String) {
            let token = PageToken { created_at: DateTime::from_timestamp(seconds, micros * 1000).unwrap(), run_id };
            prop_assert_eq!(PageToken::parse(&token.encode()), Some(token));
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = PageToken::parse(&text);
        }
    }
}
