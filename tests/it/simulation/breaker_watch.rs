//! Watches every provider call: none through a breaker that its instance knows to be open, none on
//! knowledge that is too old.

use std::time::Duration;

use chrono::{DateTime, Utc};
use orchestrator::breakers::FRESH;
use orchestrator::ports::{InboundResponse, OutboundRequest, TransportError};
use serde_json::Value as Json;

use super::instance::Identity;
use super::provider::Fetch;
use super::stage::Stage;

/// What an instance has last been told of a breaker.
#[derive(Clone, Debug)]
pub(super) struct Known {
    at: Duration,
    position: String,
    until: Option<DateTime<Utc>>,
    prober: Option<String>,
    /// Whether it has asked again since, in vain.
    refresh_failed: bool,
}

const COLLECTION: &str = "ingestion_breakers";

/// Takes in what an answer of Firestore says of a breaker.
pub(super) fn learn(
    stage: &Stage,
    from: &Identity,
    request: &OutboundRequest,
    answer: &Result<InboundResponse, TransportError>,
) {
    let Some((provider, fields)) = told(request, answer) else { return };
    let now = stage.now();
    let mut journal = stage.journal();
    let key = (from.owner, provider);
    match fields {
        Told::Failed => {
            if let Some(known) = journal.breakers.get_mut(&key) {
                known.refresh_failed = true;
            }
        }
        Told::Fields(fields) => {
            let text = |path: &str| fields.pointer(path).and_then(Json::as_str).map(str::to_owned);
            let until = text("/until/timestampValue").and_then(|time| time.parse().ok());
            let known = Known {
                at: now,
                position: text("/position/stringValue").unwrap_or_else(|| "closed".to_owned()),
                until,
                prober: text("/prober/stringValue"),
                refresh_failed: false,
            };
            journal.breakers.insert(key, known);
        }
    }
}

enum Told {
    Fields(Json),
    Failed,
}

/// The provider whose breaker an exchange was about, and what was told.
fn told(
    request: &OutboundRequest,
    answer: &Result<InboundResponse, TransportError>,
) -> Option<(String, Told)> {
    let sent = || serde_json::from_slice::<Json>(&request.body).expect("the component sends JSON");
    if request.url.ends_with(":batchGet") {
        let body = sent();
        let (_, provider) = body["documents"][0].as_str()?.split_once(&format!("/{COLLECTION}/"))?;
        let answered = answer.as_ref().ok().filter(|answer| answer.status.is_success());
        // A stream that breaks tells nothing.
        let rows = answered.and_then(|answer| serde_json::from_slice::<Vec<Json>>(&answer.body).ok());
        let row = rows.as_deref().and_then(|rows| if let [row] = rows { Some(row) } else { None });
        let told = match row {
            Some(row) if row.get("error").is_none() => Told::Fields(row["found"]["fields"].clone()),
            _ => Told::Failed,
        };
        return Some((provider.to_owned(), told));
    }
    if !request.url.ends_with(":commit") || !answer.as_ref().is_ok_and(|answer| answer.status.is_success()) {
        return None;
    }
    let body = sent();
    let update = body.pointer("/writes/0/update")?;
    let (_, provider) = update["name"].as_str()?.split_once(&format!("/{COLLECTION}/"))?;
    Some((provider.to_owned(), Told::Fields(update["fields"].clone())))
}

/// Checks that an instance may make a call, by what it knows itself.
pub(super) fn check_call(stage: &Stage, from: &Identity, fetch: &Fetch) {
    let service = fetch.endpoint.service().name();
    let known = stage.journal().breakers.get(&(from.owner, service.to_owned())).cloned();
    let Some(known) = known else {
        return stage.accuse(format!("{} calls {service} and has never read its breaker", from.name()));
    };
    let run = stage.scenario.run_of(fetch);
    let is_prober = run.zip(known.prober.as_ref()).is_some_and(|(run, prober)| run.is_done_by(prober));
    if known.position != "closed" && !is_prober {
        let until = known.until.map(|until| (until - from.clock(stage)).num_milliseconds());
        let position = &known.position;
        stage.accuse(format!(
            "{} calls {service} through a breaker that it knows to be {position} for {until:?} ms",
            from.name()
        ));
    }
    let age = stage.now().saturating_sub(known.at);
    if age > FRESH && !known.refresh_failed && !is_prober {
        stage.accuse(format!(
            "{} calls {service} on knowledge of its breaker that is {age:?} old",
            from.name()
        ));
    }
}
