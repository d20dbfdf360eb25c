//! What Firestore contains after all jobs, read back by a client that shares no code with the component.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use futures::future::try_join_all;
use serde_json::Value;
use sim::firestore::{Db, Doc};

use super::plan::Documents;

const RAW_LOGS: &str = "api_usage_logs";
const REJECTED: &str = "rejected_records";
pub const RUNS: &str = "ingestion_runs";

/// The contents of Firestore.
#[derive(Debug, Default)]
pub struct Found {
    /// Document ids by collection.
    pub documents: Documents,
    /// Raw logs by run.
    pub raw_logs: BTreeMap<String, usize>,
    /// Status by run, from the ledger.
    pub runs: BTreeMap<String, String>,
    /// Rejected records.
    pub rejected: usize,
}

impl Found {
    /// Reads the named collections, the raw logs and the ledger, all at once.
    pub async fn read(db: &Db, collections: impl Iterator<Item = &'static str>) -> Result<Self> {
        let documents = try_join_all(collections.map(|collection| async move {
            let ids = db.ids(collection).await?.into_iter().collect();
            anyhow::Ok((collection, ids))
        }));
        let (documents, logs, runs, rejected) = tokio::try_join!(
            documents,
            db.list_fields(RAW_LOGS, &["metadata.run_id"]),
            db.list_fields(RUNS, &["status"]),
            db.count(REJECTED),
        )?;
        let mut raw_logs = BTreeMap::new();
        for log in logs {
            let run = log.fields.pointer("/metadata/run_id").and_then(Value::as_str).unwrap_or_default();
            *raw_logs.entry(run.to_owned()).or_default() += 1;
        }
        let status = |run: &Doc| run.fields["status"].as_str().unwrap_or_default().to_owned();
        let runs = runs.into_iter().map(|run| (run.id.clone(), status(&run))).collect();
        Ok(Self { documents: documents.into_iter().collect(), raw_logs, runs, rejected })
    }

    /// How many of `wanted` exist.
    pub fn count_of(&self, wanted: &Documents) -> usize {
        let present = |(collection, ids): (&&'static str, &BTreeSet<String>)| {
            self.documents.get(collection).map_or(0, |found| found.intersection(ids).count())
        };
        wanted.iter().map(present).sum()
    }
}
