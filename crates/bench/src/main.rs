//! Measures the whole system: the release component on the optimised host, the real emulator, simulated providers.
//!
//! Every figure stands beside another one of the same run, since the machine is never the same twice: what its
//! provider calls or its writes take a bare client ([`bare`]), what a smaller run takes, what a bare server takes.
//! `cargo xtask bench` builds what is needed and starts this program.

mod bare;
mod figure;
mod footprint;
mod jobs;
mod load;
mod recording;
mod scene;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use serde_json::json;
use sim::data::Spec;
use sim::scheduler::Job;

use figure::Figure;
use scene::{Programs, Scene};

/// Tickers of the job that warms emulator and providers.
const WARM_UP_TICKERS: usize = 1_000;

/// Measures the whole system.
#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    programs: Programs,
    /// The release component
    #[arg(long, value_name = "FILE")]
    component: PathBuf,
    /// Print JSON in place of a table
    #[arg(long)]
    json: bool,
    /// Leave out the runs of 5,000 tickers
    #[arg(long)]
    quick: bool,
    /// Measure this part alone
    #[arg(long, value_enum)]
    only: Option<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Jobs,
    /// Of the jobs, the one whose growth is looked at
    Growth,
    Load,
    Footprint,
}

#[tokio::main]
async fn main() -> Result<()> {
    let cli = Cli::parse();
    let start = Instant::now();
    let wanted = |part| cli.only.is_none_or(|only| only == part);
    let sizes: &[usize] = if cli.quick { &[100, 1_000] } else { &[100, 1_000, 5_000] };
    let scene = Scene::start(cli.programs.clone()).await?;
    warm_up(&scene).await?;
    let mut figures = Vec::new();
    if wanted(Part::Footprint) {
        let tickers = sizes.last().copied().unwrap_or(WARM_UP_TICKERS);
        figures.extend(footprint::measure(&scene, tickers, &cli.component).await?);
    }
    if wanted(Part::Load) {
        figures.extend(load::measure(&scene).await?);
    }
    let growth_alone = cli.only == Some(Part::Growth);
    if wanted(Part::Jobs) || growth_alone {
        figures.extend(jobs::measure(&scene, sizes, !growth_alone).await?);
    }
    if cli.json {
        let cores = std::thread::available_parallelism()?.get();
        println!("{:#}", json!({"cores": cores, "seconds": start.elapsed().as_secs(), "figures": figures}));
    } else {
        println!("{}\n{} s", figure::table(&figures), start.elapsed().as_secs());
    }
    Ok(())
}

/// A cold emulator and its just-in-time compiler would be measured with the first job.
async fn warm_up(scene: &Scene) -> Result<()> {
    let job = Job::find("tiingo-daily-prices").context("no such job")?;
    let spec = Spec { records_per_ticker: 20, ..Spec::default() };
    scene.emulator.warm_up().await?;
    let mut system = scene.system(WARM_UP_TICKERS, &[]).await?;
    scene.answers(spec, Duration::ZERO);
    for _ in 0..2 {
        system.run(job).await?;
    }
    system.stop().await.map(drop)
}

/// Says a figure as soon as it is known.
fn tell(figure: &Figure) {
    eprintln!(
        "    {}: {:.2} {} ({:.2} × {})",
        figure.what, figure.value, figure.unit, figure.ratio, figure.against
    );
}
