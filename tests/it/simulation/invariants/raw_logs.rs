//! Every provider call has a raw log with its response, and every raw log has a call.

use std::collections::BTreeMap;

use orchestrator::firestore::payload::TEXT_BYTES_MAX;
use serde_json::Value as Json;
use sim::firestore::to_plain;

use crate::simulation::journal::{Call, Ending};
use crate::simulation::stage::Stage;
use sim::firestore::memory::Fields;

/// What identifies a call: run, endpoint, tickers, status and body of the response.
type Key = (String, String, String, Option<i64>, String);

/// For one key: the calls that must have a log, those that may have one, and the logs.
#[derive(Default)]
struct Tally {
    must: usize,
    may: usize,
    logs: usize,
}

pub(super) fn check(stage: &Stage) {
    let mut tallies = BTreeMap::<Key, Tally>::new();
    let calls = stage.journal().calls.clone();
    for call in &calls {
        let Some(key) = key_of_call(stage, call) else { continue };
        let tally = tallies.entry(key).or_default();
        if must_be_logged(stage, call) { tally.must += 1 } else { tally.may += 1 }
    }
    for (_, document) in stage.store().collection(&stage.database, "api_usage_logs") {
        tallies.entry(key_of_log(&document.fields)).or_default().logs += 1;
    }
    for ((run, endpoint, tickers, status, _), tally) in &tallies {
        let Tally { must, may, logs } = tally;
        if logs < must || *logs > must + may {
            stage.accuse(format!(
                "{run}: {must} calls of {endpoint} for {tickers} ended with {status:?} and {may} may have; \
                 raw logs: {logs}"
            ));
        }
    }
}

/// None for a call whose end the instance has not seen.
fn key_of_call(stage: &Stage, call: &Call) -> Option<Key> {
    let end = call.end.as_ref()?;
    let run = stage.scenario.run_of(&call.fetch)?;
    // A body cut off inside a character is not UTF-8, and is kept in parts.
    let stored = orchestrator::base::redact::credentials(end.body.clone());
    let body = if stored.len() > TEXT_BYTES_MAX {
        in_parts(stored.len())
    } else {
        std::str::from_utf8(&stored).unwrap_or_default().to_owned()
    };
    let endpoint = call.fetch.endpoint.path().to_owned();
    Some((run.run_id(), endpoint, call.fetch.tickers.join(","), end.status.map(i64::from), body))
}

fn key_of_log(fields: &Fields) -> Key {
    let fields = Json::Object(fields.clone());
    let plain = |path: &str| to_plain(fields.pointer(path).unwrap_or(&Json::Null));
    let text = |path: &str| plain(path).as_str().unwrap_or_default().to_owned();
    let metadata = |name: &str| format!("/metadata/mapValue/fields/{name}");
    let response = |name: &str| format!("/response/mapValue/fields/{name}");
    let tickers = plain(&metadata("tickers_requested"));
    let tickers: Vec<_> = tickers.as_array().into_iter().flatten().filter_map(Json::as_str).collect();
    let status = plain(&response("status_code")).as_i64();
    let bytes = plain(&response("data_bytes")).as_u64().and_then(|bytes| usize::try_from(bytes).ok());
    let large = bytes.filter(|bytes| *bytes > TEXT_BYTES_MAX).map(in_parts);
    (
        text(&metadata("run_id")),
        text(&metadata("endpoint")),
        tickers.join(","),
        status,
        large.unwrap_or_else(|| text(&response("data"))),
    )
}

/// What stands for a body that is kept in parts.
fn in_parts(bytes: usize) -> String {
    format!("{bytes} bytes")
}

/// Not if the instance died, or if its response said that it could not store everything or had no time to.
fn must_be_logged(stage: &Stage, call: &Call) -> bool {
    let journal = stage.journal();
    let ending = journal.requests.get(&call.request).and_then(|request| request.ending.as_ref());
    let Some(Ending::Answered(answered)) = ending else { return false };
    let message = answered.body["message"].as_str().unwrap_or_default();
    let excuses = [
        "could be stored",
        "this request ran out of time",
        "lease could not be renewed",
        "running: ",
        "being cancelled: ",
    ];
    let admitted = format!("attempt {}: not everything could be stored", answered.body["data"]["attempt"]);
    let mut remarks =
        answered.body["data"]["remarks"].as_array().into_iter().flatten().filter_map(Json::as_str);
    !answered.body["data"].is_null()
        && !excuses.iter().any(|excuse| message.contains(excuse))
        && !remarks.any(|remark| remark.starts_with(&admitted))
}
