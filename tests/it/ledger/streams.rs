//! A Firestore response that breaks off does not count as a response.

use chrono::TimeDelta;
use serde_json::{Value as Json, json};

use super::world::{Way, World, play, reported, tick};

/// The first 300 elements, then an error.
fn broken(mut body: Json) -> Json {
    let elements = body.as_array_mut().expect("a stream");
    elements.truncate(300);
    elements.push(json!({"error": {"code": 503, "message": "the stream broke", "status": "UNAVAILABLE"}}));
    body
}

/// The first 300 elements, as if these were all, but without `done`.
fn short(mut body: Json) -> Json {
    body.as_array_mut().expect("a stream").truncate(300);
    body
}

/// No element for the requested document.
fn nothing(_: Json) -> Json {
    json!([])
}

async fn run(world: &World, tickers: usize) -> (&'static str, Json, u16) {
    let app = world.instance(TimeDelta::zero());
    world.seed(&app, tickers);
    reported(app.engine.run(tick(&app)).await)
}

#[test]
fn a_watchlist_that_breaks_off_is_read_again() {
    let script = |method: &str, asked| {
        if method == "runQuery" && asked < 2 { Way::Changed(broken) } else { Way::Usual }
    };
    play(script, |world| async move {
        let (_, report, status) = run(&world, 1_000).await;
        assert_eq!((status, &report["data"]["tickers_processed"]), (200, &json!(1_000)), "{report:#}");
        assert_eq!(world.asked("runQuery"), 3);
    });
}

#[test]
fn a_watchlist_that_always_breaks_off_starts_no_run() {
    let script = |method: &str, _| if method == "runQuery" { Way::Changed(broken) } else { Way::Usual };
    play(script, |world| async move {
        let (_, report, status) = run(&world, 1_000).await;
        assert_eq!((status, &report["data"]["calls"]), (503, &json!(0)));
        let message = report["message"].as_str().expect("a sentence");
        assert!(
            message.starts_with("not started: ") && message.ends_with("UNAVAILABLE: the stream broke"),
            "{message}"
        );
    });
}

#[test]
fn a_short_page_is_the_last_one_only_when_firestore_says_so() {
    let script = |method: &str, asked| {
        if method == "runQuery" && asked == 0 { Way::Changed(short) } else { Way::Usual }
    };
    play(script, |world| async move {
        let (_, report, status) = run(&world, 1_000).await;
        assert_eq!((status, &report["data"]["tickers_processed"]), (200, &json!(1_000)), "{report:#}");
    });
}

/// Checks that an existing run is not treated as missing.
fn resume(change: fn(Json) -> Json) {
    // When the run has ended its own reads are over; all later responses are changed.
    let script = move |method: &str, asked| {
        if method == "batchGet" && asked > 3 { Way::Changed(change) } else { Way::Usual }
    };
    play(script, |world| async move {
        let app = world.instance(TimeDelta::zero());
        world.seed(&app, 3);
        let (_, report, status) = reported(app.engine.run(tick(&app)).await);
        assert_eq!(
            (status, world.asked("batchGet")),
            (200, 4),
            "the breaker is read once, the pause, the coverage, and what is stored of the records"
        );
        let run_id = report["data"]["run_id"].as_str().expect("an id");
        let resumed = app.engine.resume(run_id, None).await.map(reported);
        assert!(matches!(resumed, Some(("unavailable", ..))), "{resumed:?}");
    });
}

#[test]
fn a_run_whose_entry_cannot_be_read_is_not_treated_as_missing() {
    resume(broken_get);
    resume(nothing);
}

fn broken_get(_: Json) -> Json {
    broken(json!([]))
}
