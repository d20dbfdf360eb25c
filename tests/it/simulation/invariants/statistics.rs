//! A job's statistics are the sums of its ledger entries.

use std::collections::BTreeMap;

use orchestrator::run::Status;
use serde_json::Value as Json;
use sim::firestore::to_plain;

use crate::simulation::ledger_watch;
use crate::simulation::scenario::Tick;
use crate::simulation::stage::Stage;
use sim::firestore::memory::Fields;

/// Runs, successes, partial successes, failures and cancellations of a job.
type Counts = [i64; 5];

pub(super) fn check(stage: &Stage) {
    let (mut expected, mut stored) = (BTreeMap::<String, Counts>::new(), BTreeMap::new());
    let (mut metrics, mut stored_metrics) = (BTreeMap::new(), BTreeMap::new());
    let mut faults = check_skipped(stage);
    let store = stage.store();
    for (id, document) in store.collection(&stage.database, "ingestion_runs") {
        let run = ledger_watch::entry(&document.fields).state;
        let counted = run.counted.as_ref().map(|counted| counted.status);
        let status = if run.is_waiting() { Status::Running } else { run.status };
        if !matches!(run.status, Status::Running | Status::Skipped) && counted != Some(status) {
            faults.push(format!("{id} is {} but counted as {counted:?}", run.status.name()));
        }
        if let Some(counted) = &run.counted {
            let members =
                counted.counts.collections.iter().map(|(name, count)| (format!("records/{name}"), count));
            let single = [("calls_sent".to_owned(), &counted.counts.calls)];
            for (name, count) in members.chain(single).filter(|(_, count)| **count > 0) {
                *metrics.entry((run.job.clone(), name)).or_insert(0) += count.cast_signed();
            }
        }
        let counts = expected.entry(run.job).or_default();
        let change = match counted {
            None | Some(Status::Running | Status::Skipped) => [0, 0, 0, 0, 0],
            Some(Status::Succeeded) => [1, 1, 0, 0, 0],
            Some(Status::Partial) => [1, 1, 1, 0, 0],
            Some(Status::Failed) => [1, 0, 0, 1, 0],
            Some(Status::Cancelled) => [1, 0, 0, 0, 1],
        };
        counts.iter_mut().zip(change).for_each(|(count, change)| *count += change);
    }
    for (job, document) in store.collection(&stage.database, "ingestion_statistics") {
        let number = |name: &str| to_plain(document.fields.get(name).unwrap_or(&Json::Null)).as_i64();
        let names = ["jobs_processed", "jobs_successful", "jobs_partial", "jobs_failed", "jobs_cancelled"];
        stored.insert(job.to_owned(), names.map(|name| number(name).unwrap_or_default()));
        let growing =
            document.fields.keys().filter(|name| name.starts_with("records/") || *name == "calls_sent");
        for name in growing {
            stored_metrics.insert((job.to_owned(), name.clone()), number(name).unwrap_or_default());
        }
    }
    drop(store);
    expected.retain(|_, counts| *counts != [0, 0, 0, 0, 0]);
    stored.retain(|_, counts| *counts != [0, 0, 0, 0, 0]);
    if expected != stored {
        faults.push(format!("the statistics are {stored:?}, but the ledger adds up to {expected:?}"));
    }
    if metrics != stored_metrics {
        faults.push(format!("the metrics are {stored_metrics:?}, but the ledger adds up to {metrics:?}"));
    }
    for fault in faults {
        stage.accuse(fault);
    }
}

/// Each tick that is to be skipped counts once, also if somebody had its run done later.
fn check_skipped(stage: &Stage) -> Vec<String> {
    let mut expected = BTreeMap::<&str, i64>::new();
    let is_paused = |tick: &Tick| stage.journal().paused.contains(&tick.run_id());
    let is_skipped = |tick: &&Tick| is_paused(tick) || stage.scenario.is_skipped(tick);
    for tick in stage.scenario.ticks.iter().filter(is_skipped) {
        *expected.entry(tick.job.name).or_default() += 1;
    }
    let store = stage.store();
    let count = |fields: &Fields| to_plain(fields.get("ticks_skipped").unwrap_or(&Json::Null)).as_i64();
    let jobs = store.collection(&stage.database, "ingestion_statistics");
    let stored: BTreeMap<_, _> =
        jobs.filter_map(|(job, document)| Some((job, count(&document.fields)?))).collect();
    let differ = stored != expected;
    differ.then(|| format!("skipped are {stored:?}, to be skipped were {expected:?}")).into_iter().collect()
}
