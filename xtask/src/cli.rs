//! The command line.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help texts: a terminal shows them as they are"
)]

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use sim::providers::Pace;

use crate::gcloud::Mode;
use crate::limits::Platform;
use crate::runtime::Runtime;

/// Development commands of the orchestrator.
///
/// New here? `cargo xtask demo` sets everything up, runs all jobs once against
/// simulated providers and the real Firestore emulator, and checks what they
/// stored. `cargo xtask test` runs every test.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", verbatim_doc_comment)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the whole system once: set up, build, start everything, play all jobs, check what they stored
    Demo(DemoArgs),
    /// Run every test: native, tidy, and end to end on the built component and the emulator
    Test(TestArgs),
    /// Run the dashboard's tests alone, in headless Chromium, against scripted answers and the built component
    ///
    /// Needs Node, npm and Chromium; as root on Debian Chromium is installed where it is missing. The environment
    /// variable CHROMIUM names another one than the first on the search path.
    #[command(verbatim_doc_comment)]
    Browser(BrowserArgs),
    /// Ask the published checkers alone: promtool, openapi-spec-validator, schemathesis, hadolint, shellcheck
    ///
    /// They are installed below target/tools/ where they are missing: promtool from Debian's package prometheus, the
    /// others by pip. What cannot be had is skipped, and named with the way to get it.
    #[command(verbatim_doc_comment)]
    Conformance(ConformanceArgs),
    /// Measure the whole system: time of each job, load, memory, start; each figure beside one of the same run
    ///
    /// Says what is known on stderr, and prints one table at the end. The first time it builds Wasmtime with
    /// optimisation.
    #[command(verbatim_doc_comment)]
    Bench(BenchArgs),
    /// Check all that a change must pass: formatting, lints, tests, dependencies
    Ci,
    /// Add a fifth provider to a copy of the sources, and expect that all follows from its one file
    FifthProvider,
    /// Play seeded worlds full of faults against the component, in virtual time
    Simulate(SimulateArgs),
    /// Start the whole system and keep it running until Ctrl-C
    Up(UpArgs),
    /// Start the component alone, configured by the environment
    ///
    /// Settings come from SPIN_VARIABLE_<NAME> for each variable of spin.toml; where that is
    /// not set, from the plain names: FIRESTORE_EMULATOR_HOST, GOOGLE_CLOUD_PROJECT,
    /// FIRESTORE_DATABASE, LOG_LEVEL, TIINGO_SERVICE_URL and the like. Prints
    /// `listening on http://ADDR` when ready.
    #[command(verbatim_doc_comment)]
    Serve(ServeArgs),
    /// Run a job of a running instance and show its answer
    ///
    /// Where the instance asks for a token, it is taken from the environment variable
    /// OPERATOR_TOKEN. Exit code 1 on any answer that is not a 2xx.
    #[command(verbatim_doc_comment)]
    Trigger(TriggerArgs),
    /// Create or update the jobs of Cloud Scheduler, from the catalogue
    ///
    /// Prints each gcloud command; --apply carries it out. Jobs of other names stay as they are.
    #[command(verbatim_doc_comment)]
    Scheduler(SchedulerArgs),
    /// Create Firestore's indexes and TTL policies, from firestore.indexes.json
    ///
    /// Prints each gcloud command; --apply carries it out.
    #[command(verbatim_doc_comment)]
    Indexes(IndexesArgs),
    /// Build the component
    Build(BuildArgs),
    /// Make this machine ready: the compiler's target, Java, the Firestore emulator
    Setup(SetupArgs),
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Symbols in the watchlist
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(20..=5000))]
    pub symbols: u32,
    /// Active positions among them
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=5000))]
    pub active: u32,
    /// What runs the component
    #[arg(long, value_enum, default_value_t)]
    pub runtime: Runtime,
}

#[derive(Debug, Default, Args)]
pub struct TestArgs {
    /// What runs the component in the end-to-end tests
    #[arg(long, value_enum, default_value_t)]
    pub runtime: Runtime,
}

#[derive(Debug, Args)]
pub struct BrowserArgs {
    /// Take the README's screenshots into this directory as well
    #[arg(long, value_name = "DIR")]
    pub screenshots: Option<PathBuf>,
    /// What runs the component
    #[arg(long, value_enum, default_value_t)]
    pub runtime: Runtime,
}

#[derive(Debug, Args)]
pub struct ConformanceArgs {
    /// What runs the component
    #[arg(long, value_enum, default_value_t)]
    pub runtime: Runtime,
}

