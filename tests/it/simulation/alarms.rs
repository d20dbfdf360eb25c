//! Notifications in a world: who is told, how receivers fail, and everything that they got.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use chrono::TimeDelta;
use futures::channel::oneshot;
use futures::future::{join, join_all};
use http::{HeaderMap, Request, StatusCode};
use orchestrator::base::ports::{InboundResponse, OutboundRequest, TransportError};
use serde_json::{Value as Json, json};
use sim::firestore::to_plain;
use sim::receivers::shape;
use sim::receivers::{Kind, Message};

use super::instance::{Answered, Slots};
use super::stage::Stage;
use crate::world::dice::Dice;

/// How often the scheduler calls the watch.
pub(super) const INTERVAL: Duration = Duration::from_secs(60);
/// How long watches go on after the last storm, beside the ticks that may still be at work.
const AFTER_STORMS: Duration = Duration::from_secs(300);
/// A watch reads its facts at most this long before its writes arrive.
const OLD_FACTS: TimeDelta = TimeDelta::seconds(120);

/// The collection of the alerts' documents.
pub(super) const ALERTS: &str = "ingestion_alerts";

/// Who is told in a world.
#[derive(Clone, Debug, Default)]
pub(super) struct Alarms {
    /// Whether the watch is called at all: it makes a world long.
    pub(super) is_watched: bool,
    pub(super) receivers: Vec<Kind>,
    outages: Vec<Outage>,
    /// Whether two watches come at once, as often as not.
    twice: bool,
    /// How long the scheduler waits for a watch.
    patience: Duration,
}

/// A period in which a receiver fails.
#[derive(Clone, Debug)]
struct Outage {
    kind: Kind,
    from: Duration,
    to: Duration,
    percent: u64,
    failure: Failure,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failure {
    Refused,
    Status(u16),
    LostBefore,
    LostAfter,
    Late,
    HangAfter,
}

/// A message that a receiver has taken.
#[derive(Clone, Debug)]
pub(super) struct Taken {
    pub(super) at: Duration,
    pub(super) message: Message,
}

/// A change of an alert that was stored.
#[derive(Clone, Debug)]
pub(super) struct StoredChange {
    pub(super) key: String,
    pub(super) state: String,
    pub(super) targets: Vec<Kind>,
}

/// What has become known about notifications.
#[derive(Default)]
pub(super) struct Record {
    pub(super) taken: Vec<Taken>,
    /// Whether a watch may not have heard that a message was taken, or may not have stored it.
    pub(super) is_lossy: bool,
    /// By id.
    pub(super) changes: BTreeMap<String, StoredChange>,
}

impl Alarms {
    /// Draws them; adds the settings of the receivers.
    pub(super) fn draw(dice: &Dice, calm_at: Duration, settings: &mut BTreeMap<String, String>) -> Self {
        if !dice.chance(30) {
            return Self::default();
        }
        let receivers: Vec<_> = Kind::ALL.into_iter().filter(|_| dice.chance(80)).collect();
        for kind in &receivers {
            settings.extend(kind.settings(&format!("http://{}", host(*kind))));
        }
        let loses = dice.chance(50);
        let outages = (0..dice.between(0, 3)).map(|_| outage(dice, calm_at, loses));
        Self {
            is_watched: true,
            receivers,
            outages: outages.collect(),
            twice: dice.chance(60),
            patience: Duration::from_secs(dice.pick(&[30, 1_800, 1_800])),
        }
    }

