//! Checks that orders are carried out: a cancelled run is not worked on, its owner stops in time, and no new tick of a
//! paused job calls anybody.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use orchestrator::firestore::{DocumentPath, Fields};
use orchestrator::run::{RunState, Status};

use super::ledger_watch::View;
use super::provider::Fetch;
use super::scenario::Tick;
use super::stage::Stage;
use super::storm::Storm;
use crate::world::executor::WORLD;

/// How soon an owner stops after there is an order to, if Firestore answers.
const STOPS_WITHIN: Duration = Duration::from_secs(2);

/// The pauses of each job, as they were written.
pub(super) type Holds = BTreeMap<String, Vec<Hold>>;

/// A pause from the time it was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold {
    written_at: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
}

/// Learns which pauses a request has written.
pub(super) fn learn(stage: &Stage, written: &[String]) {
    for path in written {
        let Some(job) = path.strip_prefix("ingestion_pauses/") else { continue };
        let name = format!("{}/documents/{path}", stage.database);
        let stored = stage.store().documents()[&name].clone();
        let fields: Fields = serde_json::from_value(stored.fields.into()).expect("fields are values");
        let until = fields.get("until").and_then(orchestrator::firestore::Value::as_timestamp);
        let hold = Hold { written_at: stored.update_time, until };
        stage.journal().holds.entry(job.to_owned()).or_default().push(hold);
        stage.tell(format!("{job} is paused until {until:?}"));
    }
}

/// Checks what a write means for orders.
pub(super) fn check_written(stage: &Stage, path: &str, old: Option<&View>, new: &View) {
    let is_asked = |view: &View| view.state.status == Status::Running && view.state.cancelled.is_some();
    if is_asked(new) && !old.is_some_and(is_asked) {
        stage.handle.spawn(WORLD, watch_stop(stage.clone(), path.to_owned(), new.state.attempt.number));
    }
    let RunState { skipped, status, identity, .. } = &new.state;
    let is_paused = skipped.as_ref().is_some_and(|reason| reason.starts_with("paused by"));
    if *status == Status::Skipped && is_paused {
        let from = old.map_or(new.changed_at(), View::claimed_at);
        if !was_paused(stage, &new.state.job, from, new.changed_at()) {
            stage.accuse(format!("{path} is skipped, and its job is not paused"));
        }
        stage.journal().paused.insert(identity.run_id.clone());
    }
}

/// When a job was first paused, if it was.
pub(super) fn first_paused_at(stage: &Stage, job: &str) -> Option<DateTime<Utc>> {
    stage.journal().holds.get(job)?.first().map(|hold| hold.written_at)
}

/// Whether a job was paused at some moment of a time.
fn was_paused(stage: &Stage, job: &str, from: DateTime<Utc>, to: DateTime<Utc>) -> bool {
    let journal = stage.journal();
    let holds = journal.holds.get(job).map(Vec::as_slice).unwrap_or_default();
    holds.iter().enumerate().any(|(place, hold)| {
        let next = holds.get(place + 1).map(|next| next.written_at);
        let end = hold.until.into_iter().chain(next).min();
        hold.written_at <= to && end.is_none_or(|end| end > from)
    })
}

/// Accuses an owner that still has calls in flight when it should have stopped.
async fn watch_stop(stage: Stage, path: String, attempt: u32) {
    stage.handle.sleep(STOPS_WITHIN).await;
    if !firestore_answers(&stage) || !is_asked(&stage, &path, attempt) {
        return;
    }
    let tick = stage.scenario.ticks.iter().find(|tick| path_of(tick) == path);
    let is_of_run = |fetch: &Fetch| {
        tick.is_some_and(|tick| stage.scenario.run_of(fetch).is_some_and(|of| of.run_id() == tick.run_id()))
    };
    let journal = stage.journal();
    let open = journal.calls.iter().filter(|call| call.end.is_none() && !call.is_dropped);
    let open = open.filter(|call| is_of_run(&call.fetch)).count();
    drop(journal);
    if open > 0 {
        stage.accuse(format!("{path} is to be stopped, and {open} of its calls still go on"));
    }
    stage.journal().overdue.insert(path, attempt);
}

/// Checks a call against the orders about its run and its job.
pub(super) fn check_call(stage: &Stage, fetch: &Fetch) {
    let Some(tick) = stage.scenario.run_of(fetch) else { return };
    let path = path_of(tick);
    let (view, overdue) = {
        let journal = stage.journal();
        let Some(view) = journal.ledger.get(&path).cloned() else { return };
        (view, journal.overdue.get(&path).copied())
    };
    let attempt = view.state.attempt.number;
    if view.state.status == Status::Cancelled {
        stage.accuse(format!("{path} is cancelled, and a provider is called for it"));
    }
    if overdue == Some(attempt) && is_asked(stage, &path, attempt) {
        stage.accuse(format!("{path} is to be stopped, and a provider is called for it"));
    }
    // A first attempt that began in the pause.
    let now = stage.civil();
    let claimed_at = view.claimed_at();
    let holds = stage.journal().holds.get(&view.state.job).cloned().unwrap_or_default();
    let latest = holds.last().filter(|hold| hold.until.is_none_or(|until| until > now));
    let is_held = latest.is_some_and(|hold| hold.written_at < claimed_at);
    if tick.key.is_none() && attempt == 1 && is_held {
        stage.accuse(format!("{path} was begun while its job is paused, and a provider is called for it"));
    }
}

/// Whether the attempt is still to be stopped.
fn is_asked(stage: &Stage, path: &str, attempt: u32) -> bool {
    let journal = stage.journal();
    journal.ledger.get(path).is_some_and(|View { state, .. }| {
        state.status == Status::Running && state.cancelled.is_some() && state.attempt.number == attempt
    })
}

fn firestore_answers(stage: &Stage) -> bool {
    stage.scenario.storms.iter().all(Storm::hits_provider)
}

fn path_of(tick: &Tick) -> String {
    DocumentPath::new("ingestion_runs", &tick.run_id()).to_string()
}
