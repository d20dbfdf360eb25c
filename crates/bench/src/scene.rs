//! The system under measurement: one emulator, the simulated providers, and an orchestrator.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use chrono::{DateTime, Utc};
use serde_json::json;
use sim::data::Spec;
use sim::firestore::proxy::Proxy;
use sim::firestore::{Db, Emulator, unique_project};
use sim::orchestrator::{Builder, Orchestrator, Runtime, standard_variables};
use sim::providers::{Pace, Ports, Providers};
use sim::scheduler::{Job, Reply, Tick};
use sim::watchlist::Watchlist;

use crate::bare::{Bare, CALLS};
use crate::cores::Cores;
use crate::process;
use crate::recording::Recording;

/// Longest wait for one run.
pub const RUN_LIMIT: Duration = Duration::from_mins(15);
/// Longest wait for the end of a process.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// Where the programs are.
#[derive(Clone, Debug, clap::Args)]
pub struct Programs {
    /// What runs the component
    #[arg(long, value_enum)]
    pub runtime: Kind,
    /// Its program
    #[arg(long, value_name = "FILE")]
    pub program: PathBuf,
    /// The application's manifest
    #[arg(long, value_name = "FILE")]
    pub manifest: PathBuf,
    /// Folder for compiled components
    #[arg(long, value_name = "DIR")]
    pub cache: PathBuf,
}

/// What can run the component.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    Host,
    Spin,
}

impl Programs {
    fn builder(&self) -> Builder {
        let bin = self.program.clone();
        match self.runtime {
            Kind::Host => Orchestrator::builder(Runtime::Host { bin }, &self.manifest)
                .cache(&self.cache)
                .args(["--stats"]),
            Kind::Spin => Orchestrator::builder(Runtime::Spin { bin }, &self.manifest),
        }
    }
}

/// Tickers of the jobs that warm emulator and providers.
const WARM_UP_TICKERS: usize = 1_000;
/// These jobs, records per ticker, and runs.
const WARM_UP: [(&str, usize, usize); 2] = [("tiingo-daily-prices", 20, 6), ("polygon-news-market", 1, 300)];
/// Maximum documents that an emulator has stored before another measurement. It does not free deleted documents: after
/// one to two million its heap is full and single requests take a minute, for a bare client as well.
const WORN_BY: usize = 500_000;

/// Emulator and providers, for all measurements.
pub struct Scene {
    cores: Cores,
    /// Approximate number of documents that the emulator has stored.
    taken: Cell<usize>,
    pub programs: Programs,
    pub emulator: Arc<Emulator>,
    pub providers: Providers,
    pub bare: Bare,
}

impl Scene {
    pub async fn start(programs: Programs, cores: Cores) -> Result<Self> {
        let emulator = Arc::new(cores.all_for(Emulator::start(None)).await?);
        let providers = Providers::start(Ports::default()).await?;
        // With limits, the measurement would be of the limits and not of the orchestrator.
        providers.set_pace(Pace::Unlimited);
        let bare = Bare::new(&emulator.host())?;
        let scene = Self { cores, taken: Cell::new(0), programs, emulator, providers, bare };
        scene.warm_up().await?;
        Ok(scene)
    }

    /// Adds to the number of documents that the emulator has stored.
    pub fn took(&self, documents: usize) {
        self.taken.set(self.taken.get() + documents);
    }

    /// Replaces the emulator if it has stored too many documents for another measurement.
    pub async fn renew_if_worn(&self) -> Result<()> {
        if self.taken.get() > WORN_BY { self.renew().await } else { Ok(()) }
    }

    /// Replaces the emulator with a new one on the same port.
    pub async fn renew(&self) -> Result<()> {
        self.cores.all_for(self.emulator.restart()).await?;
        self.taken.set(0);
        self.warm_up().await
    }

    /// Otherwise the first job's figures would include the emulator's just-in-time compilation. Some long runs warm up
    /// its writes, many short ones everything else.
    async fn warm_up(&self) -> Result<()> {
        self.emulator.warm_up().await?;
        let mut system = self.system(WARM_UP_TICKERS, &[]).await?;
        for (name, records_per_ticker, runs) in WARM_UP {
            let job = Job::find(name).context("no such job")?;
            self.answers(Spec { records_per_ticker, ..Spec::default() }, Duration::ZERO);
            for _ in 0..runs {
                system.run(job).await?;
            }
        }
        system.stop().await?;
        self.cores.confine_the_emulator(self.emulator.pid().context("the emulator exited")?)
    }

