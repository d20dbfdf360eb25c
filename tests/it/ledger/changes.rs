//! What a run writes of what is stored already, what is kept of what it changes, and what was known when.

use chrono::{DateTime, TimeDelta, Utc};
use orchestrator::engine::records::Form;
use orchestrator::firestore::{DocumentPath, Value};
use orchestrator::run::Trigger;
use serde_json::{Value as Json, json};

use super::world::{LEASE, Way, World, play, reported, tick_at, usual};
use crate::world::clock::civil;

const PRICES: &str = "prices_daily";
const PRICE: &str = "T00000_2026-11-20";

/// Runs a tick; returns its report and how many requests have written documents.
async fn run(world: &World, app: &orchestrator::app::App, trigger: Trigger) -> (Json, usize) {
    let before = world.asked("batchWrite");
    let (_, report, status) = reported(app.engine.run(trigger).await);
    assert_eq!(status, 200, "{report:#}");
    (report["data"].clone(), world.asked("batchWrite") - before)
}

fn counts(data: &Json) -> [u64; 3] {
    ["records_stored", "records_unchanged", "records_revised"]
        .map(|name| data[name].as_u64().expect("a number"))
}

fn close(form: Option<&Form>) -> Option<f64> {
    match form?.fields.get("close")? {
        Value::Double(close) => Some(*close),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_says_nothing_new_is_not_written_and_what_changes_is_kept() {
    play(usual, |world| async move {
        let app = world.instance(TimeDelta::zero());
        world.seed(&app, 40);
        let now = |world: &World| -> DateTime<Utc> { civil(world.handle.now()) };
        let (first, _) = run(&world, &app, tick_at(&app, "2026-11-23T12:00:00Z")).await;
        assert_eq!((counts(&first), &first["tickers_unchanged"]), ([40, 0, 0], &json!(0)));
        let known_first = now(&world);
        let (second, requests) = run(&world, &app, tick_at(&app, "2026-11-23T12:01:00Z")).await;
        assert_eq!((counts(&second), &second["tickers_unchanged"]), ([0, 40, 0], &json!(40)));
        assert_eq!(requests, 1, "the raw log");

        world.restate(Some(1.5));
        let (third, _) = run(&world, &app, tick_at(&app, "2026-11-23T12:02:00Z")).await;
        assert_eq!((counts(&third), &third["tickers_unchanged"]), ([40, 0, 40], &json!(0)));
        let known_third = now(&world);
        world.restate(None);
        run(&world, &app, tick_at(&app, "2026-11-23T12:03:00Z")).await;
        let history = app.engine.history(PRICES, PRICE).await.expect("answered");
        let known = [known_first, known_third, now(&world)].map(|time| close(history.at(time)));
        assert_eq!(known, [Some(1.0), Some(1.5), Some(1.0)], "{history:#?}");
        let ends: Vec<_> = history.revisions.iter().filter_map(|form| form.end.clone()).collect();
        assert_eq!(ends.iter().map(|end| end.number).collect::<Vec<_>>(), [0, 1]);
        assert_eq!(ends[0].changed, ["close"]);
        assert_eq!(ends[0].superseded_by_run, third["run_id"].as_str().expect("an id"));
    });
}

#[test]
fn a_forced_run_writes_what_says_nothing_new_and_keeps_what_changes() {
    play(usual, |world| async move {
        let app = world.instance(TimeDelta::zero());
        world.seed(&app, 3);
        run(&world, &app, tick_at(&app, "2026-11-23T12:00:00Z")).await;
        let forced = |time| Trigger { force: true, ..tick_at(&app, time) };
        let (same, _) = run(&world, &app, forced("2026-11-23T12:01:00Z")).await;
        assert_eq!(counts(&same), [3, 0, 0]);
        world.restate(Some(2.0));
        let (changed, _) = run(&world, &app, forced("2026-11-23T12:02:00Z")).await;
        assert_eq!(counts(&changed), [3, 0, 3]);
        let (after, _) = run(&world, &app, forced("2026-11-23T12:03:00Z")).await;
        assert_eq!(counts(&after), [3, 0, 0]);
        let history = app.engine.history(PRICES, PRICE).await.expect("answered");
        assert_eq!((history.revisions.len(), close(history.current.as_ref())), (1, Some(2.0)));
    });
}

#[test]
fn a_record_that_somebody_has_deleted_comes_back() {
    play(usual, |world| async move {
        let app = world.instance(TimeDelta::zero());
        world.seed(&app, 3);
        run(&world, &app, tick_at(&app, "2026-11-23T12:00:00Z")).await;
        world.delete(&app, &DocumentPath::new(PRICES, PRICE));
        let (again, _) = run(&world, &app, tick_at(&app, "2026-11-23T12:01:00Z")).await;
        assert_eq!(counts(&again), [1, 2, 0]);
    });
}

#[test]
fn records_of_the_system_before_are_compared_by_their_fields() {
    play(usual, |world| async move {
        let app = world.instance(TimeDelta::zero());
        world.seed(&app, 2);
        run(&world, &app, tick_at(&app, "2026-11-23T12:00:00Z")).await;
        for ticker in ["T00000", "T00001"] {
            let path = DocumentPath::new(PRICES, &format!("{ticker}_2026-11-20"));
            let mut old = app.engine.firestore.get(&path).await.expect("answered").expect("there").fields;
            old.remove("content_hash");
            if ticker == "T00001" {
                old.insert("close".to_owned(), Value::Integer(7));
            }
            world.store(&app, &orchestrator::firestore::Write::overwrite(path, old));
        }
        let (again, _) = run(&world, &app, tick_at(&app, "2026-11-23T12:01:00Z")).await;
        assert_eq!(counts(&again), [1, 1, 1]);
        let history = app.engine.history(PRICES, "T00001_2026-11-20").await.expect("answered");
        assert_eq!(history.revisions[0].fields.get("close"), Some(&Value::Integer(7)));
    });
}

/// A write whose answer was lost is found to be done, and counts once.
#[test]
fn a_write_that_was_made_unnoticed_counts_as_ones_own() {
    let lost = |method: &str, number| match (method, number) {
        ("batchWrite", 0..=2) => Way::Lost,
        _ => Way::Usual,
    };
    play(lost, |world| async move {
        let app = world.instance(TimeDelta::zero());
        world.seed(&app, 20);
        let (data, _) = run(&world, &app, tick_at(&app, "2026-11-23T12:00:00Z")).await;
        assert_eq!(counts(&data), [20, 0, 0]);
        assert!(app.engine.history(PRICES, PRICE).await.expect("answered").revisions.is_empty());
    });
}

/// An instance dies at any step of a run that changes records: in the end each has changed once, and what it said is kept
/// once.
#[test]
fn a_run_that_dies_at_any_step_keeps_what_was_known() {
    const DOOMED: u32 = 99;
    for step in 1..160 {
        play(usual, move |world| async move {
            let app = world.instance(TimeDelta::zero());
            world.seed(&app, 3);
            run(&world, &app, tick_at(&app, "2026-11-23T12:00:00Z")).await;
            world.restate(Some(1.5));
            let doomed = world.instance(TimeDelta::seconds(1));
            world.handle.kill_after(DOOMED, step);
            let again = tick_at(&app, "2026-11-23T12:01:00Z");
            let same = again.clone();
            world.handle.spawn(DOOMED, async move { drop(doomed.engine.run(again).await) });
            world.handle.sleep(2 * LEASE).await;
            let (_, report, status) = reported(app.engine.run(same).await);
            assert_eq!(
                (status, &report["data"]["records_revised"]),
                (200, &json!(3)),
                "step {step}: {report:#}"
            );
            let history = app.engine.history(PRICES, PRICE).await.expect("answered");
            let known: Vec<_> = history.revisions.iter().map(|form| close(Some(form))).collect();
            assert_eq!((known, close(history.current.as_ref())), (vec![Some(1.0)], Some(1.5)), "step {step}");
        });
    }
}
