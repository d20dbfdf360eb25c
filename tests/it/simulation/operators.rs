//! Operators: they cancel runs and resume them later, and pause jobs for a while.

use std::time::Duration;

use axum::body::Body;
use chrono::SecondsFormat;
use futures::future::{join, join_all};
use http::{Request, StatusCode};
use orchestrator::catalogue::Job;
use serde_json::json;

use super::instance::{Answered, Slots};
use super::scenario::Tick;
use super::scheduler;
use super::stage::Stage;
use crate::world::dice::Dice;

/// Deliveries of one order, until it is answered.
const DELIVERIES_MAX: usize = 30;
const PAUSE: Duration = Duration::from_secs(5);
/// How long an operator waits for a response.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the operators of a world do.
#[derive(Clone, Debug, Default)]
pub(super) struct Orders {
    pub(super) stops: Vec<Stop>,
    pub(super) holds: Vec<Hold>,
}

/// A run is cancelled, and resumed later.
#[derive(Clone, Debug)]
pub(super) struct Stop {
    /// The place of its tick.
    pub(super) tick: usize,
    after: Duration,
    resumed_after: Duration,
}

/// A job is paused.
#[derive(Clone, Debug)]
pub(super) struct Hold {
    job: &'static Job,
    at: Duration,
    length: Duration,
    /// Whether it ends by itself.
    has_end: bool,
}

impl Orders {
    pub(super) fn draw(dice: &Dice, ticks: &[Tick]) -> Self {
        let mut orders = Self::default();
        for (place, tick) in ticks.iter().enumerate() {
            if dice.chance(25) {
                let after = dice.millis(0, dice.pick(&[500, 5_000, 60_000]));
                let resumed_after = dice.millis(3_000, 300_000);
                orders.stops.push(Stop { tick: place, after, resumed_after });
            }
            if dice.chance(12) {
                // Before the tick, or soon after it.
                let at = (tick.at + dice.millis(0, 5_000)).saturating_sub(dice.millis(0, 30_000));
                let (length, has_end) = (dice.millis(1_000, 600_000), dice.chance(50));
                orders.holds.push(Hold { job: tick.job, at, length, has_end });
            }
        }
        orders
    }

    /// Whether an operator resumes the run of a tick.
    pub(super) fn resume(&self, ticks: &[Tick], run_id: &str) -> bool {
        self.stops.iter().any(|stop| ticks[stop.tick].run_id() == run_id)
    }
}

/// Gives all orders.
pub(super) async fn play(stage: Stage, slots: Slots) {
    let orders = stage.scenario.orders.clone();
    let stops = orders.stops.iter().map(|stop| cancel(&stage, &slots, stop));
    let holds = orders.holds.iter().map(|hold| pause(&stage, &slots, hold));
    join(join_all(stops), join_all(holds)).await;
}

async fn cancel(stage: &Stage, slots: &Slots, stop: &Stop) {
    let tick = &stage.scenario.ticks[stop.tick];
    wait_until(stage, tick.at + stop.after).await;
    let path = format!("/runs/{}/cancel", tick.run_id());
    let answered = give(stage, slots, &path, &json!({"reason": "simulated"})).await;
    if let Some(Answered { status, body }) = answered {
        let has_ended =
            |text: &str| text.contains("ended before") && !text.contains("ended before, cancelled");
        let is_done = body["detail"].as_str().is_some_and(has_ended);
        if is_done || status == StatusCode::NOT_FOUND {
            return;
        }
    }
    // Cancelled, or nobody knows.
    stage.handle.sleep(stop.resumed_after).await;
    scheduler::insist_on_resume(stage, slots, tick).await;
}

async fn pause(stage: &Stage, slots: &Slots, hold: &Hold) {
    wait_until(stage, hold.at).await;
    let until = stage.civil() + hold.length;
    let until = hold.has_end.then(|| until.to_rfc3339_opts(SecondsFormat::Micros, true));
    let path = format!("/jobs/{}/pause", hold.job.name);
    give(stage, slots, &path, &json!({"reason": "simulated", "until": until})).await;
    stage.handle.sleep(hold.length).await;
    give(stage, slots, &format!("/jobs/{}/unpause", hold.job.name), &json!({"reason": "simulated"})).await;
}

/// Gives an order until it is answered by more than a failure.
async fn give(stage: &Stage, slots: &Slots, path: &str, body: &serde_json::Value) -> Option<Answered> {
    for _ in 0..DELIVERIES_MAX {
        let request = Request::post(path).body(Body::from(body.to_string())).expect("a valid request");
        let answered = slots.deliver(stage, request, PATIENCE, true).await;
        let told = answered.as_ref().map(|answered| (answered.status.as_u16(), answered.body.to_string()));
        stage.tell(format!("POST {path}: {told:?}"));
        if let Some(answered) = answered.filter(|answered| !answered.status.is_server_error()) {
            return Some(answered);
        }
        stage.handle.sleep(PAUSE).await;
    }
    None
}

async fn wait_until(stage: &Stage, at: Duration) {
    stage.handle.sleep(at.saturating_sub(stage.now())).await;
}
