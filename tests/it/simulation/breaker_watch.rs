//! Checks every provider call: the instance must not know the breaker to be open or the provider to be paused, its
//! knowledge must not be too old, and the provider's concurrency limit must hold.

use std::time::Duration;

use chrono::{DateTime, Utc};
use orchestrator::base::ports::{InboundResponse, OutboundRequest, TransportError};
use orchestrator::catalogue::Provider;
use orchestrator::provider::breakers::FRESH;
use serde_json::Value as Json;

use super::instance::Identity;
use super::journal::Call;
use super::provider::Fetch;
use super::stage::Stage;
use super::storm::{Storm, Target};

/// The latest state of a breaker that an instance has read.
#[derive(Clone, Debug)]
pub(super) struct Known {
    at: Duration,
    /// The breakers that are not closed, by endpoint.
    endpoints: Json,
    paused_until: Option<DateTime<Utc>>,
    /// Whether it has tried to read it again since, and failed.
    refresh_failed: bool,
}

const COLLECTION: &str = "ingestion_breakers";

/// Records a breaker's state from a Firestore response.
pub(super) fn learn(
    stage: &Stage,
    from: &Identity,
    request: &OutboundRequest,
    answer: &Result<InboundResponse, TransportError>,
) {
    let Some((provider, fields)) = stored_state(request, answer) else { return };
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
            let paused = fields.pointer("/paused_until/timestampValue").and_then(Json::as_str);
            let known = Known {
                at: now,
                endpoints: fields.pointer("/endpoints/mapValue/fields").cloned().unwrap_or_default(),
                paused_until: paused.and_then(|time| time.parse().ok()),
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

/// The provider whose breaker an exchange was about, and the state it contained.
fn stored_state(
    request: &OutboundRequest,
    answer: &Result<InboundResponse, TransportError>,
) -> Option<(String, Told)> {
    let sent = || serde_json::from_slice::<Json>(&request.body).expect("the component sends JSON");
    if request.url.ends_with(":batchGet") {
        let body = sent();
        let (_, provider) = body["documents"][0].as_str()?.split_once(&format!("/{COLLECTION}/"))?;
        let answered = answer.as_ref().ok().filter(|answer| answer.status.is_success());
        // A stream that breaks off has no result.
        let rows = answered.and_then(|answer| serde_json::from_slice::<Vec<Json>>(&answer.body).ok());
        let row = rows.as_deref().and_then(|rows| if let [row] = rows { Some(row) } else { None });
        let fields = match row {
            Some(row) if row.get("error").is_none() => Told::Fields(row["found"]["fields"].clone()),
            _ => Told::Failed,
        };
        return Some((provider.to_owned(), fields));
    }
    if !request.url.ends_with(":commit") || !answer.as_ref().is_ok_and(|answer| answer.status.is_success()) {
        return None;
    }
    let body = sent();
    let update = body.pointer("/writes/0/update")?;
    let (_, provider) = update["name"].as_str()?.split_once(&format!("/{COLLECTION}/"))?;
    // A run that registers writes only its own fields.
    update["fields"].get("endpoints")?;
    Some((provider.to_owned(), Told::Fields(update["fields"].clone())))
}

/// Checks that an instance may make a call, given what it knows.
pub(super) fn check_call(stage: &Stage, from: &Identity, fetch: &Fetch) {
    let service = fetch.endpoint.service().name();
    let known = stage.journal().breakers.get(&(from.owner, service.to_owned())).cloned();
    let Some(known) = known else {
        return stage.accuse(format!("{} calls {service} without ever having read its breaker", from.name()));
    };
    let run = stage.scenario.run_of(fetch);
    let endpoint = &known.endpoints[fetch.endpoint.path()]["mapValue"]["fields"];
    let text = |path: &str| endpoint.pointer(path).and_then(Json::as_str).map(str::to_owned);
    let prober = text("/prober/stringValue");
    let is_prober = run.zip(prober.as_ref()).is_some_and(|(run, prober)| run.is_done_by(prober));
    if let Some(position) = text("/position/stringValue")
        && !is_prober
    {
        let until = text("/until/timestampValue");
        stage.accuse(format!(
            "{} calls {service} through a breaker that it knows to be {position} until {until:?}",
            from.name()
        ));
    }
    if let Some(until) = known.paused_until.filter(|until| *until > stage.civil()) {
        stage.accuse(format!("{} calls {service}, which it knows to be paused until {until}", from.name()));
    }
    let age = stage.now().saturating_sub(known.at);
    if age > FRESH && !known.refresh_failed && !is_prober {
        stage.accuse(format!(
            "{} calls {service} on knowledge of its breaker that is {age:?} old",
            from.name()
        ));
    }
    check_concurrency(stage, fetch);
}

/// Checks that a provider never has more concurrent calls than its limit, over all runs and instances.
fn check_concurrency(stage: &Stage, fetch: &Fetch) {
    let service = fetch.endpoint.service();
    let provider = Provider::parse(service.name()).expect("known");
    let config = stage.scenario.config();
    let limit = config.provider(provider).max_concurrency;
    // A run that has not renewed its place for three leases counts as dead, though its calls may still be open: the last
    // renewal may be a lease older than the storm.
    let now = stage.now();
    let is_cut_off = |storm: &Storm| {
        storm.target == Target::Firestore && storm.from + config.run.lease * 2 <= now && now < storm.to
    };
    if stage.scenario.storms.iter().any(is_cut_off) {
        return;
    }
    let journal = stage.journal();
    let is_open = |call: &&Call| {
        call.fetch.endpoint.service() == service
            && !call.is_dropped
            && call.end.is_none()
            && journal.is_open(call.request)
    };
    let open = journal.calls.iter().filter(is_open).count() + 1;
    drop(journal);
    if open > limit {
        stage.accuse(format!("{open} calls of {service} at once, limit {limit}"));
    }
}
