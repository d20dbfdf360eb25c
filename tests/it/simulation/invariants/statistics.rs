//! The statistics of a job are what the ledger's entries add up to.

use std::collections::BTreeMap;

use orchestrator::run::Status;
use serde_json::Value as Json;
use sim::firestore::to_plain;

use crate::simulation::ledger_watch;
use crate::simulation::stage::Stage;

/// Runs, successes, partial successes and failures of a job.
type Counts = [i64; 4];

pub(super) fn check(stage: &Stage) {
    let (mut expected, mut stored) = (BTreeMap::<String, Counts>::new(), BTreeMap::new());
    let mut faults = Vec::new();
    let store = stage.store();
    for (id, document) in store.collection(&stage.database, "ingestion_runs") {
        let run = ledger_watch::entry(&document.fields).state;
        if run.status != Status::Running && run.counted_as != Some(run.status) {
            faults.push(format!("{id} is {} but counted as {:?}", run.status.name(), run.counted_as));
        }
        let counts = expected.entry(run.job).or_default();
        let change = match run.counted_as {
            None | Some(Status::Running) => [0, 0, 0, 0],
            Some(Status::Succeeded) => [1, 1, 0, 0],
            Some(Status::Partial) => [1, 1, 1, 0],
            Some(Status::Failed) => [1, 0, 0, 1],
        };
        counts.iter_mut().zip(change).for_each(|(count, change)| *count += change);
    }
    for (job, document) in store.collection(&stage.database, "ingestion_statistics") {
        let number = |name: &str| to_plain(document.fields.get(name).unwrap_or(&Json::Null)).as_i64();
        let names = ["jobs_processed", "jobs_successful", "jobs_partial", "jobs_failed"];
        stored.insert(job.to_owned(), names.map(|name| number(name).unwrap_or_default()));
    }
    drop(store);
    expected.retain(|_, counts| *counts != [0, 0, 0, 0]);
    if expected != stored {
        faults.push(format!("the statistics are {stored:?}, the ledger adds up to {expected:?}"));
    }
    for fault in faults {
        stage.accuse(fault);
    }
}
