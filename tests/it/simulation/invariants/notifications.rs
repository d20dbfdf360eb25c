//! Every change of an alert is told to every target, under one id, and without faults exactly once; in the end the
//! stored alerts are those that hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use chrono::TimeDelta;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use orchestrator::api::router;
use orchestrator::app::App;
use orchestrator::base::instance::Instance;
use orchestrator::base::ports::{BoxFuture, InboundResponse, OutboundRequest, Transport, TransportError};
use orchestrator::base::world::World;
use serde_json::Value as Json;
use sim::firestore::to_plain;
use sim::receivers::Kind;
use tower::ServiceExt as _;

use crate::simulation::alarms::{self, ALERTS, Taken};
use crate::simulation::instance::Slots;
use crate::simulation::scenario::Scenario;
use crate::simulation::stage::Stage;
use crate::world::clock::{EPOCH, VirtualClock};

/// Watches after which the stored alerts must be those that hold: resolving one takes five minutes.
const ROUNDS_MAX: usize = 40;

pub(super) async fn check(stage: &Stage, slots: &Slots) {
    if !stage.scenario.alarms.is_watched {
        return;
    }
    settle(stage, slots).await;
    heartbeat(stage, slots).await;
    told_everyone(stage);
    told_in_order(stage);
}

/// Calls the watch until the stored alerts are those that hold and nothing is left to tell.
async fn settle(stage: &Stage, slots: &Slots) {
    let mut wrong = String::new();
    for _ in 0..ROUNDS_MAX {
        alarms::call_twice(stage, slots).await;
        wrong = difference(stage).await;
        if wrong.is_empty() {
            return;
        }
        stage.handle.sleep(alarms::INTERVAL).await;
    }
    stage.accuse(format!("after {ROUNDS_MAX} watches: {wrong}"));
}

/// What is stored but does not hold, or the other way round, or has not been told.
async fn difference(stage: &Stage) -> String {
    let behind = stage.scenario.skew_ms.min(Scenario::BEHIND_MS_MAX);
    let (early, late) =
        (observe(stage, -signed(behind)).await, observe(stage, signed(stage.scenario.skew_ms)).await);
    let mut wrong = Vec::new();
    let mut stored = BTreeSet::new();
    for (id, document) in stage.store().collection(&stage.database, ALERTS) {
        let field = |name: &str| to_plain(document.fields.get(name).unwrap_or(&Json::Null));
        if field("changes").as_array().is_some_and(|changes| !changes.is_empty()) {
            wrong.push(format!("{id} is not told"));
        }
        if field("state") == "firing" {
            stored.insert(id.to_owned());
        }
    }
    // Instances whose clocks differ may judge differently; what all agree on must be stored.
    wrong.extend(
        early
            .intersection(&late)
            .filter(|key| !stored.contains(*key))
            .map(|key| format!("{key} is not stored")),
    );
    let held = |key: &&String| early.contains(*key) || late.contains(*key);
    wrong.extend(stored.iter().filter(|key| !held(key)).map(|key| format!("{key} does not hold")));
    wrong.join(", ")
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).expect("small")
}

/// The keys of the alerts that an instance without faults sees.
async fn observe(stage: &Stage, skew_ms: i64) -> BTreeSet<String> {
    let skew = stage.scenario.begins - EPOCH + TimeDelta::milliseconds(skew_ms);
    let world = World {
        transport: Arc::new(Direct(stage.clone())),
        clock: Arc::new(VirtualClock::new(stage.handle.clone(), skew, Duration::ZERO)),
        entropy: Arc::new(stage.dice.split()),
        machine: Arc::new(()),
    };
    let app = Arc::new(App::new(stage.scenario.config(), world.clone(), Instance::new(&world)));
    let request = Request::get("/status").body(Body::empty()).expect("a request");
    let response = router(app).oneshot(request).await.unwrap_or_else(|never| match never {});
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    let status: Json = serde_json::from_slice(&body).expect("JSON");
    let alerts = status["alerts"].as_array().expect("alerts").iter();
    let key = |alert: &Json| {
        let of = ["job", "dataset", "provider"].into_iter().find_map(|name| alert[name].as_str());
        let name = alert["alert"].as_str().expect("a name");
        of.map_or_else(|| name.to_owned(), |of| format!("{name}_{of}"))
    };
    alerts.map(key).collect()
}

