//! Stored answers that are taken in once more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use futures::future::join;
use orchestrator::app::App;
use orchestrator::catalogue;
use orchestrator::engine::execute::differences::{Change, Differences};
use orchestrator::engine::orders::Stopped;
use orchestrator::engine::replay::{Recalling, Selected};
use orchestrator::firestore::{DocumentPath, Fields, Value, Write, payload};
use orchestrator::ledger::orders::{Action, Order};
use orchestrator::run::Status;
use serde_json::{Value as Json, json};

use super::world::{JOB, Way, World, play, reported, tick_at, usual};

const FIRST: &str = "tiingo-daily-prices_2026-11-23T12:00:00Z";
const SECOND: &str = "tiingo-daily-prices_2026-11-23T12:01:00Z";

fn wanted(runs: &[&str]) -> Recalling {
    let runs: Vec<_> = runs.iter().map(ToString::to_string).collect();
    Recalling { job: catalogue::find(JOB).expect("a job"), asked: runs.join(", "), runs }
}

async fn differences(app: &App, runs: &[&str]) -> Differences {
    app.engine.differences(&wanted(runs)).await.expect("Firestore answers")
}

fn order(what: Action, subject: &str) -> Order {
    let who = "ann@example.com".to_owned();
    Order { what, subject: subject.to_owned(), who, why: None, details: None }
}

/// Replays runs; the report's data.
async fn replay(app: &App, id: &str, runs: &[&str]) -> Json {
    let order = app.engine.ledger.order(&order(Action::Replay, &runs.join(", ")));
    let (_, report, status) = reported(app.engine.replay(id.to_owned(), wanted(runs), order).await);
    assert_eq!(status, 200, "{report:#}");
    report["data"].clone()
}

async fn run(app: &App, time: &'static str) {
    let (_, report, status) = reported(app.engine.run(tick_at(app, time)).await);
    assert_eq!(status, 200, "{report:#}");
}

fn price(ticker: usize) -> DocumentPath {
    DocumentPath::new("prices_daily", &format!("T{ticker:05}_2026-11-20"))
}

async fn fields(app: &App, path: &DocumentPath) -> Fields {
    app.engine.firestore.get(path).await.expect("Firestore answers").expect("there").fields
}

fn counts(data: &Json) -> [u64; 4] {
    let superseded = data["replay"]["records_superseded"].as_u64().expect("a number");
    let [stored, unchanged, revised] = ["records_stored", "records_unchanged", "records_revised"]
        .map(|name| data[name].as_u64().expect("a number"));
    [stored, revised, unchanged, superseded]
}

/// Changes the stored response of a run, as if it were read differently today.
async fn change_answer(world: &World, app: &App, run_id: &str, change: impl Fn(&str) -> String) {
    let path = DocumentPath::new("api_usage_logs", &format!("{run_id}_a1_c1"));
    let mut log = fields(app, &path).await;
    let Some(Value::Map { fields: response }) = log.get_mut("response") else { panic!("{log:?}") };
    let text = response["data"].as_str().expect("text").to_owned();
    let stored = payload::store(&path, &Bytes::from(change(&text)), &Fields::new());
    response.extend(stored.fields);
    for part in &stored.parts {
        world.store(app, part);
    }
    world.store(app, &Write::overwrite(path, log));
}

#[test]
fn what_was_deleted_comes_back_as_it_was_and_no_provider_is_called() {
    play(usual, |world| async move {
        let app = world.instance(TimeDelta::zero());
        world.seed(&app, 40);
        run(&app, "2026-11-23T12:00:00Z").await;
        let before = fields(&app, &price(7)).await;
        world.delete(&app, &price(7));
        let found = differences(&app, &[FIRST]).await;
        assert_eq!((found.new, found.changed, found.unchanged, found.answers), (1, 0, 39, 1), "{found:?}");
        assert_eq!(found.differences[0].document.as_deref(), Some("T00007_2026-11-20"));
        assert!(app.engine.firestore.get(&price(7)).await.expect("answered").is_none(), "a dry run");
        let calls = world.asked("call");
        let data = replay(&app, "again", &[FIRST]).await;
        assert_eq!((counts(&data), &data["trigger"]), ([1, 0, 39, 0], &json!("replay")));
        assert_eq!(fields(&app, &price(7)).await, before);
        assert_eq!(counts(&replay(&app, "once more", &[FIRST]).await), [0, 0, 40, 0]);
        assert_eq!(world.asked("call"), calls);
        let orders = app.engine.ledger.orders(10).await.expect("Firestore answers");
        assert_eq!(orders.iter().map(|order| order.what.as_str()).collect::<Vec<_>>(), ["replay", "replay"]);
    });
}

