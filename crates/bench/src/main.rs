//! Measures the whole system: the release component on Spin or the optimised host, the real emulator, simulated providers.
//!
//! Every figure is compared with another one from the same run, since a machine never performs the same twice: the time
//! that a bare client ([`bare`]) needs for the same calls or writes, that of a smaller run, or that of a bare server.
//! `cargo xtask bench` builds what is needed and starts this program.

mod bare;
mod cores;
mod coverage;
mod exchange;
mod figure;
mod footprint;
mod jobs;
mod load;
mod process;
mod recording;
mod repeats;
mod scene;

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use serde_json::json;

use cores::Cores;
use figure::Figure;
use scene::{Programs, Scene};

/// Measures the whole system.
#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    programs: Programs,
    /// The release component
    #[arg(long, value_name = "FILE")]
    component: PathBuf,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
    /// Leave out the runs of 5,000 tickers
    #[arg(long)]
    quick: bool,
    /// Measure only this part
    #[arg(long, value_enum)]
    only: Option<Part>,
    /// Among the jobs, measure only this one
    #[arg(long, value_name = "NAME")]
    job: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// One exchange, compared with one whose peer acknowledges at once
    Exchange,
    Jobs,
    /// Only the job whose growth is measured
    Growth,
    Load,
    /// Answers that were stored before: a second run, and a replay
    Repeats,
    /// The coverage grid of a large watchlist
    Coverage,
    Footprint,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    let cores = Cores::new()?;
    // Before starting other threads, which inherit it.
    cores.leave_the_emulator_alone()?;
    tokio::runtime::Runtime::new()?.block_on(measure(cli, cores))
}

async fn measure(cli: Cli, cores: Cores) -> Result<()> {
    let start = Instant::now();
    let wanted = |part| cli.only.is_none_or(|only| only == part);
    let sizes: &[usize] = if cli.quick { &[100, 1_000] } else { &[100, 1_000, 5_000] };
    let (emulator, others) = cores.counts();
    let scene = Scene::start(cli.programs.clone(), cores).await?;
    let mut figures = Vec::new();
    if wanted(Part::Exchange) {
        figures.extend(exchange::measure(&scene).await?);
    }
    if wanted(Part::Footprint) {
        let tickers = sizes.last().copied().unwrap_or_default();
        figures.extend(footprint::measure(&scene, tickers, &cli.component).await?);
    }
    if wanted(Part::Load) {
        scene.renew().await?;
        figures.extend(load::measure(&scene).await?);
    }
    if wanted(Part::Repeats) {
        scene.renew().await?;
        figures.extend(repeats::measure(&scene).await?);
    }
    if wanted(Part::Coverage) {
        scene.renew().await?;
        figures.extend(coverage::measure(&scene).await?);
    }
    let growth_alone = cli.only == Some(Part::Growth);
    if wanted(Part::Jobs) || growth_alone {
        let kinds = jobs::kinds(growth_alone, cli.job.as_deref())?;
        figures.extend(jobs::measure(&scene, sizes, &kinds).await?);
    }
    if cli.json {
        let cores = json!({"emulator": emulator, "others": others});
        println!("{:#}", json!({"cores": cores, "seconds": start.elapsed().as_secs(), "figures": figures}));
    } else {
        println!("{}\n{} s", figure::table(&figures), start.elapsed().as_secs());
    }
    Ok(())
}

/// Prints a figure as soon as it is known.
fn tell(figure: &Figure) {
    let beside = figure.beside.as_ref();
    let beside =
        beside.map(|beside| format!("; {:.2} × {}", beside.ratio, beside.against)).unwrap_or_default();
    eprintln!(
        "    {}: {:.2} {} ({:.2} × {}{beside})",
        figure.what, figure.value, figure.unit, figure.ratio, figure.against
    );
}
