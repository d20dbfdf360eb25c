//! Runs that an operator stops: on any instance, whoever is working on them, and whatever answer is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use chrono::TimeDelta;
use futures::future::join;
use orchestrator::app::App;
use orchestrator::engine::orders::{Fate, Selection, Stopped};
use orchestrator::ledger::LOOK_INTERVAL;
use orchestrator::ledger::orders::{Action, Order};
use orchestrator::ledger::statistics::JobTotals;
use orchestrator::run::Status;
use serde_json::{Value as Json, json};

use super::world::{JOB, LEASE, Way, World, alone, by_hand, play, reported, tick, usual};

const TICK: &str = "tiingo-daily-prices_2026-11-23T12:00:00Z";
const SECOND: Duration = Duration::from_secs(1);

fn order(subject: &str) -> Order {
    Order {
        what: Action::Cancel,
        subject: subject.to_owned(),
        who: "ann@example.com".to_owned(),
        why: Some("wrong key".to_owned()),
        details: None,
    }
}

/// What the one who cancels is told: the kind and the run's message.
async fn cancel(app: &App, run_id: &str) -> (&'static str, String) {
    match app.engine.cancel(run_id, &order(run_id)).await.expect("Firestore answers") {
        None => ("unknown", String::new()),
        Some(Stopped::Cancelled(report)) => ("cancelled", report.message),
        Some(Stopped::Asked(report)) => ("asked", report.message),
        Some(Stopped::Ended(report)) => ("ended", report.message),
    }
}

async fn totals(app: &App) -> JobTotals {
    let path = app.engine.ledger.statistics(JOB);
    let stored = app.engine.firestore.get(&path).await.expect("Firestore answers").expect("there");
    JobTotals::from_document(&stored)
}

async fn run(app: &App) -> (&'static str, Json) {
    let (kind, report, status) = reported(app.engine.run(tick(app)).await);
    assert_eq!(status, 200, "{report:#}");
    (kind, report)
}

fn two(world: &World) -> (Arc<App>, Arc<App>) {
    let (owner, other) = (world.instance(TimeDelta::zero()), world.instance(TimeDelta::seconds(9)));
    world.seed(&owner, 3);
    (owner, other)
}

/// The first call never ends.
fn hangs(method: &str, asked: usize) -> Way {
    if (method, asked) == ("call", 0) { Way::Never } else { Way::Usual }
}

#[test]
fn the_owner_stops_within_two_seconds_while_it_waits_for_the_provider() {
    // Between two looks, and while a checkpoint may be on its way.
    for after in [10_000, 10_400, 11_000, 20_010] {
        play(hangs, move |world| async move {
            let (owner, other) = two(&world);
            let start = world.handle.now();
            let stops = async {
                world.until(start + Duration::from_millis(after)).await;
                let asked_at = world.handle.now();
                (cancel(&other, TICK).await, asked_at)
            };
            let owns = async { (run(&owner).await, world.handle.now()) };
            let (((kind, report), ended_at), ((told, message), asked_at)) = join(owns, stops).await;
            let took = ended_at.saturating_sub(asked_at);
            assert!(took <= 2 * SECOND, "{took:?}");
            assert_eq!((kind, &report["status"]), ("ended", &json!("cancelled")));
            assert_eq!((told, &json!(message)), ("cancelled", &report["message"]));
            assert_eq!(report["data"]["cancelled"]["reason"], "wrong key");
            assert_eq!(report["data"]["tickers_pending"], 3);

            // The scheduler does not come again; if it does, it is told the same, and nobody is called.
            let (kind, again) = run(&other).await;
            assert_eq!((kind, &again["status"], world.asked("call")), ("finished", &json!("cancelled"), 1));
            let totals = totals(&owner).await;
            let JobTotals { statistics, attempts, .. } = &totals;
            let counts = (statistics.jobs_processed, statistics.jobs_failed, statistics.jobs_cancelled);
            assert_eq!((counts, attempts["cancelled"]), ((1, 0, 1), 1));
            let orders = other.engine.ledger.orders(10).await.expect("Firestore answers");
            let [given] = orders.as_slice() else { panic!("{orders:?}") };
            assert_eq!(
                (&*given.what, &*given.who, given.why.as_deref()),
                ("cancel", "ann@example.com", Some("wrong key"))
            );

            let (kind, report, _) = reported(other.engine.resume(TICK, None).await.expect("known"));
            assert_eq!((kind, &report["status"], world.asked("call")), ("ended", &json!("ok"), 2));
            assert_eq!(
                (&report["data"]["tickers_processed"], &report["data"]["cancelled"]),
                (&json!(3), &Json::Null)
            );
        });
    }
}

