//! Every planned ticker is stored or reported, and what is stored is what the provider sent.

use std::collections::BTreeSet;

use orchestrator::catalogue::Ticker;
use orchestrator::firestore::DocumentPath;
use orchestrator::run::{Outcome as TickerOutcome, RunState, Status};
use serde_json::Value as Json;
use sim::data::{documents, moment};
use sim::endpoint::{Endpoint, Service};
use sim::firestore::to_plain;

use crate::simulation::journal::Call;
use crate::simulation::provider::{STALE, spec};
use crate::simulation::scenario::{Scenario, Thin, Tick};
use crate::simulation::stage::Stage;

pub(super) fn check(stage: &Stage, tick: &Tick, run: &RunState) {
    for fault in faults(stage, tick, run) {
        stage.accuse(format!("{}: {fault}", tick.run_id()));
    }
}

fn faults(stage: &Stage, tick: &Tick, run: &RunState) -> Vec<String> {
    let plan = stage.scenario.plan(tick);
    let mut faults = Vec::new();
    if run.tickers_requested != plan.len() {
        faults.push(format!("{} tickers requested, {} planned", run.tickers_requested, plan.len()));
    }
    let all_failed = !run.shortfalls.is_empty() && run.tickers_processed() == 0;
    if !run.status.is_success() && !all_failed {
        faults.push(format!("it ended as {}", run.status.name()));
    }
    if run.status == Status::Succeeded && (!run.shortfalls.is_empty() || run.counts.records_rejected() > 0) {
        faults.push("it succeeded although something failed".to_owned());
    }
    let undisturbed = stage.scenario.storms.is_empty() && stage.scenario.poison.is_empty();
    let failed: Vec<_> =
        run.shortfalls.iter().filter(|short| short.outcome == TickerOutcome::Failed).collect();
    if undisturbed && (!failed.is_empty() || run.counts.records_rejected() > 0) {
        faults.push(format!("something failed although there were no faults: {failed:?}"));
    }
    let may_blame = stage.scenario.may_blame(tick.job.provider);
    for failure in failed.into_iter().filter(|_| !may_blame) {
        let ticker = failure.ticker.as_ref().map(Ticker::as_str).unwrap_or_default();
        if !stage.scenario.poison.contains_key(ticker) && !is_unlucky(stage, tick, ticker) {
            faults.push(format!("{ticker} failed although it is not bad: {}", failure.reason));
        }
    }
    let mut stored = 0;
    for endpoint in tick.job.endpoints {
        let service = Service::ALL.into_iter().find(|service| service.name() == tick.job.provider.name());
        let endpoint = service.and_then(|service| Endpoint::find(service, endpoint.path)).expect("known");
        stored += check_endpoint(stage, tick, run, endpoint, &plan, &mut faults);
        stored += check_lacking(stage, tick, run, endpoint, &mut faults);
    }
    // A failed indicator does not affect the others of its ticker; articles are independent.
    let exact = !matches!(tick.job.provider.name(), "alphavantage") && !plan.is_empty();
    let counted = run.counts.records_stored() + run.counts.records_unchanged;
    if exact && counted != stored {
        faults.push(format!("{counted} records counted, {stored} expected"));
    }
    faults.extend(miscounted(stage, tick, run));
    faults
}

/// Whether storms have happened to strike this ticker so often that it looked like its own fault.
fn is_unlucky(stage: &Stage, tick: &Tick, ticker: &str) -> bool {
    /// A ticker may be deferred to the next attempt five times.
    const STRUCK: usize = 6;
    let journal = stage.journal();
    let is_of = |call: &&Call| {
        call.fetch.run_time == tick.time()
            && call.fetch.job == tick.job.name
            && call.fetch.tickers.iter().any(|asked| asked == ticker)
    };
    let is_answered = |call: &Call| {
        let answer = call.end.as_ref().and_then(|end| serde_json::from_slice::<Json>(&end.body).ok());
        answer.is_some_and(|answer| answer["data"].is_array())
    };
    journal.calls.iter().filter(is_of).filter(|call| !is_answered(call)).count() >= STRUCK
}

/// What is wrong with how many of its records a run has found unchanged or revised.
fn miscounted(stage: &Stage, tick: &Tick, run: &RunState) -> Option<String> {
    let (unchanged, revised) = (run.counts.records_unchanged, run.counts.records_revised);
    let is_compared = tick.job.endpoints.iter().all(|endpoint| endpoint.dataset.repeats);
    if !is_compared && unchanged + revised > 0 {
        return Some(format!(
            "{unchanged} records are unchanged and {revised} revised of a dataset without repetition"
        ));
    }
    if stage.scenario.restated.is_empty() && stage.scenario.storms.is_empty() && revised > 0 {
        return Some(format!("{revised} records are revised, but no provider has changed any"));
    }
    (revised > run.counts.records_stored())
        .then(|| format!("{revised} records revised, more than were stored"))
}

