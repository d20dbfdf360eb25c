//! How long the coverage grid of 90 sessions takes, of a large watchlist and a year of sessions.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use reqwest::Client;
use serde_json::Value;
use sim::data::Spec;
use sim::firestore::proxy::Proxy;
use sim::scheduler::{Job, Tick};

use crate::figure::{Figure, count, median};
use crate::scene::{RUN_LIMIT, Scene, tick_time};

const TICKERS: usize = 5_000;
/// Sessions of a year.
const SESSIONS: usize = 252;
/// Week days of the grid.
const DAYS: usize = 90;
const REPEATS: usize = 5;
const COLLECTION: &str = "ingestion_coverage";

pub async fn measure(scene: &Scene) -> Result<Vec<Figure>> {
    let proxy = Proxy::start(&scene.emulator.host()).await?;
    let system = scene.system_at(&proxy.host(), TICKERS, &[]).await?;
    scene.answers(Spec { records_per_ticker: 1, ..Spec::default() }, std::time::Duration::ZERO);
    let time: DateTime<Utc> = tick_time(0) + TimeDelta::days(1);
    let job = Job::find("tiingo-daily-prices").context("no such job")?;
    let reply = Tick::new(job, time).deadline(RUN_LIMIT).send(system.orchestrator.url()).await?;
    ensure!(reply.status == 200, "{}", reply.body["message"]);
    // One session of the whole watchlist, as the component has stored it, a year long.
    let stored = system.db.list(COLLECTION).await?;
    let newest = stored.iter().max_by_key(|doc| doc.id.clone()).context("no coverage")?;
    let last: NaiveDate = newest.id.trim_start_matches("daily_prices_").parse()?;
    let weekday = |day: &NaiveDate| !matches!(day.format("%u").to_string().as_str(), "6" | "7");
    let days = (0..).map_while(|back| last.checked_sub_days(Days::new(back))).filter(weekday).take(SESSIONS);
    let days: Vec<_> = days.collect();
    for day in &days {
        system.db.put(&format!("{COLLECTION}/daily_prices_{day}"), &newest.raw).await?;
    }
    let from = days.get(DAYS - 1).context("a day")?;
    let url = format!("{}/coverage?dataset=daily_prices&from={from}&to={last}", system.orchestrator.url());
    let client = Client::builder().no_proxy().build()?;
    let (mut grids, mut queries, mut reads) = (Vec::new(), Vec::new(), 0);
    for _ in 0..REPEATS {
        proxy.record();
        let start = Instant::now();
        let grid: Value = client.get(&url).timeout(RUN_LIMIT).send().await?.json().await?;
        grids.push(start.elapsed().as_secs_f64() * 1_000.0);
        let exchanges = proxy.recorded();
        let found = |answer: &[u8]| String::from_utf8_lossy(answer).matches("\"updateTime\"").count();
        reads = exchanges.iter().map(|exchange| found(&exchange.answer)).sum();
        let rows = grid["sessions"].as_array().map_or(0, Vec::len);
        ensure!(rows > DAYS * 9 / 10, "{rows} days in {grid}");
        let start = Instant::now();
        for exchange in &exchanges {
            let address = format!("http://{}{}", scene.emulator.host(), exchange.address);
            let request =
                client.request(exchange.method.clone(), address).header("authorization", "Bearer owner");
            request.body(exchange.body.clone()).send().await?.bytes().await?;
        }
        queries.push(start.elapsed().as_secs_f64() * 1_000.0);
    }
    system.stop().await?;
    let what = format!("coverage grid of {DAYS} days, {TICKERS} tickers × {SESSIONS} sessions stored");
    let time =
        Figure::new(&what, (median(grids), "ms"), "the same queries of a bare client", median(queries));
    let sessions = Figure::new(
        format!("{what}: documents"),
        (count(reads), "reads"),
        "sessions of a year",
        count(SESSIONS),
    );
    crate::tell(&time);
    crate::tell(&sessions);
    Ok(vec![time, sessions])
}