#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Leave out the runs of 5,000 tickers
    #[arg(long)]
    pub quick: bool,
    /// Print JSON in place of the table, into this file where one is named
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub json: Option<PathBuf>,
    /// Measure this part alone: exchange, jobs, growth, load, footprint
    #[arg(long, value_name = "PART")]
    pub only: Option<String>,
    /// Of the jobs, measure this one alone
    #[arg(long, value_name = "NAME")]
    pub job: Option<String>,
    /// What runs the component
    #[arg(long, value_enum, default_value_t)]
    pub runtime: Runtime,
}

#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Number of worlds [default: 2000; for each mutant 1000]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub seeds: Option<u64>,
    /// The first seed
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub from: u64,
    /// Play this seed alone and tell its story
    #[arg(long, value_name = "SEED", conflicts_with_all = ["seeds", "from", "mutants"])]
    pub seed: Option<u64>,
    /// Break the component in many ways, one at a time, and expect the worlds to notice each
    #[arg(long, conflicts_with = "from")]
    pub mutants: bool,
}

#[derive(Debug, Args)]
pub struct UpArgs {
    /// Use the well-known ports: emulator 8080, providers 8001 to 8004, component 8000
    ///
    /// Without it every part gets a free port.
    #[arg(long)]
    pub mission_ports: bool,
    /// Let the simulated services limit and pause as the deployed ones do, so many times faster; 1 is as in life
    ///
    /// Without it they do neither, and every job ends at once.
    #[arg(long, value_name = "TIMES_FASTER", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limits: Option<u32>,
    /// What runs the component
    #[arg(long, value_enum, default_value_t)]
    pub runtime: Runtime,
}

impl UpArgs {
    /// How the simulated services keep time.
    pub fn pace(&self) -> Pace {
        self.limits.map_or(Pace::Unlimited, |times_faster| Pace::Deployed { times_faster })
    }
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8000")]
    pub listen: SocketAddr,
    /// What runs the component
    #[arg(long, value_enum, default_value_t)]
    pub runtime: Runtime,
}

#[derive(Debug, Args)]
pub struct TriggerArgs {
    /// Name of the job, such as finnhub-quote-portfolio
    pub job: String,
    /// Address of the running instance
    #[arg(long, default_value = "http://127.0.0.1:8000")]
    pub url: String,
    /// Run another scope than the job's own: entire_watchlist, active_symbols, indices, none
    #[arg(long)]
    pub scope: Option<String>,
    /// Run these tickers only
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub tickers: Vec<String>,
    /// Time of the run, RFC 3339
    #[arg(long, value_name = "TIME")]
    pub run_time: Option<String>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct ModeArgs {
    /// Show the commands, change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Carry the commands out
    #[arg(long)]
    pub apply: bool,
}

impl ModeArgs {
    pub fn chosen(&self) -> Mode {
        if self.apply { Mode::Apply } else { Mode::DryRun }
    }
}

#[derive(Debug, Args)]
pub struct SchedulerArgs {
    #[command(flatten)]
    pub mode: ModeArgs,
    /// The Google Cloud project
    #[arg(long)]
    pub project: String,
    /// Region of the jobs
    #[arg(long, default_value = "us-east1")]
    pub location: String,
    /// Address of the service, https://…
    #[arg(long)]
    pub url: String,
    /// E-mail of the service account as which Cloud Scheduler calls
    #[arg(long, value_name = "EMAIL")]
    pub service_account: String,
    /// Audience of its tokens, one of the component's `oidc_audience` [default: the address]
    #[arg(long)]
    pub audience: Option<String>,
    /// Where the service runs: sets the time limits
    #[arg(long, value_enum, default_value_t)]
    pub platform: Platform,
}

#[derive(Debug, Args)]
pub struct IndexesArgs {
    #[command(flatten)]
    pub mode: ModeArgs,
    /// The Google Cloud project
    #[arg(long)]
    pub project: String,
    /// The Firestore database
    #[arg(long, default_value = "(default)")]
    pub database: String,
}

#[derive(Debug, Args)]
pub struct BuildArgs {
    /// Build without optimisation
    #[arg(long)]
    pub debug: bool,
}

#[derive(Debug, Default, Args)]
pub struct SetupArgs {
    /// Prepare this compiler instead of the one that cargo uses
    #[arg(long, value_name = "PATH")]
    pub rustc: Option<PathBuf>,
    /// Do not ask rustup for the target: build its standard library from source
    #[arg(long)]
    pub no_rustup: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