#[test]
fn a_run_that_still_reads_its_tickers_stops_too() {
    let slow = |method: &str, _: usize| match method {
        "runQuery" => Way::Slow(30 * SECOND),
        _ => Way::Usual,
    };
    play(slow, |world| async move {
        let (owner, other) = two(&world);
        let start = world.handle.now();
        let stops = async {
            world.until(start + 5 * SECOND).await;
            cancel(&other, TICK).await
        };
        let owns = async { (run(&owner).await, world.handle.now()) };
        let (((_, report), ended_at), (told, _)) = join(owns, stops).await;
        assert!(ended_at <= start + 7 * SECOND, "{ended_at:?}");
        assert_eq!((told, &report["status"], world.asked("call")), ("cancelled", &json!("cancelled"), 0));
        assert_eq!(report["message"], "cancelled by ann@example.com: wrong key; it had not started");
    });
}

#[test]
fn whatever_answer_is_lost_the_run_is_cancelled_once() {
    for lost in 0..12 {
        let script = move |method: &str, asked| match method {
            "call" if asked == 0 => Way::Never,
            "commit" if asked == lost => Way::Lost,
            _ => Way::Usual,
        };
        play(script, move |world| async move {
            let (owner, other) = two(&world);
            let start = world.handle.now();
            let stops = async {
                world.until(start + 10 * SECOND).await;
                cancel(&other, TICK).await
            };
            let owns = async { run(&owner).await };
            let ((_, report), (told, _)) = join(owns, stops).await;
            assert_eq!((told, &report["status"]), ("cancelled", &json!("cancelled")), "lost: {lost}");
            assert_eq!(totals(&owner).await.statistics.jobs_cancelled, 1, "lost: {lost}");
            let orders = other.engine.ledger.orders(10).await.expect("Firestore answers");
            assert_eq!(orders.len(), 1, "lost: {lost}: {orders:?}");
        });
    }
}

#[test]
fn an_order_that_comes_when_everything_is_done_changes_nothing() {
    let slow = |method: &str, _: usize| match method {
        "call" => Way::Slow(SECOND),
        _ => Way::Usual,
    };
    play(slow, |world| async move {
        let (owner, other) = two(&world);
        let start = world.handle.now();
        let stops = async {
            world.until(start + Duration::from_millis(900)).await;
            cancel(&other, TICK).await
        };
        let ((_, report), (told, message)) = join(run(&owner), stops).await;
        assert_eq!((&report["status"], told), (&json!("ok"), "ended"));
        assert_eq!(message, "3 of 3 tickers processed, 3 records stored");
        assert_eq!(cancel(&other, TICK).await.0, "ended");
        assert_eq!(cancel(&other, "no-such-run").await.0, "unknown");
    });
}

/// The run ends between the look at its entry and the order.
#[test]
fn an_order_that_is_overtaken_by_the_end_changes_nothing() {
    let is_late = Arc::new(AtomicBool::new(false));
    let late = is_late.clone();
    let script = move |method: &str, _: usize| match method {
        "call" => Way::Slow(5 * SECOND),
        "batchGet" if late.swap(false, Relaxed) => Way::Slow(10 * SECOND),
        _ => Way::Usual,
    };
    play(script, |world| async move {
        let (owner, other) = two(&world);
        let start = world.handle.now();
        let stops = async {
            // Between two looks of the owner.
            world.until(start + 2 * LOOK_INTERVAL + SECOND / 5).await;
            is_late.store(true, Relaxed);
            cancel(&other, TICK).await
        };
        let ((_, report), (told, message)) = join(run(&owner), stops).await;
        assert_eq!((&report["status"], told), (&json!("ok"), "ended"), "{message}");
        let state = other.engine.ledger.get(TICK).await.expect("Firestore answers").expect("a run");
        assert_eq!((state.status, state.cancelled), (Status::Succeeded, None));
        assert_eq!(other.engine.ledger.orders(10).await.expect("Firestore answers").len(), 0);
    });
}

