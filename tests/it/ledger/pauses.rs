//! Jobs that an operator pauses: their ticks are skipped, nothing else is.

use std::time::Duration;

use chrono::TimeDelta;
use orchestrator::app::App;
use orchestrator::ledger::orders::{Action, Order};
use orchestrator::ledger::pauses::{Pause, Window};
use orchestrator::ledger::statistics::{JobStatistics, JobTotals};
use orchestrator::ops::status::StatusReport;
use orchestrator::run::Trigger;
use serde_json::{Value as Json, json};

use super::world::{JOB, Way, World, by_hand, play, reported, tick, tick_at, usual};

const LATER: &str = "2026-11-23T12:30:00Z";

fn order(what: Action) -> Order {
    Order {
        what,
        subject: JOB.into(),
        who: "ann@example.com".into(),
        why: Some("key expired".into()),
        details: None,
    }
}

async fn pause(app: &App, length: Option<TimeDelta>) {
    let since = app.engine.world.clock.now();
    let window = Window { since, until: length.map(|length| since + length) };
    let pause =
        Pause { window, by: "ann@example.com".into(), reason: "key expired".into(), earlier: Vec::new() };
    let ledger = &app.engine.ledger;
    ledger.pause(JOB, &pause, &ledger.order(&order(Action::Pause))).await.expect("Firestore answers");
}

/// Whether it was paused.
async fn unpause(app: &App) -> bool {
    let (ledger, now) = (&app.engine.ledger, app.engine.world.clock.now());
    let ended = ledger.unpause(JOB, now, &ledger.order(&order(Action::Unpause))).await;
    ended.expect("Firestore answers").is_some()
}

async fn run(app: &App, time: &'static str) -> (&'static str, Json) {
    let (kind, report, status) = reported(app.engine.run(tick_at(app, time)).await);
    assert_eq!(status, 200, "{report:#}");
    (kind, report["data"].clone())
}

async fn totals(app: &App) -> JobTotals {
    let path = app.engine.ledger.statistics(JOB);
    let stored = app.engine.firestore.get(&path).await.expect("Firestore answers").expect("there");
    JobTotals::from_document(&stored)
}

fn app(world: &World) -> std::sync::Arc<App> {
    let app = world.instance(TimeDelta::zero());
    world.seed(&app, 3);
    app
}

const TICK: &str = "2026-11-23T12:00:00Z";

#[test]
fn a_tick_of_a_paused_job_is_skipped_once_and_for_all() {
    for lost in 0..6 {
        let loses = move |method: &str, asked| match method {
            "commit" if asked == lost => Way::Lost,
            _ => Way::Usual,
        };
        play(loses, |world| async move {
            let app = app(&world);
            pause(&app, None).await;
            let (kind, first) = run(&app, TICK).await;
            assert_eq!((kind, &first["run_status"]), ("ended", &json!("skipped")));
            assert_eq!(first["skipped"], "paused by ann@example.com: key expired");
            assert!(unpause(&app).await);
            let (kind, again) = run(&app, TICK).await;
            assert_eq!((kind, &again["skipped"]), ("finished", &first["skipped"]));
            assert_eq!(world.asked("call"), 0);
            let totals = totals(&app).await;
            assert_eq!((totals.ticks_skipped, totals.statistics), (1, JobStatistics::default()));
            assert!(totals.attempts.is_empty());
            let orders = app.engine.ledger.orders(10).await.expect("Firestore answers");
            let told: Vec<_> = orders.iter().map(|order| &*order.what).collect();
            assert_eq!(told, ["unpause", "pause"]);
        });
    }
}

#[test]
fn a_pause_ends_by_itself_or_by_an_order() {
    play(usual, |world| async move {
        let app = app(&world);
        pause(&app, Some(TimeDelta::minutes(10))).await;
        let until = "paused by ann@example.com until ";
        assert!(run(&app, TICK).await.1["skipped"].as_str().expect("a reason").starts_with(until));
        world.handle.sleep(Duration::from_mins(10)).await;
        assert_eq!(run(&app, LATER).await.1["run_status"], "succeeded");
        assert!(!unpause(&app).await, "it is over");
    });
}

