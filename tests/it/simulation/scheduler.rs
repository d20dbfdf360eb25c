//! Cloud Scheduler: delivers every tick until it gets a 2xx, and some ticks twice.

use std::time::Duration;

use axum::body::Body;
use chrono::SecondsFormat;
use futures::future::{join, join_all};
use http::{Request, StatusCode, header};
use serde_json::json;

use super::instance::{Answered, Slots};
use super::scenario::Tick;
use super::stage::Stage;

/// Time after the last storm by which everything must have come to rest.
const REST_LIMIT: Duration = Duration::from_secs(6 * 3600);
const BACKOFF_MIN: Duration = Duration::from_secs(5);
const BACKOFF_MAX: Duration = Duration::from_secs(120);

/// The request of a tick; every delivery is the same.
pub(super) fn request(tick: &Tick) -> Request<Body> {
    let mut body = json!({"job": tick.job.name, "scope": tick.job.scope.name()});
    if let Some(tickers) = &tick.tickers {
        body["tickers"] = json!(tickers);
    }
    let request = Request::post(tick.job.route).header(header::CONTENT_TYPE, "application/octet-stream");
    let request = match &tick.key {
        Some(key) => {
            body["run_time"] = json!(tick.time());
            request.header("idempotency-key", key)
        }
        None => {
            let time = tick.run_time.to_rfc3339_opts(SecondsFormat::Millis, true);
            request.header("x-cloudscheduler", "true").header("x-cloudscheduler-scheduletime", time)
        }
    };
    request.body(Body::from(body.to_string())).expect("a valid request")
}

/// An operator's request to resume a tick's run.
pub(super) fn resume(stage: &Stage, tick: &Tick) -> Request<Body> {
    stage.journal().resumed.insert(tick.run_id());
    let request = Request::post(format!("/runs/{}/resume", tick.run_id()));
    request.body(Body::empty()).expect("a valid request")
}

/// Delivers a tick until it is answered with 2xx, with all other requests for its run.
pub(super) async fn play(stage: Stage, slots: Slots, tick: Tick) {
    wait_until(&stage, tick.at).await;
    let others = tick.duplicates.iter().map(|after| repeat(&stage, &slots, &tick, *after));
    let others = join_all(others);
    join(insist(&stage, &slots, &tick, request), others).await;
}

/// Repeats a request until nothing is left to do.
async fn insist(stage: &Stage, slots: &Slots, tick: &Tick, ask: impl Fn(&Tick) -> Request<Body>) {
    let mut backoff = BACKOFF_MIN;
    let limit = stage.scenario.calm_at + REST_LIMIT;
    while stage.now() < limit {
        let is_resume = |request: &Request<Body>| request.uri().path().ends_with("/resume");
        let request = ask(tick);
        let resumes = is_resume(&request);
        let answered = deliver(stage, slots, tick, request).await;
        let goes_on = |answered: &Answered| resumes && answered.body["status"] == "cancelled";
        if answered.is_some_and(|answered| is_end(stage, &answered) && !goes_on(&answered)) {
            return;
        }
        stage.handle.sleep(backoff + stage.dice.millis(0, 1_000)).await;
        backoff = (backoff * 2).min(BACKOFF_MAX);
    }
    stage.accuse(format!("the run {} does not come to rest", tick.run_id()));
}

/// Resumes a run until nothing is left to do, also if somebody else cancels it meanwhile.
pub(super) async fn insist_on_resume(stage: &Stage, slots: &Slots, tick: &Tick) {
    insist(stage, slots, tick, |tick| resume(stage, tick)).await;
}

/// Whether nothing is left to do. A run in which nothing succeeds is retried; it may stop only when nothing is left
/// that could change. A run that does not exist cannot be resumed.
fn is_end(stage: &Stage, answered: &Answered) -> bool {
    let nothing_succeeds = answered.status == StatusCode::BAD_GATEWAY && stage.is_calm();
    answered.status.is_success() || nothing_succeeds || answered.status == StatusCode::NOT_FOUND
}

/// A second delivery of a tick, whose outcome is ignored, or an operator's request to resume its run.
async fn repeat(stage: &Stage, slots: &Slots, tick: &Tick, after: Duration) {
    stage.handle.sleep(after).await;
    if stage.dice.chance(30) {
        insist_on_resume(stage, slots, tick).await;
    } else {
        deliver(stage, slots, tick, request(tick)).await;
    }
}

async fn deliver(stage: &Stage, slots: &Slots, tick: &Tick, request: Request<Body>) -> Option<Answered> {
    let answered = slots.deliver(stage, request, tick.patience, tick.outlives_caller).await;
    let response = answered.as_ref().map_or_else(
        || "nothing".to_owned(),
        |answered| format!("{} {}", answered.status.as_u16(), answered.body["message"]),
    );
    stage.tell(format!("the caller of {} gets {response}", tick.run_id()));
    answered
}

async fn wait_until(stage: &Stage, at: Duration) {
    stage.handle.sleep(at.saturating_sub(stage.now())).await;
}