/// Checks that a ticker came short exactly if its provider had nothing current; returns how many records of stale ones
/// the run must have counted.
fn check_lacking(
    stage: &Stage,
    tick: &Tick,
    run: &RunState,
    endpoint: Endpoint,
    faults: &mut Vec<String>,
) -> u64 {
    let scenario = &stage.scenario;
    let mut stale = Vec::new();
    for unit in run.units().filter(|unit| unit.endpoint == endpoint.path()) {
        let outcome = unit.outcome;
        let Some(ticker) = unit.ticker.map(Ticker::as_str) else { continue };
        let lack = scenario.lack(endpoint, ticker, scenario.published_at);
        let (is_thin, is_bad) = (lack.is_some(), scenario.poison.contains_key(ticker));
        match outcome {
            TickerOutcome::Stored | TickerOutcome::Unchanged if is_thin => {
                faults.push(format!("{ticker} counts as stored, but its provider has nothing current"));
            }
            TickerOutcome::Empty if lack != Some(Thin::Empty) => {
                faults.push(format!("{ticker} counts as empty, but its provider has records of it"));
            }
            TickerOutcome::Stale if !is_thin && !may_end_unpublished(scenario, tick) => {
                faults.push(format!("{ticker} counts as stale, but its data was published in time"));
            }
            TickerOutcome::Failed if is_thin && !is_bad && scenario.storms.is_empty() => {
                faults.push(format!("{ticker} has failed, but its provider only had nothing current"));
            }
            _ => {}
        }
        if outcome == TickerOutcome::Stale {
            stale.push(ticker.to_owned());
        }
    }
    let at = moment(Some(&tick.time())) - STALE;
    u64::try_from(documents(&spec(scenario, endpoint), endpoint, &stale, at).len()).expect("fits")
}

/// Whether a run may end with data that was published later: nobody waited, or not all of it came late.
fn may_end_unpublished(scenario: &Scenario, tick: &Tick) -> bool {
    let is_resumed = !tick.duplicates.is_empty() || scenario.orders.resume(&scenario.ticks, &tick.run_id());
    // The next quotes are due in five minutes: a run of theirs does not wait.
    let waits_in_vain = tick.key.is_some()
        || tick.job.schedule.starts_with("*/5")
        || tick.at + scenario.patience() <= scenario.published_at
        // Nothing waits beyond the job's next tick.
        || scenario.config().ticks.next(tick.job, tick.run_time) <= Some(scenario.civil(scenario.published_at));
    // While a run's calls go out, the data of some tickers may come: too few of the others are left to wait for.
    let takes_long = !scenario.storms.is_empty()
        || scenario.pacing.is_some()
        || scenario.tickers.len() > 20
        || scenario.mortality > 0
        || !scenario.poison.is_empty();
    tick.at < scenario.published_at && (is_resumed || waits_in_vain || takes_long)
}

/// Checks one endpoint's documents; returns how many records the run must have counted for it.
fn check_endpoint(
    stage: &Stage,
    tick: &Tick,
    run: &RunState,
    endpoint: Endpoint,
    plan: &[String],
    faults: &mut Vec<String>,
) -> u64 {
    let short: BTreeSet<&str> = run
        .shortfalls
        .iter()
        .filter(|failure| failure.endpoint == endpoint.path())
        .filter_map(|failure| failure.ticker.as_ref().map(Ticker::as_str))
        .collect();
    let done: Vec<String> = plan.iter().filter(|ticker| !short.contains(ticker.as_str())).cloned().collect();
    if endpoint.has_articles() && !run.shortfalls.is_empty() {
        return 0;
    }
    let expected = documents(&spec(&stage.scenario, endpoint), endpoint, &done, moment(Some(&tick.time())));
    let store = stage.store();
    for ((collection, id), record) in &expected {
        let path = DocumentPath::new(collection, id);
        match store.documents().get(&format!("{}/documents/{path}", stage.database)) {
            Some(stored) => {
                let fields = Json::Object(stored.fields.clone());
                faults.extend(
                    difference(&fields, record, &tick.run_id()).map(|what| format!("{path}: {what}")),
                );
            }
            // An article that broke its schema is kept as a rejected record.
            None if endpoint.has_articles() && run.counts.records_rejected() > 0 => {}
            None => faults.push(format!("{path} is lost: neither stored nor reported")),
        }
    }
    u64::try_from(expected.len()).expect("fits")
}

/// The first difference between a record and the document that this run wrote.
fn difference(fields: &Json, record: &Json, run_id: &str) -> Option<String> {
    // Indicators are stored flat; another run may have written the same document since.
    if record.get("indicator").is_some() || to_plain(&fields["run_id"]) != run_id {
        return None;
    }
    let members = record.as_object()?;
    members.iter().find_map(|(name, value)| {
        let stored = to_plain(&fields[name]);
        // Which of a ticker's answers it is from, is not known here.
        (stored != *value && name != "ingested_at")
            .then(|| format!("{name} is {stored}, but {value} was sent"))
    })
}