/// Firestore without faults and delays.
struct Direct(Stage);

impl Transport for Direct {
    fn send(&self, request: OutboundRequest) -> BoxFuture<'static, Result<InboundResponse, TransportError>> {
        let path = request.url.split_once("/v1/").map(|(_, path)| format!("/v1/{path}")).expect("Firestore");
        let reply = self.0.store().handle(self.0.civil(), &request.method, &path, &request.body);
        let body = reply.body.to_string().into();
        let answer = InboundResponse { status: reply.status, headers: HeaderMap::new(), body };
        Box::pin(std::future::ready(Ok(answer)))
    }
}

/// A watch in a calm world calls the monitor outside.
async fn heartbeat(stage: &Stage, slots: &Slots) {
    let beats = || {
        let journal = stage.journal();
        journal.alarms.taken.iter().filter(|taken| taken.message.kind == Kind::Heartbeat).count()
    };
    // One that a dead instance has sent may still be on its way, so there may be more than one.
    let before = beats();
    let Some(answered) = alarms::call(stage, slots).await else { return };
    let is_set = stage.scenario.alarms.receivers.contains(&Kind::Heartbeat);
    let expected = if is_set { "called" } else { "off" };
    let outcome = &answered.body["heartbeat"]["outcome"];
    if answered.status != StatusCode::OK || outcome != expected || (beats() > before) != is_set {
        stage.accuse(format!("a watch ends with {}, its heartbeat is to be {expected}", answered.body));
    }
}

/// Each change that was ever stored has reached each of its targets.
fn told_everyone(stage: &Stage) {
    let journal = stage.journal();
    let mut faults = Vec::new();
    let mut told = BTreeMap::<(Kind, &str), usize>::new();
    let messages = || journal.alarms.taken.iter().filter(|taken| taken.message.kind != Kind::Heartbeat);
    for Taken { message, .. } in messages() {
        *told.entry((message.kind, message.id.as_str())).or_default() += 1;
        if !journal.alarms.changes.contains_key(&message.id) {
            faults.push(format!(
                "{:?} is told {} {}, which was never stored",
                message.kind, message.id, message.key
            ));
        }
    }
    for (id, change) in &journal.alarms.changes {
        for kind in &change.targets {
            let count = told.get(&(*kind, id.as_str())).copied().unwrap_or_default();
            if count == 0 || count > 1 && !journal.alarms.is_lossy {
                faults
                    .push(format!("{kind:?} is told {count} times that {} is {}", change.key, change.state));
            }
        }
    }
    drop(journal);
    for fault in &faults {
        stage.accuse(fault);
    }
}

/// For every target, an alert's changes alternate, and all repetitions of one are the same.
fn told_in_order(stage: &Stage) {
    let journal = stage.journal();
    let mut faults = Vec::new();
    let mut bodies = BTreeMap::<(Kind, &str), &Json>::new();
    let mut last = BTreeMap::<(Kind, &str), (&str, &str)>::new();
    for Taken { at, message } in &journal.alarms.taken {
        if message.kind == Kind::Heartbeat {
            continue;
        }
        if let Some(first) = bodies.get(&(message.kind, message.id.as_str())) {
            if **first != message.body {
                faults.push(format!("{:?} is told {} in different words", message.kind, message.id));
            }
            continue;
        }
        bodies.insert((message.kind, message.id.as_str()), &message.body);
        let state = message.state.as_str();
        // Slack's messages are not told apart by key for certain.
        let key = (message.kind, message.key.as_str());
        let before = last.insert(key, (state, message.id.as_str()));
        let severer = message.body.to_string().contains("critical");
        let is_news = match before {
            None => state == "firing",
            Some((before, _)) => before != state || state == "firing" && severer,
        };
        if !is_news {
            faults.push(format!(
                "{:?} is told at {at:?} that {} is {state}, after {before:?}",
                message.kind, message.key
            ));
        }
    }
    drop(journal);
    for fault in &faults {
        stage.accuse(fault);
    }
}