#[test]
fn manual_runs_and_runs_that_are_resumed_are_not_held_up() {
    play(usual, |world| async move {
        let app = app(&world);
        pause(&app, None).await;
        let (_, manual, status) = reported(app.engine.run(by_hand(&app)).await);
        assert_eq!((status, &manual["data"]["run_status"]), (200, &json!("succeeded")));
        let (_, skipped) = run(&app, TICK).await;
        let id = skipped["run_id"].as_str().expect("an id");
        let (_, resumed, _) = reported(app.engine.resume(id, None).await.expect("known"));
        assert_eq!(resumed["data"]["run_status"], "succeeded", "{resumed:#}");
        assert_eq!(totals(&app).await.ticks_skipped, 1);
    });
}

#[test]
fn a_run_that_was_begun_before_the_pause_is_finished() {
    play(usual, |world| async move {
        let patient = |name: &str| (name == "publish_patience_minutes").then_some("1440");
        let app = world.instance_with(TimeDelta::zero(), patient);
        world.seed(&app, 3);
        world.publish("2026-11-19");
        let (_, waiting, status) = reported(app.engine.run(tick(&app)).await);
        assert_eq!(status, 503, "{waiting:#}");
        pause(&app, None).await;
        world.publish("2026-11-20");
        world.handle.sleep(Duration::from_mins(15)).await;
        assert_eq!(run(&app, TICK).await.1["run_status"], "succeeded");
    });
}

#[test]
fn without_firestores_answer_nobody_is_called() {
    // The pause is among the documents that are read after the claim.
    let unreadable = |method: &str, _: usize| if method == "batchGet" { Way::Never } else { Way::Usual };
    play(unreadable, |world| async move {
        let app = app(&world);
        let (_, report, status) = reported(app.engine.run(tick(&app)).await);
        assert_eq!((status, world.asked("call")), (503, 0), "{report:#}");
    });
}

#[test]
fn a_tick_that_is_not_paused_takes_no_longer_for_it() {
    play(usual, |world| async move {
        let app = app(&world);
        let mut took = Vec::new();
        for trigger in [by_hand(&app), tick(&app)] {
            // Otherwise the second one would have nothing to write.
            let trigger = Trigger { force: true, ..trigger };
            let (start, reads) = (world.handle.now(), world.asked("batchGet"));
            reported(app.engine.run(trigger).await);
            took.push((world.handle.now().saturating_sub(start), world.asked("batchGet") - reads));
        }
        let [(by_hand, reads), (by_tick, reads_of_tick)] = took[..] else { panic!("two") };
        assert_eq!((by_tick, reads_of_tick), (by_hand, reads + 1));
    });
}

#[test]
fn the_status_shows_the_pause_and_expects_no_run() {
    play(usual, |world| async move {
        let app = app(&world);
        reported(app.engine.run(by_hand(&app)).await);
        pause(&app, Some(TimeDelta::days(2))).await;
        world.handle.sleep(Duration::from_hours(25)).await;
        let status = StatusReport::of(&app.ops).await;
        let job = status.jobs.iter().find(|status| status.job == JOB).expect("a job");
        let paused = job.paused.as_ref().expect("it is paused");
        assert_eq!((&*paused.by, &*paused.reason, job.overdue), ("ann@example.com", "key expired", false));
        assert!(job.next_run_time > paused.until, "{:?}", job.next_run_time);
        let alerts: Vec<_> = status.alerts.iter().filter(|alert| alert.job == Some(JOB)).collect();
        let names: Vec<_> = alerts.iter().map(|alert| alert.alert).collect();
        assert_eq!(names, ["JobPaused"]);
        unpause(&app).await;
        app.ops.forget();
        let status = StatusReport::of(&app.ops).await;
        let job = status.jobs.iter().find(|status| status.job == JOB).expect("a job");
        assert!(job.paused.is_none() && !job.overdue, "the ticks that it missed were not to be run");
    });
}
