//! Answers that were stored before: what a second run costs if only what is new is written, and how fast records are made
//! again from the raw logs.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Client;
use serde_json::{Value, json};
use sim::data::{Spec, records};
use sim::endpoint::Endpoint;
use sim::firestore::proxy::Proxy;
use sim::scheduler::{Job, Reply, Tick};

use crate::figure::{Figure, Goal, count, median};
use crate::scene::{RUN_LIMIT, Scene, System, tick_time};

const JOB: &str = "tiingo-daily-prices";
const TICKERS: usize = 1_000;
const SESSIONS: usize = 20;
const REPEATS: usize = 5;
/// Writes that a database may admit in a second before it has grown used to more.
const WRITES_PER_SECOND: u32 = 500;
/// How many times faster a run is that writes only what is new, behind that limit.
const FASTER: f64 = 10.0;
/// Records that are made again in a second.
const RATE_MIN: f64 = 10_000.0;

/// By turns: the run of the next session that writes all records, and the same that writes only what is new.
pub async fn measure(scene: &Scene) -> Result<Vec<Figure>> {
    let mut figures = second_run(scene, Some(WRITES_PER_SECOND)).await?;
    figures.extend(second_run(scene, None).await?);
    figures.extend(replays(scene).await?);
    Ok(figures)
}

async fn second_run(scene: &Scene, limit: Option<u32>) -> Result<Vec<Figure>> {
    let proxy = Proxy::start(&scene.emulator.host()).await?;
    let host = if limit.is_some() { proxy.host() } else { scene.emulator.host() };
    let mut system = scene.system_at(&host, 0, &[]).await?;
    let tickers = unadjusted();
    let (mut all, mut new) = (Vec::new(), Vec::new());
    for _ in 0..REPEATS {
        for (writes_all, times) in [(true, &mut all), (false, &mut new)] {
            scene.renew_if_worn().await?;
            proxy.admit_writes(None);
            prepare(scene, &mut system, &tickers).await?;
            proxy.admit_writes(limit);
            times.push(millis(run(&system, 1, writes_all, &tickers).await?.duration));
            scene.took(TICKERS * SESSIONS * 2);
        }
    }
    system.stop().await?;
    let (all, new) = (median(all), median(new));
    let where_to = match limit {
        Some(limit) => format!("a database that admits {limit} writes/s"),
        None => "the emulator".to_owned(),
    };
    let what = format!("{JOB}: {TICKERS} tickers × {SESSIONS}, one session new, to {where_to}");
    let goal = if limit.is_some() { 1.0 / FASTER } else { 1.0 };
    let figure =
        Figure::new(what, (new, "ms"), "the same that writes all", all).goal(Goal::RatioAtMost(goal));
    crate::tell(&figure);
    Ok(vec![figure])
}

/// Stores all but the last session.
async fn prepare(scene: &Scene, system: &mut System<'_>, tickers: &[String]) -> Result<()> {
    system.reset().await?;
    scene.answers(spec(), Duration::ZERO);
    run(system, 0, false, tickers).await.map(drop)
}

fn spec() -> Spec {
    Spec { records_per_ticker: SESSIONS, ..Spec::default() }
}

/// Tickers whose earlier prices the second session leaves as they were: it has no dividend and no split of them.
fn unadjusted() -> Vec<String> {
    let is_same = |ticker: &String| {
        let prices = records(&spec(), Endpoint::TIINGO_PRICES, ticker, at(1));
        prices.iter().all(|price| price["div_cash"] == 0.0 && price["split_factor"] == 1.0)
    };
    (0..).map(|number| format!("T{number:04}")).filter(is_same).take(TICKERS).collect()
}

fn at(day: i64) -> DateTime<Utc> {
    tick_time(0) + TimeDelta::days(day)
}

/// The tick of a day.
async fn run(system: &System<'_>, day: i64, writes_all: bool, tickers: &[String]) -> Result<Reply> {
    let time = at(day);
    let tick = Tick::new(Job::find(JOB).context("no such job")?, time).tickers(tickers);
    let tick = tick.field("run_time", json!(time)).field("force", json!(writes_all)).deadline(RUN_LIMIT);
    let reply = tick.send(system.orchestrator.url()).await?;
    ensure!(reply.status == 200, "{}", reply.body["message"]);
    Ok(reply)
}

/// Makes the records of a run again: with all of them stored, and with none.
async fn replays(scene: &Scene) -> Result<Vec<Figure>> {
    let system = scene.system(0, &[]).await?;
    let tickers = unadjusted();
    let (mut live, mut same, mut lost) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..REPEATS {
        scene.renew_if_worn().await?;
        system.reset().await?;
        scene.answers(spec(), Duration::ZERO);
        let reply = run(&system, 0, false, &tickers).await?;
        live.push(millis(reply.duration));
        let run_id = reply.body["data"]["run_id"].as_str().context("no run ID")?.to_owned();
        same.push(millis(replay(&system, &run_id, "records_unchanged").await?));
        forget(&system).await?;
        lost.push(millis(replay(&system, &run_id, "records_stored").await?));
        scene.took(TICKERS * SESSIONS * 3);
    }
    system.stop().await?;
    let records = count(TICKERS * SESSIONS);
    let rate = |ms: f64| records * 1_000.0 / ms;
    let live = rate(median(live));
    let mut figures = Vec::new();
    for (what, times) in [("none changed", same), ("none stored", lost)] {
        let rate = rate(median(times));
        let what = format!("replay of {JOB}, {TICKERS} tickers × {SESSIONS}, {what}");
        let figure = Figure::new(what, (rate, "records/s"), "records/s of the live run", live);
        let figure = figure.beside("the least that is wanted", RATE_MIN);
        crate::tell(&figure);
        figures.push(figure);
    }
    Ok(figures)
}

/// Replays a run; all of its records must count as `counted`.
async fn replay(system: &System<'_>, run_id: &str, counted: &str) -> Result<Duration> {
    let client = Client::builder().no_proxy().build()?;
    let url = format!("{}/runs/{run_id}/replay", system.orchestrator.url());
    let start = Instant::now();
    let answer = client.post(url).body("{}").timeout(RUN_LIMIT).send().await?;
    let took = start.elapsed();
    let body: Value = answer.json().await?;
    let records = body["data"][counted].as_u64();
    ensure!(records == u64::try_from(TICKERS * SESSIONS).ok(), "{counted} {records:?}: {}", body["message"]);
    Ok(took)
}

/// Deletes all prices.
async fn forget(system: &System<'_>) -> Result<()> {
    let ids = system.db.ids("prices_daily").await?;
    let paths: Vec<_> = ids.into_iter().map(|id| format!("prices_daily/{id}")).collect();
    system.db.delete_many(&paths).await
}

fn millis(length: Duration) -> f64 {
    length.as_secs_f64() * 1000.0
}
