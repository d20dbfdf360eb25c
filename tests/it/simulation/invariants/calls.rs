//! Numbers of calls: bad tickers open no breaker and cost a bounded number of calls; limits cost few refused calls.

use std::time::Duration;

use orchestrator::run::RunState;
use serde_json::Value as Json;
use sim::firestore::to_plain;

use crate::simulation::journal::Call;
use crate::simulation::provider::LIMITED;
use crate::simulation::scenario::{Poison, Scenario, Tick};
use crate::simulation::stage::Stage;

/// Calls for the control ticker, and for single tickers under suspicion.
const CHECKS: usize = 40;

pub(super) fn check(stage: &Stage) {
    let scenario = &stage.scenario;
    // Five tickers that all break their call look the same as a provider that is down.
    let few = scenario.poison.len() < 5 || scenario.poison.len() * 5 <= scenario.tickers.len();
    if few && !scenario.storms.iter().any(super::super::storm::Storm::hits_provider) {
        for (id, document) in stage.store().collection(&stage.database, "ingestion_breakers") {
            let opened = document.fields.get("transitions/open").map_or(Json::Null, to_plain);
            if !opened.is_null() {
                stage.accuse(format!("the breaker of {id} has opened {opened} times because of bad tickers"));
            }
        }
    }
    check_vain(stage);
}

/// Without other faults, each bad ticker costs a bounded number of calls in addition to the batches.
pub(super) fn check_run(stage: &Stage, tick: &Tick, run: &RunState) {
    let scenario = &stage.scenario;
    if !scenario.storms.is_empty()
        || scenario.pacing.is_some()
        || scenario.mortality > 0
        || run.attempt.number > 1
    {
        return;
    }
    let plan = scenario.plan(tick);
    let size = scenario.config().provider(tick.job.provider).batch_size;
    let bad = plan.iter().filter(|ticker| scenario.poison.contains_key(*ticker)).count();
    let hangs = scenario.poison.values().any(|poison| *poison == Poison::Hang);
    if hangs || bad * 5 > plan.len() {
        return;
    }
    let batches = plan.len().div_ceil(size).max(1);
    let levels = usize::try_from(size.max(2).ilog2()).expect("small") + 1;
    let tries = usize::try_from(scenario.config().call.max_attempts).expect("small");
    let each = 2 * levels + 2 * tries + 4;
    let limit = tick.job.endpoints.len() * (batches + bad * each + CHECKS);
    let calls = usize::try_from(run.counts.calls).expect("fits");
    if calls > limit {
        stage.accuse(format!(
            "{}: {calls} calls for {batches} batches with {bad} bad tickers, limit {limit}",
            tick.run_id()
        ));
    }
}

/// Limits the calls that a service refused only because of its limit.
fn check_vain(stage: &Stage) {
    if stage.scenario.pacing.is_none() {
        return;
    }
    let journal = stage.journal();
    let is_vain = |call: &&Call| {
        let Some(end) = &call.end else { return false };
        let body = serde_json::from_slice::<Json>(&end.body).unwrap_or_default();
        let limited = |text: &Json| text.as_str().is_some_and(|text| text.contains(LIMITED));
        let entries = body["data"].as_array().filter(|entries| !entries.is_empty());
        limited(&body["detail"])
            || entries.is_some_and(|all| {
                all.iter().all(|entry| limited(&entry["error"]) || is_mute(&stage.scenario, entry))
            })
    };
    let vain = journal.calls.iter().filter(is_vain).count();
    drop(journal);
    let minutes = usize::try_from(stage.now().as_secs() / 60).expect("fits");
    // If the errors do not mention the limit, it takes a few calls each time to recognise it.
    let each = if stage.scenario.pacing.is_some_and(|pacing| pacing.is_mute) { 5 } else { 2 };
    let limit = 20 + each * minutes.min(720);
    if vain > limit {
        stage.accuse(format!("{vain} calls in vain in {:?}, limit {limit}", Duration::from_secs(60) * 60));
    }
}

/// Whether a service has refused a ticker for its limit without mentioning it.
fn is_mute(scenario: &Scenario, entry: &Json) -> bool {
    let indicators = entry["data"].as_object().filter(|indicators| !indicators.is_empty());
    let ticker = entry["ticker"].as_str().unwrap_or_default();
    scenario.poison.get(ticker) != Some(&Poison::Barren)
        && indicators.is_some_and(|all| all.values().all(|indicator| indicator["error"].is_string()))
}
