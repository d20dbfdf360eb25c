//! How long each kind of job takes, compared with its provider calls and its writes alone; and how the cost of one kind
//! grows with its tickers.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use sim::data::Spec;
use sim::firestore::unique_project;
use sim::scheduler::Job;

use crate::figure::{Figure, Goal, count, median};
use crate::recording::{Documents, Recording};
use crate::scene::{Scene, System};

/// Maximum time of a job relative to its lower bound.
const GOAL: f64 = 1.15;
/// Maximum share of the ledger's writes in all writes.
const LEDGER_SHARE_MAX: f64 = 0.05;
/// How often a run is measured to get the median: the more documents, the fewer times.
const REPEATS: [(usize, usize); 3] = [(5_000, 5), (50_000, 3), (usize::MAX, 1)];
/// Latencies of the simulated services.
const LATENCIES: [Duration; 2] = [Duration::ZERO, Duration::from_millis(100)];

/// One job for each form of response.
const KINDS: [Kind; 7] = [
    ("tiingo-daily-prices", Amount::PerTicker),
    ("finnhub-quote-portfolio", Amount::Fixed(1)),
    ("finnhub-company-news-universe", Amount::PerTicker),
    ("finnhub-fundamentals-earnings", Amount::PerTicker),
    ("polygon-news-universe", Amount::PerTicker),
    ("alpha-vantage-technical-indicators", Amount::Fixed(7)),
    ("polygon-news-market", Amount::PerRun),
];
/// The job whose growth is measured.
const GROWING: &str = "tiingo-daily-prices";

/// How many records a response has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    PerTicker,
    Fixed(usize),
    /// The job has no tickers.
    PerRun,
}

impl Amount {
    fn records(self) -> Vec<usize> {
        match self {
            Self::PerTicker | Self::PerRun => vec![1, 20],
            Self::Fixed(records) => vec![records],
        }
    }
}

/// One kind of job, by its name.
pub type Kind = (&'static str, Amount);

/// All kinds, or one.
pub fn kinds(growing_alone: bool, name: Option<&str>) -> Result<Vec<Kind>> {
    let name = if growing_alone { Some(GROWING) } else { name };
    let kinds: Vec<_> = KINDS.into_iter().filter(|(kind, _)| name.is_none_or(|name| name == *kind)).collect();
    if kinds.is_empty() {
        let known = KINDS.map(|(kind, _)| kind).join(", ");
        bail!("job {:?} is not measured, known jobs: {known}", name.unwrap_or_default());
    }
    Ok(kinds)
}

/// Runs the kinds for each number of tickers; returns the times, then the growth.
pub async fn measure(scene: &Scene, sizes: &[usize], kinds: &[Kind]) -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let mut growth = Vec::new();
    for (at, &tickers) in sizes.iter().enumerate() {
        let mut system = scene.system(tickers, &[]).await?;
        for &(name, amount) in kinds {
            if amount == Amount::PerRun && at > 0 {
                continue;
            }
            let job = Job::find(name).context("no such job")?;
            for records in amount.records() {
                let (measured, grown) = measure_one(scene, &mut system, job, tickers, records).await?;
                figures.extend(measured);
                if name == GROWING && records > 1 {
                    growth.push(grown);
                }
            }
        }
        system.stop().await?;
    }
    let growth = growing(&growth);
    growth.iter().for_each(crate::tell);
    figures.extend(growth);
    Ok(figures)
}

/// The cost of a run without latency.
struct Cost {
    tickers: usize,
    wall_ms: f64,
    documents: Documents,
}

async fn measure_one(
    scene: &Scene,
    system: &mut System<'_>,
    job: &Job,
    tickers: usize,
    records: usize,
) -> Result<(Vec<Figure>, Cost)> {
    let spec = Spec { records_per_ticker: records, market_articles: records, ..Spec::default() };
    scene.renew_if_worn().await?;
    let (recording, _) = scene.record(job, tickers, spec).await?;
    let documents = recording.documents()?;
    scene.took(documents.written);
    ensure!(documents.written > 0, "{} wrote nothing", job.name);
    let repeats =
        REPEATS.iter().find(|(most, _)| documents.written <= *most).map_or(1, |(_, repeats)| *repeats);
    let mut figures = Vec::new();
    let mut wall_ms = f64::NAN;
    let mut writes_ms = f64::NAN;
    for latency in LATENCIES {
        let (mut walls, mut calls, mut writes, mut wholes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..repeats {
            scene.renew_if_worn().await?;
            scene.answers(spec, latency);
            walls.push(millis(system.run_afresh(job).await?.duration));
            calls.push(millis(scene.bare.calls(&recording).await?));
            if latency.is_zero() {
                writes.push(millis(bare_writes(scene, &recording).await?));
            }
            system.reset().await?;
            wholes.push(millis(scene.bare.whole(&recording, &system.project).await?));
            scene.took(documents.written * 3);
        }
        let (wall, calls) = (median(walls), median(calls));
        if latency.is_zero() {
            (wall_ms, writes_ms) = (wall, median(writes));
        }
        let (against, bound) = if calls > writes_ms {
            ("its provider calls alone", calls)
        } else {
            ("its writes alone", writes_ms)
        };
        let what = format!("{}: {tickers} tickers × {records}, {} ms a call", job.name, latency.as_millis());
        let figure = Figure::new(what, (wall, "ms"), against, bound)
            .goal(Goal::RatioAtMost(GOAL))
            .beside("a bare client with the same exchanges", median(wholes));
        crate::tell(&figure);
        figures.push(figure);
    }
    Ok((figures, Cost { tickers, wall_ms, documents }))
}

/// Time for the run's writes without the run.
async fn bare_writes(scene: &Scene, recording: &Recording) -> Result<Duration> {
    let project = unique_project();
    let took = scene.bare.writes(recording, &project).await?;
    scene.emulator.db(&project).delete_all().await?;
    Ok(took)
}

/// The cost per thousand tickers, compared with that of the smallest run.
fn growing(costs: &[Cost]) -> Vec<Figure> {
    let Some(first) = costs.first() else { return Vec::new() };
    let against = format!("the same of {} tickers", first.tickers);
    let mut figures = Vec::new();
    for cost in costs {
        let what = |what: &str| format!("{GROWING} × 20, {what} a thousand tickers, of {}", cost.tickers);
        let each = |cost: &Cost, total: f64| total * 1000.0 / count(cost.tickers);
        for (name, unit, total) in [
            ("time", "ms", (|cost| cost.wall_ms) as fn(&Cost) -> f64),
            ("documents read", "", |cost| count(cost.documents.read)),
            ("documents written", "", |cost| count(cost.documents.written + cost.documents.ledger)),
        ] {
            let figure = (each(cost, total(cost)), unit);
            figures.push(
                Figure::new(what(name), figure, &against, each(first, total(first)))
                    .goal(Goal::RatioAtMost(1.0)),
            );
        }
        let Documents { written, ledger, .. } = cost.documents;
        let what = format!("{GROWING} × 20, writes of the ledger, of {} tickers", cost.tickers);
        let share =
            Figure::new(what, (count(ledger), "writes"), "all writes of the run", count(written + ledger));
        figures.push(share.goal(Goal::RatioAtMost(LEDGER_SHARE_MAX)));
    }
    figures
}

fn millis(length: Duration) -> f64 {
    length.as_secs_f64() * 1000.0
}
