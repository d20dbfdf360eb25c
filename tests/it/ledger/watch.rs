//! The watch beside other instances: what it leaves to them, and what it closes because nobody else would.

use std::time::Duration;

use chrono::TimeDelta;
use futures::future::join;
use orchestrator::app::App;
use orchestrator::engine::watch::WatchedRuns;
use orchestrator::ledger::Claim;
use orchestrator::ledger::orders::{Action, Order};
use orchestrator::ledger::pauses::{Pause, Window};
use orchestrator::ledger::statistics::JobTotals;
use orchestrator::run::{RunState, Status, Work};
use serde_json::json;

use super::world::{JOB, Way, alone, play, reported, tick, tick_at, usual};

const TICK: &str = "tiingo-daily-prices_2026-11-23T12:00:00Z";
const MINUTE: Duration = Duration::from_secs(60);
/// From the world's beginning, 13:00 in New York, beyond the job's next tick at 18:00.
const AFTER_THE_NEXT_TICK: Duration = Duration::from_secs(5 * 3_600 + 60);

async fn watch(app: &App) -> WatchedRuns {
    app.engine.watch(app.engine.world.clock.instant()).await.expect("Firestore answers")
}

/// Leaves a tick's run with some tickers pending, as if its instance had died.
async fn leave_behind(app: &App, state: RunState) {
    let claim = app.engine.ledger.claim(state, &alone).await.expect("Firestore answers");
    assert!(matches!(claim, Claim::Owned(_)), "{claim:?}");
}

fn with_pending(mut state: RunState, tickers: &[&str]) -> RunState {
    let endpoint = orchestrator::catalogue::find(JOB).expect("a job").endpoints[0].path;
    let parse = |ticker: &&str| orchestrator::catalogue::Ticker::parse(ticker).expect("a ticker");
    state.plan(vec![Work::new(endpoint, tickers.iter().map(parse).collect())], tickers.len());
    state
}

#[test]
fn a_run_whose_owner_is_alive_is_left_to_it() {
    let slow = |method: &str, _: usize| if method == "call" { Way::Slow(3 * MINUTE) } else { Way::Usual };
    play(slow, |world| async move {
        let (owner, other) = (world.instance(TimeDelta::zero()), world.instance(TimeDelta::seconds(9)));
        world.seed(&owner, 3);
        let start = world.handle.now();
        let watches = async {
            world.until(start + 2 * MINUTE).await;
            watch(&other).await
        };
        let (answer, watched) = join(owner.engine.run(tick(&owner)), watches).await;
        let (kind, report, status) = reported(answer);
        assert_eq!((kind, status, &report["data"]["attempt"]), ("ended", 200, &json!(1)), "{report:#}");
        assert_eq!((watched, world.asked("call")), (WatchedRuns::default(), 1));
    });
}

#[test]
fn a_run_that_a_later_tick_has_replaced_is_closed() {
    play(usual, |world| async move {
        let app = world.instance(TimeDelta::zero());
        world.seed(&app, 3);
        let state = tick(&app).into_state(app.engine.world.clock.now());
        leave_behind(&app, with_pending(state, &["T00000", "T00002"])).await;
        world.until(AFTER_THE_NEXT_TICK).await;

        let watched = watch(&app).await;
        let [closed] = watched.resumed.as_slice() else { panic!("{watched:?}") };
        let message = "0 of 2 tickers processed, 0 records stored; 2 tickers are left for the next attempt: the run is \
                       given up: its instance has died, and a later tick of the job requests the same";
        assert_eq!((&*closed.run_id, &*closed.message, world.asked("call")), (TICK, message, 0));
        let state = app.engine.ledger.get(TICK).await.expect("Firestore answers").expect("a run");
        assert_eq!((state.status, state.tickers_pending()), (Status::Failed, 2));
        assert!(state.attempt.ended_at.is_some());
        let path = app.engine.ledger.statistics(JOB);
        let stored = app.engine.firestore.get(&path).await.expect("Firestore answers").expect("there");
        let totals = JobTotals::from_document(&stored).statistics;
        assert_eq!((totals.jobs_processed, totals.jobs_failed), (1, 1));

        assert_eq!(watch(&app).await, WatchedRuns::default(), "once");
    });
}

#[test]
fn what_a_ticks_run_has_still_to_request_is_not_healed() {
    play(usual, |world| async move {
        let heals = |name: &str| (name == "heal_sessions").then_some("1");
        let app = world.instance_with(TimeDelta::zero(), heals);
        world.seed(&app, 3);
        world.publish("2026-11-23");
        // At midnight in New York the session's holes are filled; the run of its tick has an owner.
        world.until(Duration::from_secs(11 * 3_600)).await;
        let state = tick_at(&app, "2026-11-23T23:00:00Z").into_state(app.engine.world.clock.now());
        leave_behind(&app, with_pending(state, &["T00001"])).await;

        let watched = watch(&app).await;
        let healed = watched.healed.iter().find(|run| run.job == JOB).expect("a run");
        let state = app.engine.ledger.get(&healed.run_id).await.expect("Firestore answers").expect("a run");
        let mut names: Vec<_> =
            state.units().filter_map(|unit| Some(unit.ticker?.as_str().to_owned())).collect();
        names.sort_unstable();
        assert_eq!(names, ["T00000", "T00002"]);
    });
}

#[test]
fn a_paused_job_is_not_healed() {
    play(usual, |world| async move {
        let heals = |name: &str| (name == "heal_sessions").then_some("1");
        let app = world.instance_with(TimeDelta::zero(), heals);
        world.seed(&app, 3);
        world.publish("2026-11-23");
        world.until(Duration::from_secs(11 * 3_600)).await;
        let order = Order {
            what: Action::Pause,
            subject: JOB.to_owned(),
            who: "ann@example.com".to_owned(),
            why: Some("key expired".to_owned()),
            details: None,
        };
        let window = Window { since: app.engine.world.clock.now(), until: None };
        let pause =
            Pause { window, by: order.who.clone(), reason: "key expired".to_owned(), earlier: Vec::new() };
        let ledger = &app.engine.ledger;
        ledger.pause(JOB, &pause, &ledger.order(&order)).await.expect("Firestore answers");
        let is_healed = |watched: &WatchedRuns| watched.healed.iter().any(|run| run.job == JOB);
        assert!(!is_healed(&watch(&app).await));

        world.handle.sleep(MINUTE).await;
        let now = app.engine.world.clock.now();
        ledger.unpause(JOB, now, &ledger.order(&order)).await.expect("Firestore answers");
        world.handle.sleep(MINUTE).await;
        assert!(is_healed(&watch(&app).await), "as soon as it goes on");
    });
}