    /// An orchestrator with its own project and watchlist.
    pub async fn system(&self, symbols: usize, settings: &[(&str, &str)]) -> Result<System<'_>> {
        self.system_at(&self.emulator.host(), symbols, settings).await
    }

    /// The same with Firestore at this `host:port`.
    pub async fn system_at(
        &self,
        firestore: &str,
        symbols: usize,
        settings: &[(&str, &str)],
    ) -> Result<System<'_>> {
        let project = unique_project();
        let mut variables = standard_variables(&self.emulator.host(), &self.providers, &project);
        variables.insert("firestore_emulator_host".to_owned(), firestore.to_owned());
        let concurrency = |(service, _)| (format!("max_concurrency_{service}"), CALLS.to_string());
        variables.extend(self.providers.urls().into_iter().map(concurrency));
        variables.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let orchestrator = self.programs.builder().variables(variables).start().await?;
        let db = self.emulator.db(&project);
        let watchlist = Watchlist::new(symbols, symbols).without_indices();
        watchlist.seed(&db).await?;
        Ok(System { scene: self, project, orchestrator, db, watchlist, ticks: 0 })
    }

    /// Runs a job once and keeps all its exchanges.
    pub async fn record(&self, job: &Job, symbols: usize, spec: Spec) -> Result<(Recording, Reply)> {
        let proxy = Proxy::start(&self.emulator.host()).await?;
        let mut system = self.system_at(&proxy.host(), symbols, &[]).await?;
        self.answers(spec, Duration::ZERO);
        proxy.record();
        let reply = system.run(job).await?;
        let recording = Recording::new(&self.providers, proxy.recorded());
        system.stop().await?;
        Ok((recording, reply))
    }

    /// Sets the providers' data and latency, and clears their journals.
    pub fn answers(&self, spec: Spec, latency: Duration) {
        self.providers.clear();
        self.providers.set_spec(spec);
        for provider in self.providers.all() {
            provider.set_latency(latency, Duration::ZERO);
        }
    }
}

/// One orchestrator and its database.
pub struct System<'a> {
    scene: &'a Scene,
    pub project: String,
    pub orchestrator: Orchestrator,
    pub db: Db,
    watchlist: Watchlist,
    ticks: i64,
}

impl System<'_> {
    /// Empties the database except for the watchlist.
    pub async fn reset(&self) -> Result<()> {
        self.db.delete_all().await?;
        self.watchlist.seed(&self.db).await
    }

    /// Runs one tick of a job, which must succeed.
    pub async fn run(&mut self, job: &Job) -> Result<Reply> {
        self.ticks += 1;
        let time = tick_time(self.ticks);
        let tick = Tick::new(job, time).field("run_time", json!(time)).deadline(RUN_LIMIT);
        let reply = tick.send(self.orchestrator.url()).await?;
        if reply.status != 200 || reply.body["status"] != "ok" {
            bail!("{} returned {}: {}", job.name, reply.status, reply.body["message"]);
        }
        Ok(reply)
    }

    /// The same with an empty database.
    pub async fn run_afresh(&mut self, job: &Job) -> Result<Reply> {
        self.reset().await?;
        self.scene.providers.clear();
        self.run(job).await
    }

    /// Processor time of the runtime's processes, including the component.
    pub fn cpu(&self) -> Result<Duration> {
        process::tree(self.orchestrator.pid())?.iter().map(|process| process::cpu(process)).sum()
    }

    /// Peak memory of the runtime's processes, in MiB.
    pub fn memory_mib(&self) -> Result<f64> {
        process::tree(self.orchestrator.pid())?.iter().map(|process| process::memory_mib(process)).sum()
    }

    /// Ends the orchestrator and deletes its data; returns what its component has used, which Spin does not report.
    pub async fn stop(self) -> Result<Option<Used>> {
        self.orchestrator.terminate(STOP_LIMIT).await?;
        if self.scene.programs.runtime == Kind::Spin {
            self.db.delete_all().await?;
            return Ok(None);
        }
        let line = self.orchestrator.log().wait_for("memory_bytes_peak=", STOP_LIMIT).await?;
        self.db.delete_all().await?;
        let figure = |name: &str| {
            let mut pairs = line.split_whitespace().filter_map(|pair| pair.split_once('='));
            let figure =
                pairs.find(|(key, _)| *key == name).with_context(|| format!("no {name} in {line}"))?;
            Ok::<u32, anyhow::Error>(figure.1.parse()?)
        };
        Ok(Some(Used {
            memory_mib: f64::from(figure("memory_bytes_peak")?) / f64::from(1 << 20),
            cpu: Duration::from_micros(figure("guest_cpu_us")?.into()),
        }))
    }
}

/// Resource usage of a component.
#[derive(Clone, Copy, Debug)]
pub struct Used {
    /// Peak memory of a single instance.
    pub memory_mib: f64,
    /// Processor time in its own code, over all instances.
    pub cpu: Duration,
}

/// Ticks in the past, each at a different second.
pub fn tick_time(number: i64) -> DateTime<Utc> {
    /// 2025-11-20T15:00:00Z.
    const FIRST: i64 = 1_763_650_800;
    DateTime::from_timestamp(FIRST + number, 0).unwrap_or_default()
}
