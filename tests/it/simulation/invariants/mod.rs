//! What must be true when the world has come to rest.

mod again;
mod raw_logs;
mod records;
mod statistics;

use std::time::Duration;

use orchestrator::firestore::DocumentPath;
use orchestrator::run::RunState;

use super::instance::Slots;
use super::ledger_watch;
use super::scenario::Tick;
use super::stage::Stage;

/// Time in which late messages arrive and second deliveries begin.
const SETTLING: Duration = Duration::from_secs(120);

/// Waits until nothing moves any more, then checks everything.
pub(super) async fn check(stage: &Stage, slots: &Slots) {
    come_to_rest(stage).await;
    stage.tell("everything has come to rest");
    for tick in &stage.scenario.ticks {
        match ended_run(stage, tick) {
            Some(run) => records::check(stage, tick, &run),
            None => stage.accuse(format!("the ledger has no entry {}", tick.run_id())),
        }
    }
    statistics::check(stage);
    raw_logs::check(stage);
    again::check(stage, slots).await;
}

async fn come_to_rest(stage: &Stage) {
    stage.handle.sleep(stage.scenario.calm_at.saturating_sub(stage.now())).await;
    loop {
        stage.handle.sleep(SETTLING).await;
        if !stage.journal().has_open_requests() {
            return;
        }
    }
}

/// What the ledger says of a tick's run.
fn ended_run(stage: &Stage, tick: &Tick) -> Option<RunState> {
    let id = DocumentPath::new("ingestion_runs", &tick.run_id());
    let store = stage.store();
    let stored = store.documents().get(&format!("{}/documents/{id}", stage.database))?;
    Some(ledger_watch::entry(&stored.fields).state)
}
