//! Every ticker of the plan is stored or reported, and what is stored is what the provider sent.

use std::collections::BTreeSet;

use orchestrator::catalogue::Ticker;
use orchestrator::firestore::DocumentPath;
use orchestrator::run::{RunState, Status};
use serde_json::Value as Json;
use sim::data::{documents, moment};
use sim::endpoint::{Endpoint, Service};
use sim::firestore::to_plain;

use crate::simulation::provider::spec;
use crate::simulation::scenario::Tick;
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
        faults.push(format!("{} tickers asked for, {} planned", run.tickers_requested, plan.len()));
    }
    let all_failed = !run.failed.is_empty() && run.tickers_processed() == 0;
    if !run.status.is_success() && !all_failed {
        faults.push(format!("it rests as {}", run.status.name()));
    }
    if run.status == Status::Succeeded && (!run.failed.is_empty() || run.counts.records_rejected() > 0) {
        faults.push("it succeeded although something failed".to_owned());
    }
    let undisturbed = stage.scenario.storms.is_empty() && stage.scenario.poison.is_empty();
    if undisturbed && (!run.failed.is_empty() || run.counts.records_rejected() > 0) {
        faults.push(format!("something failed although nothing went wrong: {:?}", run.failed));
    }
    let may_blame = stage.scenario.may_blame(tick.job.provider);
    for failure in run.failed.iter().filter(|_| !may_blame) {
        let ticker = failure.ticker.as_ref().map(Ticker::as_str).unwrap_or_default();
        if !stage.scenario.poison.contains_key(ticker) {
            faults.push(format!("{ticker} is innocent and has failed: {}", failure.reason));
        }
    }
    let mut stored = 0;
    for endpoint in tick.job.endpoints {
        let service = Service::ALL.into_iter().find(|service| service.name() == tick.job.provider.name());
        let endpoint = service.and_then(|service| Endpoint::find(service, endpoint.path)).expect("known");
        stored += check_endpoint(stage, tick, run, endpoint, &plan, &mut faults);
    }
    // Indicators that fail leave the others of their ticker stored; articles stand for themselves.
    let exact = !matches!(tick.job.provider.name(), "alphavantage") && !plan.is_empty();
    if exact && run.counts.records_stored() != stored {
        faults.push(format!("{} records counted, {stored} expected", run.counts.records_stored()));
    }
    faults
}

/// Checks one endpoint's documents; how many records the run must have counted for it.
fn check_endpoint(
    stage: &Stage,
    tick: &Tick,
    run: &RunState,
    endpoint: Endpoint,
    plan: &[String],
    faults: &mut Vec<String>,
) -> u64 {
    let failed: BTreeSet<&str> = run
        .failed
        .iter()
        .filter(|failure| failure.endpoint == endpoint.path())
        .filter_map(|failure| failure.ticker.as_ref().map(Ticker::as_str))
        .collect();
    let done: Vec<String> = plan.iter().filter(|ticker| !failed.contains(ticker.as_str())).cloned().collect();
    if endpoint.has_articles() && !run.failed.is_empty() {
        return 0;
    }
    let expected = documents(&spec(&stage.scenario), endpoint, &done, moment(Some(&tick.time())));
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

/// What of a record is not in the document that this run wrote.
fn difference(fields: &Json, record: &Json, run_id: &str) -> Option<String> {
    // Indicators are stored flat; another run may have written the same document since.
    if record.get("indicator").is_some() || to_plain(&fields["run_id"]) != run_id {
        return None;
    }
    let members = record.as_object()?;
    members.iter().find_map(|(name, value)| {
        let stored = to_plain(&fields[name]);
        (stored != *value).then(|| format!("{name} is {stored}, sent was {value}"))
    })
}
