//! Runs one seed, from its start to the last check.

use futures::future::{join_all, join3};
use serde_json::json;
use sim::firestore::to_typed;

use super::instance::Slots;
use super::scenario::Scenario;
use super::stage::Stage;
use super::{alarms, invariants, operators, scheduler};
use crate::world::dice::Dice;
use crate::world::executor::Executor;

/// The outcome of a seed.
pub(super) struct Outcome {
    pub(super) seed: u64,
    pub(super) story: Vec<String>,
    pub(super) violations: Vec<String>,
}

/// Runs a seed.
pub(super) fn seed(seed: u64) -> Outcome {
    whole(seed, Scenario::draw).0
}

/// Runs a scenario; also returns its world.
pub(super) fn whole(seed: u64, draw: impl FnOnce(&Dice) -> Scenario) -> (Outcome, Stage) {
    let dice = Dice::new(seed);
    let scenario = draw(&dice.split());
    let mut executor = Executor::new(dice.split());
    let stage = Stage::new(executor.handle(), dice.split(), scenario);
    stage.tell(format!("{:#?}", stage.scenario));
    seed_watchlist(&stage);
    if let Err(problem) = executor.run(play(stage.clone())) {
        stage.accuse(problem);
    }
    let journal = stage.journal();
    let outcome = Outcome { seed, story: journal.story().to_vec(), violations: journal.violations.clone() };
    drop(journal);
    (outcome, stage)
}

async fn play(stage: Stage) {
    let slots = Slots::start(&stage);
    let ticks = stage.scenario.ticks.clone();
    let plays = ticks.into_iter().map(|tick| scheduler::play(stage.clone(), slots.clone(), tick));
    let alarms = alarms::play(stage.clone(), slots.clone());
    join3(join_all(plays), alarms, operators::play(stage.clone(), slots.clone())).await;
    invariants::check(&stage, &slots).await;
}

/// Writes the watchlist into the store.
fn seed_watchlist(stage: &Stage) {
    let documents = format!("{}/documents", stage.database);
    let write = |collection: &str, ticker: &String| {
        let id = orchestrator::firestore::DocumentPath::new(collection, ticker);
        let fields = json!({"symbol": to_typed(&json!(ticker)), "isActive": to_typed(&json!(true))});
        json!({"update": {"name": format!("{documents}/{id}"), "fields": fields}})
    };
    let scenario = &stage.scenario;
    let universe = scenario.tickers.iter().map(|ticker| write("react_universeSymbols", ticker));
    let active = scenario.active().map(|ticker| write("react_activeSymbols", ticker));
    let writes: Vec<_> = universe.chain(active).collect();
    let path = format!("/v1/{documents}:batchWrite");
    for some in writes.chunks(500) {
        let body = json!({"writes": some}).to_string();
        let reply = stage.store().handle(stage.civil(), &http::Method::POST, &path, body.as_bytes());
        assert!(reply.status.is_success(), "the watchlist is stored: {}", reply.body);
    }
    stage.store().take_written();
}