#[test]
fn a_run_that_nobody_works_on_is_cancelled_at_once() {
    play(usual, |world| async move {
        let patient = |name: &str| (name == "publish_patience_minutes").then_some("1440");
        let app = world.instance_with(TimeDelta::zero(), patient);
        let (_, other) = two(&world);
        // It waits for its data: the scheduler would come again.
        world.publish("2026-11-19");
        let (_, waiting, status) = reported(app.engine.run(tick(&app)).await);
        assert_eq!((status, &waiting["data"]["run_status"]), (503, &json!("failed")), "{waiting:#}");
        assert_eq!(cancel(&other, TICK).await.0, "cancelled");
        let (kind, report) = run(&app).await;
        assert_eq!(
            (kind, &report["status"], &report["data"]["waits_until"]),
            ("finished", &json!("cancelled"), &Json::Null)
        );
        let totals = totals(&app).await;
        assert_eq!((totals.statistics.jobs_failed, totals.statistics.jobs_cancelled), (0, 1));
        assert!(!totals.attempts.contains_key("cancelled"), "nobody has worked on it");

        world.publish("2026-11-20");
        let (_, report, _) = reported(app.engine.resume(TICK, None).await.expect("known"));
        assert_eq!(report["data"]["tickers_processed"], 3);
    });
}

#[test]
fn a_run_whose_owner_has_died_is_cancelled_when_its_lease_is_over() {
    play(usual, |world| async move {
        let (dead, other) = two(&world);
        let state = tick(&dead).into_state(dead.engine.world.clock.now());
        let claim = dead.engine.ledger.claim(state, &alone).await;
        assert!(claim.is_ok());
        let start = world.handle.now();
        let (told, message) = cancel(&other, TICK).await;
        assert_eq!((told, &*message), ("asked", "being cancelled: resolving tickers"));
        let (kind, _, status) = reported(other.engine.run(tick(&other)).await);
        assert_eq!((kind, status), ("running", 503), "it may still be alive");
        // The order is a change of the entry: the lease counts from it.
        world.until(start + LEASE + SECOND).await;
        let (kind, report) = run(&other).await;
        assert_eq!((kind, &report["status"], world.asked("call")), ("finished", &json!("cancelled"), 0));
        assert_eq!(totals(&other).await.statistics.jobs_cancelled, 1);
    });
}

#[test]
fn runs_are_resumed_together_the_oldest_first_and_a_dry_run_resumes_none() {
    play(usual, |world| async move {
        let app = world.instance(TimeDelta::zero());
        world.seed(&app, 3);
        world.unknown(&["T00000", "T00001", "T00002"]);
        let mut ids = Vec::new();
        for _ in 0..3 {
            let (_, report, status) = reported(app.engine.run(by_hand(&app)).await);
            assert_eq!(status, 502, "{report:#}");
            ids.push(report["data"]["run_id"].as_str().expect("an id").to_owned());
            world.handle.sleep(SECOND).await;
        }
        let selection =
            Selection { job: Some(JOB), status: Status::Failed, from: None, until: None, limit: 2 };
        let calls = world.asked("call");
        let (matched, runs) =
            app.engine.resumable(&selection).await.expect("Firestore answers").expect("few");
        let oldest: Vec<_> = runs.iter().map(|run| (run.run_id.clone(), run.outcome)).collect();
        let would = |at: usize| (ids[at].clone(), Fate::WouldBeResumed);
        assert_eq!((matched, oldest, world.asked("call")), (3, vec![would(0), would(1)], calls));

        world.unknown(&["T00001"]);
        let resumed = app.engine.resume_all(runs.clone(), app.engine.world.clock.instant()).await;
        let told: Vec<_> = resumed.iter().map(|run| (run.outcome, run.run_status)).collect();
        assert_eq!(told, [(Fate::Resumed, Status::Partial); 2]);
        let (matched, _) = app.engine.resumable(&selection).await.expect("Firestore answers").expect("few");
        assert_eq!(matched, 1);

        // A request without time left starts nothing.
        let late = app.engine.world.clock.instant();
        world.handle.sleep(Duration::from_secs(240)).await;
        let calls = world.asked("call");
        let left = app.engine.resume_all(runs, late).await;
        assert!(left.iter().all(|run| run.outcome == Fate::NotReached) && world.asked("call") == calls);
    });
}
