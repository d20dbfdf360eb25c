//! What must hold when the world has come to rest.

mod again;
mod calls;
mod coverage;
mod notifications;
mod raw_logs;
mod records;
mod statistics;

use std::time::Duration;

use orchestrator::firestore::DocumentPath;
use orchestrator::run::{RunState, Status};

use super::instance::Slots;
use super::journal::Call;
use super::scenario::Tick;
use super::stage::Stage;
use super::{ledger_watch, order_watch};

/// Time for late messages to arrive and second deliveries to begin.
const SETTLING: Duration = Duration::from_secs(120);

/// Rounds of settling after which a request that is still open counts as never ending.
const ROUNDS_MAX: usize = 1_000;

/// Waits until nothing happens any more, then checks everything.
pub(super) async fn check(stage: &Stage, slots: &Slots) {
    come_to_rest(stage).await;
    stage.tell("everything has come to rest");
    notifications::check(stage, slots).await;
    for tick in &stage.scenario.ticks {
        match ended_run(stage, tick) {
            Some(run) if is_skipped(stage, tick, &run) => {}
            Some(run) => {
                records::check(stage, tick, &run);
                calls::check_run(stage, tick, &run);
            }
            None => stage.accuse(format!("the ledger has no entry {}", tick.run_id())),
        }
    }
    statistics::check(stage);
    raw_logs::check(stage);
    calls::check(stage);
    coverage::check(stage);
    again::check(stage, slots).await;
    coverage::check(stage);
}

/// Whether a tick was skipped. That must be so exactly if the calendar says so or the job was paused, unless somebody
/// wanted the run; and then nobody was called for it, unless an attempt had died before the pause.
fn is_skipped(stage: &Stage, tick: &Tick, run: &RunState) -> bool {
    let is_paused = stage.journal().paused.contains(&tick.run_id());
    let (skipped, expected) = (run.status == Status::Skipped, is_paused || stage.scenario.is_skipped(tick));
    let resumed = run.attempt.number > 1;
    if skipped && !expected || expected && !skipped && !resumed {
        let (id, status) = (tick.run_id(), run.status.name());
        stage.accuse(format!("{id} is {status}; to be skipped: {expected}"));
    }
    let paused_at = order_watch::first_paused_at(stage, tick.job.name).filter(|_| is_paused);
    let is_of_tick = |call: &Call| {
        call.fetch.job == tick.job.name
            && call.fetch.run_time == tick.time()
            && paused_at.is_none_or(|paused| call.begun_at > paused)
    };
    let calls = stage.journal().calls.iter().filter(|call| is_of_tick(call)).count();
    if skipped && (calls > 0 || run.planned) {
        stage.accuse(format!("{} is skipped after {calls} calls, planned: {}", tick.run_id(), run.planned));
    }
    skipped
}

async fn come_to_rest(stage: &Stage) {
    stage.handle.sleep(stage.scenario.calm_at.saturating_sub(stage.now())).await;
    for _ in 0..ROUNDS_MAX {
        stage.handle.sleep(SETTLING).await;
        if !stage.journal().has_open_requests() {
            return;
        }
    }
    let open = format!("{:?}", stage.journal().open_requests());
    stage.accuse(format!("requests that never end: {open}"));
}

/// The ledger's entry of a tick's run.
fn ended_run(stage: &Stage, tick: &Tick) -> Option<RunState> {
    let id = DocumentPath::new("ingestion_runs", &tick.run_id());
    let store = stage.store();
    let stored = store.documents().get(&format!("{}/documents/{id}", stage.database))?;
    Some(ledger_watch::entry(&stored.fields).state)
}