#[test]
fn what_comes_out_differently_is_written_and_what_was_is_kept() {
    play(usual, |world| async move {
        let app = world.instance(TimeDelta::zero());
        world.seed(&app, 12);
        run(&app, "2026-11-23T12:00:00Z").await;
        change_answer(&world, &app, FIRST, |text| text.replace(r#""close":1.0"#, r#""close":1.25"#)).await;
        let found = differences(&app, &[FIRST]).await;
        assert_eq!((found.new, found.changed, found.changed_fields["close"]), (0, 12, 12), "{found:?}");
        let first = &found.differences[0];
        let close = &first.fields["close"];
        assert_eq!(
            (first.change, &close.stored, &close.replayed),
            (Change::Changed, &json!(1.0), &json!(1.25))
        );
        assert_eq!(counts(&replay(&app, "again", &[FIRST]).await), [12, 12, 0, 0]);
        let history = app.engine.history("prices_daily", "T00003_2026-11-20").await.expect("answered");
        let end = history.revisions[0].end.as_ref().expect("replaced");
        assert_eq!((end.superseded_by_run.as_str(), history.revisions.len()), ("again", 1));
        let now = fields(&app, &price(3)).await;
        assert_eq!((now["close"].clone(), now["run_id"].as_str()), (Value::Double(1.25), Some(FIRST)));
        assert_eq!(counts(&replay(&app, "once more", &[FIRST]).await), [0, 0, 12, 0]);
    });
}

#[test]
fn what_a_later_run_wrote_stays_and_a_range_ends_with_the_latest() {
    play(usual, |world| async move {
        let app = world.instance(TimeDelta::zero());
        world.seed(&app, 5);
        run(&app, "2026-11-23T12:00:00Z").await;
        world.restate(Some(2.0));
        run(&app, "2026-11-23T12:01:00Z").await;
        let before = fields(&app, &price(1)).await;
        assert_eq!(counts(&replay(&app, "old", &[FIRST]).await), [0, 0, 0, 5]);
        assert_eq!(differences(&app, &[FIRST]).await.superseded, 5);
        assert_eq!(fields(&app, &price(1)).await, before);
        // If all was lost, the range brings back both forms and ends as it was.
        for ticker in 0..5 {
            world.delete(&app, &price(ticker));
        }
        let found = differences(&app, &[FIRST, SECOND]).await;
        assert_eq!((found.new, found.changed, found.runs), (5, 5, 2));
        let (from, until) = ("2026-11-01T00:00:00Z", "2099-01-01T00:00:00Z");
        let of = |text: &str| text.parse().expect("a time");
        let selected = app.engine.replayable(catalogue::find(JOB).expect("a job"), of(from), of(until)).await;
        let Selected::Runs(runs) = selected.expect("Firestore answers") else { panic!("too many") };
        assert_eq!(runs, [FIRST, SECOND], "oldest first, and no replays");
        assert_eq!(counts(&replay(&app, "all", &[FIRST, SECOND]).await), [10, 5, 0, 0]);
        let mut now = fields(&app, &price(1)).await;
        now.remove("content_revision");
        let mut before = before;
        before.remove("content_revision");
        assert_eq!(now, before);
    });
}

#[test]
fn an_answer_in_parts_is_put_together_and_a_broken_one_is_named() {
    play(usual, |world| async move {
        let app = world.instance(TimeDelta::zero());
        world.seed(&app, 6);
        run(&app, "2026-11-23T12:00:00Z").await;
        run(&app, "2026-11-23T12:01:00Z").await;
        for run_id in [FIRST, SECOND] {
            let long = |text: &str| format!("{text}{}", " ".repeat(payload::TEXT_BYTES_MAX));
            change_answer(&world, &app, run_id, long).await;
        }
        world.delete(&app, &price(2));
        assert_eq!(counts(&replay(&app, "whole", &[FIRST]).await), [1, 0, 5, 0]);
        let part = DocumentPath::new("api_usage_logs", &format!("{SECOND}_a1_c1")).child("parts", "0000");
        world.delete(&app, &part);
        world.delete(&app, &price(2));
        let data = replay(&app, "broken", &[FIRST, SECOND]).await;
        assert_eq!((counts(&data), &data["run_status"]), ([1, 0, 5, 0], &json!("partial")));
        assert_eq!(
            (&data["replay"]["answers"], &data["replay"]["answers_unreadable"]),
            (&json!(1), &json!(1))
        );
        let remark = format!("{SECOND}_a1_c1: part 0000 of its response is missing");
        let remarks = data["remarks"].as_array().expect("a list");
        assert!(remarks.contains(&json!(remark)), "{remarks:?}");
    });
}

/// Firestore refuses everything for a while: what is stored is not repeated, and what is left follows.
#[test]
fn a_replay_that_fails_is_resumed_where_it_was() {
    let refuses = |method: &str, number: usize| match (method, number) {
        // The live run writes three times, the raw log included.
        ("batchWrite", 4..=40) => Way::Changed(|_| json!({"status": [{"code": 7, "message": "no"}]})),
        _ => Way::Usual,
    };
    play(refuses, |world| async move {
        let app = world.instance(TimeDelta::zero());
        world.seed(&app, 3);
        run(&app, "2026-11-23T12:00:00Z").await;
        for ticker in 0..3 {
            world.delete(&app, &price(ticker));
        }
        let order = app.engine.ledger.order(&order(Action::Replay, FIRST));
        let mut answer = app.engine.replay("again".to_owned(), wanted(&[FIRST]), order).await;
        for _ in 0..60 {
            let (_, report, status) = reported(answer);
            let state = app.engine.ledger.get("again").await.expect("answered").expect("a run");
            if status == 200 {
                assert_eq!((state.status, counts(&report["data"])[0]), (Status::Succeeded, 3), "{report:#}");
                return;
            }
            assert_eq!((status, state.has_pending()), (503, true), "{report:#}");
            answer = app.engine.resume("again", None).await.expect("known");
        }
        panic!("it does not end");
    });
}

#[test]
fn a_replay_stops_when_it_is_cancelled_and_goes_on_when_it_is_resumed() {
    let is_slow = Arc::new(AtomicBool::new(false));
    let slow = is_slow.clone();
    let script = move |method: &str, _| match method {
        "batchWrite" if slow.load(Relaxed) => Way::Slow(Duration::from_secs(20)),
        _ => Way::Usual,
    };
    play(script, |world| async move {
        let (app, other) = (world.instance(TimeDelta::zero()), world.instance(TimeDelta::seconds(9)));
        world.seed(&app, 3);
        run(&app, "2026-11-23T12:00:00Z").await;
        run(&app, "2026-11-23T12:01:00Z").await;
        (0..3).for_each(|ticker| world.delete(&app, &price(ticker)));
        let calls = world.asked("call");
        is_slow.store(true, Relaxed);
        let stops = async {
            world.handle.sleep(Duration::from_secs(5)).await;
            other.engine.cancel("again", &order(Action::Cancel, "again")).await.expect("Firestore answers")
        };
        let asks = app.engine.ledger.order(&order(Action::Replay, FIRST));
        let replays = app.engine.replay("again".to_owned(), wanted(&[FIRST, SECOND]), asks);
        let (answer, told) = join(replays, stops).await;
        assert!(matches!(told, Some(Stopped::Asked(_))), "{told:?}");
        let (_, report, status) = reported(answer);
        let state = app.engine.ledger.get("again").await.expect("answered").expect("a run");
        assert_eq!((status, state.status), (200, Status::Cancelled), "{report:#}");
        assert_eq!(state.replay.as_ref().map(|replay| replay.runs_done), Some(0), "{report:#}");
        is_slow.store(false, Relaxed);
        let (_, report, status) = reported(app.engine.resume("again", None).await.expect("known"));
        assert_eq!((status, &report["data"]["run_status"]), (200, &json!("succeeded")), "{report:#}");
        for ticker in 0..3 {
            fields(&app, &price(ticker)).await;
        }
        assert_eq!(world.asked("call"), calls);
    });
}