    fn failure(&self, dice: &Dice, kind: Kind, now: Duration) -> Option<Failure> {
        let strikes = |outage: &&Outage| {
            outage.kind == kind && outage.from <= now && now < outage.to && dice.chance(outage.percent)
        };
        self.outages.iter().find(strikes).map(|outage| outage.failure)
    }
}

fn outage(dice: &Dice, calm_at: Duration, loses: bool) -> Outage {
    let calm_ms = u64::try_from(calm_at.as_millis()).expect("fits");
    let from = dice.millis(0, calm_ms);
    let statuses = [400, 401, 404, 410, 429, 500, 503].map(Failure::Status);
    let failure = match loses {
        false if dice.chance(20) => Failure::Refused,
        true if dice.chance(80) => dice.pick(&[
            Failure::LostBefore,
            Failure::LostAfter,
            Failure::LostAfter,
            Failure::Late,
            Failure::HangAfter,
        ]),
        _ => dice.pick(&statuses),
    };
    let to = (from + dice.millis(1_000, calm_ms)).min(calm_at);
    Outage { kind: dice.pick(&Kind::ALL), from, to, percent: dice.pick(&[30, 100]), failure }
}

fn host(kind: Kind) -> &'static str {
    match kind {
        Kind::Webhook => "webhook.test",
        Kind::Slack => "slack.test",
        Kind::PagerDuty => "pagerduty.test",
        Kind::Heartbeat => "heartbeat.test",
    }
}

/// The receiver at a host.
pub(super) fn receiver(name: &str) -> Option<Kind> {
    Kind::ALL.into_iter().find(|kind| host(*kind) == name)
}

type Answer = Result<InboundResponse, TransportError>;

/// Carries a message to a receiver.
pub(super) async fn to_receiver(
    stage: Stage,
    kind: Kind,
    path: String,
    request: OutboundRequest,
    sender: oneshot::Sender<Answer>,
) {
    let failure = stage.scenario.alarms.failure(&stage.dice, kind, stage.now());
    stage.tell(format!("{kind:?} is called: {failure:?}"));
    stage.handle.sleep(stage.dice.millis(1, 200)).await;
    // The sender may have given up or died.
    let deliver = |sender: oneshot::Sender<Answer>, answer| drop(sender.send(answer));
    match failure {
        Some(Failure::Refused) => {
            return deliver(sender, Err(TransportError::Connect("simulated".to_owned())));
        }
        Some(Failure::Status(status)) => return deliver(sender, Ok(response(status, "simulated"))),
        Some(Failure::LostBefore) => return drop(sender),
        Some(Failure::Late) => stage.handle.sleep(stage.dice.millis(5_000, 30_000)).await,
        _ => {}
    }
    let answer = match shape::read(kind, &request.method, &path, &request.headers, &request.body) {
        Ok(message) => {
            let (status, body) = kind.answer(&message);
            stage.tell(format!("{kind:?} takes {} {} {}", message.id, message.key, message.state));
            let at = stage.now();
            let mut journal = stage.journal();
            journal.alarms.is_lossy |= failure.is_some();
            journal.alarms.taken.push(Taken { at, message });
            drop(journal);
            response(status, &body)
        }
        Err(refused) => {
            stage.accuse(format!("{kind:?} refuses what it is sent: {}", refused.body));
            response(refused.status, &refused.body)
        }
    };
    match failure {
        Some(Failure::LostAfter) => drop(sender),
        Some(Failure::HangAfter) => stage.handle.sleep(INTERVAL * 60).await,
        _ => deliver(sender, Ok(answer)),
    }
}

fn response(status: u16, body: &str) -> InboundResponse {
    let status = StatusCode::from_u16(status).expect("a status");
    InboundResponse { status, headers: HeaderMap::new(), body: Bytes::from(body.to_owned()) }
}

/// Calls the watch every minute until some time after the last storm.
pub(super) async fn play(stage: Stage, slots: Slots) {
    let alarms = &stage.scenario.alarms;
    let end = stage.scenario.calm_at + AFTER_STORMS;
    while alarms.is_watched && stage.now() < end {
        let second = async {
            if alarms.twice && stage.dice.chance(50) {
                stage.handle.sleep(stage.dice.millis(0, 2_000)).await;
                call(&stage, &slots).await;
            }
        };
        let next = stage.now() + INTERVAL;
        join(call(&stage, &slots), second).await;
        stage.handle.sleep(next.saturating_sub(stage.now())).await;
    }
}

