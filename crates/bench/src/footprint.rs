//! The component's footprint: size, startup, memory, CPU time.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use reqwest::Method;
use sim::data::Spec;
use sim::scheduler::Job;

use crate::figure::{Figure, Goal, median};
use crate::process;
use crate::scene::{Kind, Scene, Used};

/// Goal for the memory of an instance, in MiB.
const MEMORY_MIB_MAX: f64 = 64.0;
/// Number of requests of each kind.
const SAMPLES: usize = 15;
/// Longer than an idle instance is kept.
const IDLE: Duration = Duration::from_millis(1_300);
/// The measured job and its records per ticker.
const JOB: &str = "tiingo-daily-prices";
const RECORDS: usize = 20;

pub async fn measure(scene: &Scene, tickers: usize, component: &Path) -> Result<Vec<Figure>> {
    let mut figures = health(scene).await?;
    let bytes = |path: &Path| {
        Ok::<_, std::io::Error>(f64::from(u32::try_from(std::fs::metadata(path)?.len()).unwrap_or(u32::MAX)))
    };
    if scene.programs.runtime == Kind::Host {
        let compiled = newest(&scene.programs.cache)?;
        figures.push(Figure::new(
            "size of the component",
            (bytes(component)? / 1e6, "MB"),
            "its machine code",
            bytes(&compiled)? / 1e6,
        ));
    }
    figures.extend(memory(scene, tickers).await?);
    for figure in &figures {
        crate::tell(figure);
    }
    Ok(figures)
}

/// `/health` of a warm and of a new instance, compared with the same request to a bare server.
async fn health(scene: &Scene) -> Result<Vec<Figure>> {
    let start = Instant::now();
    let system = scene.system(10, &[]).await?;
    let ours = format!("{}/health", system.orchestrator.url());
    let bare = format!("{}/health", scene.providers.tiingo().url());
    let ask = async |address: &str, pause: Duration| {
        let mut samples = Vec::new();
        for _ in 0..SAMPLES {
            tokio::time::sleep(pause).await;
            let start = Instant::now();
            scene.bare.send(Method::GET, address, Bytes::new()).await?;
            samples.push(start.elapsed().as_secs_f64() * 1000.0);
        }
        Ok::<_, anyhow::Error>(median(samples))
    };
    let process_ms = start.elapsed().as_secs_f64() * 1000.0;
    ask(&ours, Duration::ZERO).await?;
    let warm = ask(&ours, Duration::ZERO).await?;
    let cold = ask(&ours, IDLE).await?;
    let bare = ask(&bare, Duration::ZERO).await?;
    system.stop().await?;
    Ok(vec![
        Figure::new("GET /health", (warm, "ms"), "a bare server", bare),
        Figure::new("cold start: GET /health of a new instance", (cold, "ms"), "GET /health", warm),
        Figure::new("start of the process, watchlist seeded", (process_ms, "ms"), "cold start", cold),
    ])
}

/// Memory and processor time of a large run, compared with a small one and with another batch size.
async fn memory(scene: &Scene, tickers: usize) -> Result<Vec<Figure>> {
    let job = Job::find(JOB).context("no such job")?;
    let spec = Spec { records_per_ticker: RECORDS, ..Spec::default() };
    let small = tickers / 10;
    let few = run(scene, job, small, spec, "50").await?;
    let many = run(scene, job, tickers, spec, "50").await?;
    let tiny = run(scene, job, tickers, spec, "10").await?;
    let (recording, _) = scene.record(job, tickers, spec).await?;
    let before = process::cpu("self")?;
    let project = sim::firestore::unique_project();
    scene.bare.writes(&recording, &project).await?;
    let bare = process::cpu("self")?.saturating_sub(before);
    scene.emulator.db(&project).delete_all().await?;
    let thousands = f64::from(u32::try_from(tickers * RECORDS)?) / 1000.0;
    let per_thousand = |cpu: Duration| cpu.as_secs_f64() * 1000.0 / thousands;
    let of = format!("{JOB}, {tickers} tickers × {RECORDS}");
    let goal = Goal::ValueAtMost(MEMORY_MIB_MAX);
    let mut figures = Vec::new();
    if let (Some(few), Some(many), Some(tiny)) = (few.guest, many.guest, tiny.guest) {
        figures.extend([
            Figure::new(
                format!("{of}: memory of the instance"),
                (many.memory_mib, "MiB"),
                format!("{small} tickers"),
                few.memory_mib,
            )
            .goal(goal),
            Figure::new(
                format!("{of}: memory of the instance, 5 times as many batches"),
                (tiny.memory_mib, "MiB"),
                "batches of 50",
                many.memory_mib,
            )
            .goal(goal),
            Figure::new(
                format!("{of}: processor time of the component, 1,000 records"),
                (per_thousand(many.cpu), "ms"),
                "a bare client that writes them",
                per_thousand(bare),
            ),
        ]);
    }
    figures.extend([
        Figure::new(
            format!("{of}: memory of the runtime and the instance"),
            (many.mib, "MiB"),
            format!("{small} tickers"),
            few.mib,
        ),
        Figure::new(
            format!("{of}: processor time of the runtime and the component, 1,000 records"),
            (per_thousand(many.cpu), "ms"),
            "a bare client that writes them",
            per_thousand(bare),
        ),
    ]);
    Ok(figures)
}

struct Run {
    /// The component's own usage, if its runtime reports it.
    guest: Option<Used>,
    mib: f64,
    /// Processor time of the runtime's processes, including the component.
    cpu: Duration,
}

async fn run(scene: &Scene, job: &Job, tickers: usize, spec: Spec, batch: &str) -> Result<Run> {
    let mut system = scene.system(tickers, &[("batch_size_tiingo", batch)]).await?;
    scene.answers(spec, Duration::ZERO);
    let before = system.cpu()?;
    system.run(job).await?;
    let cpu = system.cpu()?.saturating_sub(before);
    let mib = system.memory_mib()?;
    Ok(Run { guest: system.stop().await?, mib, cpu })
}

/// The most recent compiled component.
fn newest(cache: &Path) -> Result<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(cache)? {
        let entry = entry?;
        files.push((entry.metadata()?.modified()?, entry.path()));
    }
    files.into_iter().max().map(|(_, path)| path).context("no compiled component")
}
