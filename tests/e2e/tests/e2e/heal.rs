//! Healing on the real component: what a run could not get, the watch fills by itself.

use chrono::TimeDelta;
use e2e::system::{PATIENCE, expect, get, job, now, start};
use serde_json::{Value, json};
use sim::orchestrator::Orchestrator;
use sim::providers::Fault;
use sim::scheduler::Tick;
use sim::watchlist::Watchlist;

const PRICES: &str = "tiingo-daily-prices";
const SESSIONS: usize = 5;

async fn watch(orchestrator: &Orchestrator) -> Value {
    let tick = Tick::of_watch(now()).deadline(PATIENCE);
    let reply = tick.send(orchestrator.url()).await.expect("an answer");
    assert_eq!(reply.status, 200, "{:#}\n{}", reply.body, orchestrator.log().tail());
    reply.body
}

/// The run of this job under `healed`.
fn healed<'a>(watched: &'a Value, job: &str) -> Option<&'a Value> {
    watched["healed"].as_array()?.iter().find(|run| run["job"] == job)
}

/// A ticker's page has weeks of prices, so the run leaves holes only where it failed.
#[tokio::test]
async fn the_holes_of_a_ticker_that_failed_are_filled_by_the_watch() {
    let settings = [("retry_max_attempts", "1"), ("closed_days", "run"), ("heal_sessions", "5")];
    let stack = start(Watchlist::new(8, 5), &settings).await;
    let tiingo = stack.providers.tiingo();
    tiingo.fault(Fault::ticker_errors(["MSFT"]));
    // Of today, whatever day it is: the last sessions are those before now.
    let tick = Tick::new(job(PRICES), now() - TimeDelta::minutes(10));
    let report = expect(&stack.orchestrator, &tick, 200).await.body;
    assert_eq!(report["data"]["run_status"], "partial", "{report:#}");
    tiingo.clear();
    tiingo.journal().clear();

    let watched = watch(&stack.orchestrator).await;
    let run = healed(&watched, PRICES).unwrap_or_else(|| panic!("{watched:#}"));
    assert_eq!(run["status"], "ok", "{watched:#}");
    let run_id = run["run_id"].as_str().expect("an id");
    let entry = get(&stack.orchestrator, &format!("/runs/{run_id}")).await.body;
    let data = &entry["data"];
    assert_eq!(
        (&data["trigger"], &data["run_status"], &data["tickers_requested"], &data["records_stored"]),
        (&json!("backfill"), &json!("succeeded"), &json!(1), &json!(SESSIONS)),
        "{entry:#}"
    );

    let (from, to) = (&data["backfill"]["from"], &data["backfill"]["to"]);
    let (from, to) = (from.as_str().expect("a day"), to.as_str().expect("a day"));
    assert_eq!(run_id, format!("{PRICES}_heal_{to}"));
    let calendar = get(&stack.orchestrator, &format!("/calendar?from={from}&to={to}")).await.body;
    let sessions = calendar["sessions"].as_array().expect("a list");
    assert_eq!(sessions.len(), SESSIONS, "{calendar:#}");
    let stored = stack.db.ids("prices_daily").await.expect("they can be listed");
    for session in sessions {
        let date = session["date"].as_str().expect("a day");
        assert!(stored.contains(&format!("MSFT_{date}")), "{date}: {stored:?}");
        let day = get(&stack.orchestrator, &format!("/coverage/daily_prices/{date}")).await.body;
        let states = day["states"].as_array().expect("a list");
        let lacks = |known: &&Value| {
            known["state"] != "stored"
                && known["tickers"].as_array().is_some_and(|names| names.contains(&json!("MSFT")))
        };
        assert!(states.iter().find(lacks).is_none(), "{day:#}");
    }

    let asked: Vec<_> = tiingo.journal().tickers();
    assert_eq!(asked.iter().filter(|ticker| *ticker == "MSFT").count(), 1, "{asked:?}");
    assert!(healed(&watch(&stack.orchestrator).await, PRICES).is_none(), "once a session");
}