/// Calls the watch once.
pub(super) async fn call(stage: &Stage, slots: &Slots) -> Option<Answered> {
    let request = Request::post("/watch").body(Body::empty()).expect("a request");
    let alarms = &stage.scenario.alarms;
    let answered = slots.deliver(stage, request, alarms.patience, alarms.patience > INTERVAL).await;
    if answered.as_ref().is_none_or(|answered| answered.status != StatusCode::OK) {
        stage.journal().alarms.is_lossy = true;
    }
    let words = answered.as_ref().map_or(Json::Null, |answered| answered.body.clone());
    stage.tell(format!("a watch ends: {words}"));
    answered
}

/// Calls the watch twice at the same time.
pub(super) async fn call_twice(stage: &Stage, slots: &Slots) -> Option<Answered> {
    join_all([call(stage, slots), call(stage, slots)]).await.into_iter().flatten().next()
}

/// Notes the changes of alerts that a write stores, and accuses those that contradict what has long been stored.
pub(super) fn check_written(stage: &Stage, written: &[String]) {
    for path in written.iter().filter(|path| path.starts_with(&format!("{ALERTS}/"))) {
        let key = path.trim_start_matches(&format!("{ALERTS}/")).to_owned();
        let alert = plain(stage, path);
        for change in alert["changes"].as_array().cloned().unwrap_or_default() {
            let id = change["id"].as_str().expect("an id").to_owned();
            if stage.journal().alarms.changes.contains_key(&id) {
                continue;
            }
            let state = change["state"].as_str().expect("a state").to_owned();
            let targets = change["pending"].as_object().into_iter().flatten();
            let kind = |name: &str| match name {
                "webhook" => Kind::Webhook,
                "slack" => Kind::Slack,
                _ => Kind::PagerDuty,
            };
            let targets = targets.map(|(name, _)| kind(name)).collect();
            check_truth(stage, &key, &alert, &state);
            stage.journal().alarms.changes.insert(id, StoredChange { key: key.clone(), state, targets });
        }
    }
}

/// A document's fields, and its `update_time`.
fn plain(stage: &Stage, path: &str) -> Json {
    let store = stage.store();
    let Some(stored) = store.documents().get(&format!("{}/documents/{path}", stage.database)) else {
        return Json::Null;
    };
    let mut fields: Json =
        stored.fields.iter().map(|(name, value)| (name.clone(), to_plain(value))).collect();
    fields["update_time"] = json!(stored.update_time.to_rfc3339());
    fields
}

/// Two alerts follow from one document each, so that a change can be judged without the component's own rules.
fn check_truth(stage: &Stage, key: &str, alert: &Json, state: &str) {
    let time =
        |value: &Json| value.as_str().and_then(|text| text.parse::<chrono::DateTime<chrono::Utc>>().ok());
    let has_long_been = |document: &Json| {
        time(&document["update_time"]).is_some_and(|changed| stage.civil() - changed > OLD_FACTS)
    };
    if let Some(provider) = key.strip_prefix("BreakerOpen_") {
        let breaker = plain(stage, &format!("ingestion_breakers/{provider}"));
        let is_closed = breaker["position"].as_str().unwrap_or("closed") == "closed";
        if has_long_been(&breaker) && is_closed == (state == "firing") {
            stage.accuse(format!("{key} is {state}, but the breaker has long been {breaker}"));
        }
    }
    if let (Some(job), Some(due)) = (key.strip_prefix("JobOverdue_"), time(&alert["since"])) {
        let statistics = plain(stage, &format!("ingestion_statistics/{job}"));
        let is_covered = time(&statistics["covered_until"]).is_some_and(|covered| covered >= due);
        if state == "firing" && is_covered && has_long_been(&statistics) {
            stage.accuse(format!("{key} is firing since {due}, but {statistics}"));
        }
    }
}
