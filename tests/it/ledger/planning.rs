//! Reading a large or slow watchlist.

use std::time::Duration;

use chrono::TimeDelta;
use futures::future::join;
use serde_json::json;

use super::world::{Way, play, reported, tick};

#[test]
fn five_slow_pages_of_the_watchlist_do_not_lose_the_lease() {
    let slow = |method: &str, _| {
        if method == "runQuery" { Way::Slow(Duration::from_secs(15)) } else { Way::Usual }
    };
    play(slow, |world| async move {
        let (app, other) = (world.instance(TimeDelta::zero()), world.instance(TimeDelta::hours(1)));
        world.seed(&app, 8_500);
        let second = async {
            world.handle.sleep(Duration::from_secs(65)).await;
            reported(other.engine.run(tick(&other)).await)
        };
        let (first, (kind, report, _)) = Box::pin(join(app.engine.run(tick(&app)), second)).await;
        assert_eq!((kind, &report["message"]), ("running", &json!("running: resolving tickers")));
        let (kind, report, status) = reported(first);
        assert_eq!((kind, status), ("ended", 200), "{report:#}");
        assert_eq!(report["data"]["tickers_processed"], 8_500);
        assert_eq!(world.asked("runQuery"), 5);
    });
}

#[test]
fn a_watchlist_that_never_arrives_leaves_time_to_close_the_run() {
    let never = |method: &str, _| if method == "runQuery" { Way::Never } else { Way::Usual };
    play(never, |world| async move {
        let app = world.instance(TimeDelta::zero());
        world.seed(&app, 3);
        let (kind, report, status) = reported(app.engine.run(tick(&app)).await);
        assert_eq!((kind, status), ("ended", 503), "{report:#}");
        assert_eq!(report["message"], "not started: the tickers could not be read within 171 s");
        assert!(world.handle.now() < app.config.run.deadline);
        let run_id = report["data"]["run_id"].as_str().expect("an id");
        let stored = app.engine.ledger.get(run_id).await.expect("Firestore answers").expect("there");
        assert_eq!(stored.status.name(), "failed", "no lease is left to wait for");
    });
}

#[test]
fn a_watchlist_that_is_too_long_is_reported_and_ends_the_run() {
    play(super::world::usual, |world| async move {
        let app = world.instance(TimeDelta::zero());
        world.seed(&app, 20_001);
        let (kind, report, status) = reported(app.engine.run(tick(&app)).await);
        assert_eq!((kind, status), ("ended", 503), "{report:#}");
        assert_eq!(report["message"], "not started: too many tickers for one run: 20001, limit 20000");
    });
}
