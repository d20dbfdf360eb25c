//! Instances: they start, take requests, die at any step, and restart with empty memory.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use chrono::TimeDelta;
use futures::channel::oneshot;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use orchestrator::api::router;
use orchestrator::app::App;
use orchestrator::base::instance::Instance;
use orchestrator::base::world::World;
use serde_json::Value as Json;
use tower::ServiceExt;

use super::network::Wire;
use super::scenario::Scenario;
use super::stage::Stage;
use crate::world::clock::{EPOCH, VirtualClock};
use crate::world::executor::{Owner, WORLD};

/// Time after the deadline by which a response must have arrived.
const DEADLINE_SLACK: Duration = Duration::from_millis(100);

/// One life of an instance.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) owner: Owner,
    slot: usize,
    skew: TimeDelta,
}

impl Identity {
    pub(super) fn name(&self) -> String {
        format!("instance {}.{}", self.slot, self.owner)
    }
}

/// The instance in each slot, if it is up, and its router.
type Running = Vec<Option<(Identity, Router)>>;

/// The slots in which instances run.
#[derive(Clone, Default)]
pub(super) struct Slots {
    running: Arc<Mutex<Running>>,
}

/// The response to a request for a run.
#[derive(Clone, Debug)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) body: Json,
}

impl Slots {
    /// Starts all instances and keeps them running forever.
    pub(super) fn start(stage: &Stage) -> Self {
        let slots = Self::default();
        let count = stage.scenario.instances;
        slots.lock().resize_with(count, || None);
        for slot in 0..count {
            stage.handle.spawn(WORLD, slots.clone().keep_running(stage.clone(), slot));
        }
        slots
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn keep_running(self, stage: Stage, slot: usize) {
        loop {
            let identity = self.launch(&stage, slot);
            let death = stage.handle.death_of(identity.owner);
            // The executor reports every death.
            let _ = death.await;
            stage.tell(format!("{} dies", identity.name()));
            stage.journal().bury(identity.owner);
            self.lock()[slot] = None;
            stage.handle.sleep(stage.dice.millis(10, 60_000)).await;
        }
    }

    fn launch(&self, stage: &Stage, slot: usize) -> Identity {
        let dice = &stage.dice;
        let owner = stage.journal().next_owner();
        let range = stage.scenario.skew_ms;
        let behind = range.min(Scenario::BEHIND_MS_MAX);
        let skew_ms = i64::try_from(dice.between(0, behind + range)).expect("small")
            - i64::try_from(behind).expect("small");
        let identity = Identity { owner, slot, skew: TimeDelta::milliseconds(skew_ms) };
        stage.tell(format!("{} starts, its clock {skew_ms} ms ahead", identity.name()));
        if !stage.is_calm() && dice.chance(stage.scenario.mortality) {
            let steps = dice.between(1, dice.pick(&[20, 200, 2_000]));
            stage.handle.kill_after(owner, steps);
        }
        let skew = stage.scenario.begins - EPOCH + identity.skew;
        let origin = dice.millis(0, 1_000_000);
        let world = World {
            transport: Arc::new(Wire { stage: stage.clone(), from: identity.clone() }),
            clock: Arc::new(VirtualClock::new(stage.handle.clone(), skew, origin)),
            entropy: Arc::new(dice.split()),
            machine: Arc::new(()),
        };
        let app = Arc::new(App::new(stage.scenario.config(), world.clone(), Instance::new(&world)));
        self.lock()[slot] = Some((identity.clone(), router(app)));
        identity
    }

    /// Sends a request to one of the instances; none if it is down or dies, or the caller gives up.
    pub(super) async fn deliver(
        &self,
        stage: &Stage,
        request: Request<Body>,
        patience: Duration,
        outlives_caller: bool,
    ) -> Option<Answered> {
        let slot = stage.dice.below(stage.scenario.instances);
        if stage.scenario.is_forgetful && self.lock()[slot].is_some() {
            // The previous instance finishes its requests and takes no new ones.
            let fresh = self.launch(stage, slot);
            let death = stage.handle.death_of(fresh.owner);
            stage.handle.spawn(WORLD, bury(stage.clone(), fresh, death));
        }
        let (identity, router) = self.lock()[slot].clone()?;
        let (sender, receiver) = oneshot::channel();
        let (gone, hang_up) = oneshot::channel::<()>();
        let start = stage.now();
        let watched = stage.clone();
        let work = async move {
            let answered = answer(router, request).await;
            watched.journal().end_request(watched.handle.current(), &answered);
            // The caller may have hung up.
            let _ = sender.send(answered);
        };
        let work = async move {
            let work = Box::pin(work);
            // A caller that hangs up ends the request, unless the host lets it continue.
            match futures::future::select(work, hang_up).await {
                futures::future::Either::Right((_, work)) if outlives_caller => work.await,
                _ => {}
            }
        };
        let task = stage.handle.spawn(identity.owner, work);
        stage.tell(format!("{} takes request {task}", identity.name()));
        stage.journal().begin_request(task, identity.owner);
        stage.handle.spawn(WORLD, watch_deadline(stage.clone(), identity.clone(), task, start));
        let answered = match futures::future::select(receiver, stage.handle.sleep(patience)).await {
            futures::future::Either::Left((answered, _)) => answered.ok(),
            futures::future::Either::Right(_) => None,
        };
        drop(gone);
        if answered.is_none() && !outlives_caller {
            stage.journal().abandon_request(task);
        }
        answered
    }
}

/// Records the death of an instance that is not restarted.
async fn bury(stage: Stage, identity: Identity, death: oneshot::Receiver<()>) {
    // The executor reports every death.
    let _ = death.await;
    stage.tell(format!("{} dies", identity.name()));
    stage.journal().bury(identity.owner);
}

async fn answer(router: Router, request: Request<Body>) -> Answered {
    let response = router.oneshot(request).await.unwrap_or_else(|never| match never {});
    let status = response.status();
    let bytes = response.into_body().collect().await.expect("the router's bodies do not fail").to_bytes();
    Answered { status, body: serde_json::from_slice(&bytes).unwrap_or_default() }
}

/// Accuses a living instance that has not answered by its own deadline.
async fn watch_deadline(stage: Stage, identity: Identity, task: u64, start: Duration) {
    let deadline = stage.scenario.config().run.deadline;
    stage.handle.sleep(deadline + DEADLINE_SLACK).await;
    if !stage.handle.is_dead(identity.owner) && stage.journal().is_open(task) {
        let waited = stage.now().saturating_sub(start);
        stage.accuse(format!("{} has not answered request {task} within {waited:?}", identity.name()));
    }
}
