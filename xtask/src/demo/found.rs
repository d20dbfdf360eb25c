//! What Firestore holds after all jobs, read back by a client that shares no code with the component.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde_json::Value;
use sim::firestore::Db;

use super::plan::Documents;

const RAW_LOGS: &str = "api_usage_logs";
const REJECTED: &str = "rejected_records";
const RUNS: &str = "ingestion_runs";

/// What was read back.
#[derive(Debug, Default)]
pub struct Found {
    /// Document ids by collection.
    pub documents: Documents,
    /// Raw logs by run.
    pub raw_logs: BTreeMap<String, usize>,
    /// Status by run, as the ledger has it.
    pub runs: BTreeMap<String, String>,
    /// Records that broke their schema.
    pub rejected: usize,
}

impl Found {
    /// Reads the named collections, the raw logs and the ledger.
    pub async fn read(db: &Db, collections: impl Iterator<Item = &'static str>) -> Result<Self> {
        let mut found = Self { rejected: db.count(REJECTED).await?, ..Self::default() };
        for collection in collections {
            let ids: BTreeSet<_> = db.ids(collection).await?.into_iter().collect();
            found.documents.insert(collection, ids);
        }
        for log in db.list(RAW_LOGS).await? {
            let run = log.fields.pointer("/metadata/run_id").and_then(Value::as_str).unwrap_or_default();
            *found.raw_logs.entry(run.to_owned()).or_default() += 1;
        }
        for run in db.list(RUNS).await? {
            let status = run.fields["status"].as_str().unwrap_or_default().to_owned();
            found.runs.insert(run.id, status);
        }
        Ok(found)
    }

    /// How many of `wanted` are there.
    pub fn count_of(&self, wanted: &Documents) -> usize {
        let present = |(collection, ids): (&&'static str, &BTreeSet<String>)| {
            self.documents.get(collection).map_or(0, |found| found.intersection(ids).count())
        };
        wanted.iter().map(present).sum()
    }
}
