//! Repetition changes nothing: the same tick gets the stored report, a new run writes the same documents.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use axum::body::Body;
use chrono::{DateTime, Utc};
use http::{Request, StatusCode};
use orchestrator::run::{RunState, Status};
use serde_json::{Value as Json, json};
use sim::firestore::to_plain;

use super::{ended_run, records, statistics};
use crate::simulation::instance::{Answered, Slots};
use crate::simulation::scenario::Tick;
use crate::simulation::scheduler;
use crate::simulation::stage::Stage;
use sim::firestore::memory::{Fields, Stored};

/// Deliveries of one request, a minute apart, before it counts as unanswered.
const DELIVERIES_MAX: usize = 200;
const PAUSE: Duration = Duration::from_secs(60);
const RECORDS: [&str; 6] = [
    "prices_daily",
    "prices_intraday",
    "news_articles",
    "fundamentals",
    "earnings_calendar",
    "technical_indicators",
];

pub(super) async fn check(stage: &Stage, slots: &Slots) {
    for tick in &stage.scenario.ticks {
        let is_at_rest = |run: RunState| run.status.is_success() || run.status == Status::Skipped;
        if ended_run(stage, tick).is_some_and(is_at_rest) {
            repeat_tick(stage, slots, tick).await;
        }
    }
    for tick in &stage.scenario.ticks {
        if ended_run(stage, tick).is_some_and(|run| run.can_try_again()) {
            try_again(stage, slots, tick).await;
        }
    }
    let tick = &stage.scenario.ticks[0];
    if ended_run(stage, tick).is_some_and(|run| run.status.is_success()) {
        repeat_work(stage, slots, tick).await;
    }
    for tick in &stage.scenario.ticks {
        if ended_run(stage, tick).is_some() {
            replay(stage, slots, tick).await;
        }
    }
}

/// Answers are taken in once more: nothing changes. If the run's documents are lost, they come back.
async fn replay(stage: &Stage, slots: &Slots, tick: &Tick) {
    let before = stored_records(stage);
    let run = tick.run_id();
    ask_for_replay(stage, slots, &run, "nothing is lost").await;
    let after = stored_records(stage);
    let changed = after.iter().filter(|(name, now)| before.get(*name) != Some(*now)).map(|(name, _)| name);
    let changed: Vec<_> = changed.collect();
    if let Some(name) = changed.first() {
        let count = changed.len();
        let (was, is) = (before.get(*name).map(|stored| &stored.fields), &after[*name].fields);
        stage.accuse(format!(
            "the replay of {run} has changed {count} documents, {name} from {was:?} to {is:?}"
        ));
    }
    let is_of_run = |stored: &Stored| to_plain(stored.fields.get("run_id").unwrap_or(&Json::Null)) == run;
    let lost: Vec<_> = before.iter().filter(|(_, stored)| is_of_run(stored)).collect();
    for (name, _) in &lost {
        stage.store().remove(&format!("{}/documents/{name}", stage.database));
        stage.journal().records.remove(*name);
    }
    ask_for_replay(stage, slots, &run, "all is lost").await;
    let now = stored_records(stage);
    for (name, was) in lost {
        let is_restated = stage.scenario.restated.contains_key(&ticker_of(&was.fields));
        let is = now.get(name).map(|is| without_form(&is.fields));
        if is.as_ref() != Some(&without_form(&was.fields)) && !(is_restated && is.is_some()) {
            stage.accuse(format!(
                "{name} of {run} was lost and is not as it was: {:?}, now {is:?}",
                was.fields
            ));
        }
    }
}

/// Replays a run; no provider may be called.
async fn ask_for_replay(stage: &Stage, slots: &Slots, run: &str, key: &str) {
    let calls = stage.journal().calls.len();
    let path = format!("/runs/{run}/replay");
    let key = format!("{run}:{}", key.replace(' ', "-"));
    let request = || {
        let request = Request::post(&path).header("idempotency-key", &key);
        request.body(Body::empty()).expect("a valid request")
    };
    match ask(stage, slots, request).await {
        None => stage.accuse(format!("the replay of {run} does not end")),
        Some(answered) if answered.body["data"]["replay"]["runs_done"] != 1 => {
            stage.accuse(format!("the replay of {run} is not through: {}", answered.body));
        }
        Some(_) => {}
    }
    if stage.journal().calls.len() > calls {
        stage.accuse(format!("the replay of {run} has called a provider"));
    }
}

/// A record without the number of its earlier forms.
fn without_form(fields: &Fields) -> Fields {
    let mut fields = without_run(fields);
    fields.remove("content_revision");
    fields
}

async fn repeat_tick(stage: &Stage, slots: &Slots, tick: &Tick) {
    let before = times(stage);
    let answered = ask(stage, slots, || scheduler::request(tick)).await;
    let is_stored = answered.is_some_and(|answered| answered.body["duplicate"] == true);
    if !is_stored {
        stage.accuse(format!("{} does not get its stored report", tick.run_id()));
    }
    if before != times(stage) {
        stage.accuse(format!("{} was delivered again, and something has changed", tick.run_id()));
    }
}

/// An operator resumes a run with failed tickers: those are requested once more, and no others.
async fn try_again(stage: &Stage, slots: &Slots, tick: &Tick) {
    let run = ended_run(stage, tick).expect("it was there");
    let calls = stage.journal().calls.len();
    if ask(stage, slots, || scheduler::resume(stage, tick)).await.is_none() {
        return stage.accuse(format!("{} is resumed and does not end", tick.run_id()));
    }
    let failed: BTreeSet<_> =
        run.shortfalls.iter().filter_map(|failure| Some(failure.ticker.as_ref()?.to_string())).collect();
    let asked: BTreeSet<_> =
        stage.journal().calls[calls..].iter().flat_map(|call| call.fetch.tickers.clone()).collect();
    // A ticker that was answered before may be requested to check that the provider is up.
    let controls: BTreeSet<_> = run.controls.values().map(ToString::to_string).collect();
    let too_many = asked.difference(&failed).any(|ticker| !controls.contains(ticker));
    if !asked.is_superset(&failed) || too_many {
        stage.accuse(format!("{} is resumed for {failed:?}, but {asked:?} are requested", tick.run_id()));
    }
    let now = ended_run(stage, tick).expect("it was there");
    if now.attempt == run.attempt {
        stage.accuse(format!("{} is resumed but does not change", tick.run_id()));
    }
    records::check(stage, tick, &now);
    statistics::check(stage);
}

async fn repeat_work(stage: &Stage, slots: &Slots, tick: &Tick) {
    let before = stored_records(stage);
    let answered = ask(stage, slots, || by_hand(stage, tick)).await;
    if answered.is_none() {
        return stage.accuse(format!("the work of {} cannot be done again", tick.run_id()));
    }
    let after = stored_records(stage);
    for (name, stored) in &before {
        let now = after.get(name).map(|now| without_run(&now.fields)).unwrap_or_default();
        let before = without_run(&stored.fields);
        let is_of_run = to_plain(stored.fields.get("run_id").unwrap_or(&Json::Null)) == tick.run_id();
        let is_restated = stage.scenario.restated.contains_key(&ticker_of(&stored.fields));
        if is_of_run && now != before && !is_restated {
            let other = before.keys().chain(now.keys()).find(|field| now.get(*field) != before.get(*field));
            let change = other.map(|field| (field, before.get(field), now.get(field)));
            let run = tick.run_id();
            stage.accuse(format!("the work of {run} was done again, and {name} has changed: {change:?}"));
        }
    }
    let failed = ended_run(stage, tick)
        .is_some_and(|run| !run.shortfalls.is_empty() || run.counts.records_rejected() > 0);
    if after.len() > before.len() && !failed {
        let more = after.len() - before.len();
        stage.accuse(format!("the work of {} was done again, and {more} documents are new", tick.run_id()));
    }
}

/// The same work under another key.
fn by_hand(stage: &Stage, tick: &Tick) -> Request<Body> {
    let mut body = json!({"job": tick.job.name, "run_time": tick.time()});
    let plan = stage.scenario.plan(tick);
    if !plan.is_empty() {
        body["tickers"] = json!(plan);
    }
    let request = Request::post("/manual/trigger-job").header("idempotency-key", Tick::AGAIN);
    request.body(Body::from(body.to_string())).expect("a valid request")
}

/// Delivers a request until it is answered with 2xx or has failed permanently.
async fn ask(stage: &Stage, slots: &Slots, request: impl Fn() -> Request<Body>) -> Option<Answered> {
    let patience = Duration::from_secs(3600);
    for _ in 0..DELIVERIES_MAX {
        let answered = slots.deliver(stage, request(), patience, true).await;
        let is_end = |status: StatusCode| status.is_success() || status == StatusCode::BAD_GATEWAY;
        if let Some(answered) = answered.filter(|answered| is_end(answered.status)) {
            return Some(answered);
        }
        stage.handle.sleep(PAUSE).await;
    }
    None
}

/// When each document was last changed.
fn times(stage: &Stage) -> Vec<(String, DateTime<Utc>)> {
    let store = stage.store();
    store.documents().iter().map(|(name, stored)| (name.clone(), stored.update_time)).collect()
}

fn stored_records(stage: &Stage) -> BTreeMap<String, Stored> {
    let store = stage.store();
    let of_collection = |name: &&'static str| {
        let documents = store.collection(&stage.database, name);
        documents.map(|(id, stored)| (format!("{name}/{id}"), stored.clone())).collect::<Vec<_>>()
    };
    RECORDS.iter().flat_map(of_collection).collect()
}

fn ticker_of(fields: &Fields) -> String {
    to_plain(fields.get("ticker").unwrap_or(&Json::Null)).as_str().unwrap_or_default().to_owned()
}

/// A record without what depends on its run. A broken record among the articles may make an answer look cut, and mark
/// them.
fn without_run(fields: &Fields) -> Fields {
    let is_of_run = |name: &str| matches!(name, "run_id" | "quality" | "ingested_at");
    fields.iter().filter(|(name, _)| !is_of_run(name)).map(|(k, v)| (k.clone(), v.clone())).collect()
}
