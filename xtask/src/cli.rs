//! The command line.

#![allow(
    clippy::doc_markdown,
    reason = "these comments are the help texts, which a terminal shows unchanged"
)]

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use sim::providers::Pace;

use crate::firestore::Choice;
use crate::gcloud::Mode;
use crate::limits::Platform;
use crate::runtime::Runtime;

/// Development commands of the orchestrator.
///
/// New here? `cargo xtask demo` sets everything up, runs all jobs once against
/// simulated providers and a Firestore on this machine, and checks what they
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
    ///
    /// Beside the jobs, the process of one more run is killed, and another process completes it. The last line
    /// has the counts of that run.
    #[command(verbatim_doc_comment)]
    Demo(DemoArgs),
    /// Run every test: native, tidy, and end to end on the built component
    ///
    /// What needs a tool that this machine lacks is left out, and named at the end. Without the
    /// Firestore emulator, the end-to-end tests use the embedded Firestore.
    #[command(verbatim_doc_comment)]
    Test(TestArgs),
    /// Run only the dashboard's tests, in headless Chromium, against scripted responses and the built component
    ///
    /// Needs Node, npm and Chromium; on Debian, as root, a missing Chromium is installed. By default the first
    /// one on the PATH is used; the environment variable CHROMIUM selects another.
    #[command(verbatim_doc_comment)]
    Browser(BrowserArgs),
    /// Run only the published checkers: promtool, openapi-spec-validator, schemathesis, hadolint, shellcheck
    ///
    /// Missing ones are installed below target/tools/: promtool from Debian's package prometheus, the others with
    /// pip. Checkers that cannot be installed are skipped, with a note on how to get them.
    #[command(verbatim_doc_comment)]
    Conformance(ConformanceArgs),
    /// Measure the whole system: job durations, load, memory, startup; each figure next to a baseline of the same run
    ///
    /// Reports progress on stderr and prints one table at the end. The first run builds an optimized
    /// Wasmtime.
    #[command(verbatim_doc_comment)]
    Bench(BenchArgs),
    /// Run every check that a change must pass: formatting, lints, tests, dependencies
    Ci,
    /// Add a fifth provider to a copy of the sources and check that everything follows from its one file
    FifthProvider,
    /// Run the component through seeded worlds full of faults, in virtual time
    Simulate(SimulateArgs),
    /// Start the whole system and keep it running until Ctrl-C
    Up(UpArgs),
    /// Start the component alone, configured by the environment
    ///
    /// Settings come from SPIN_VARIABLE_<NAME> for each variable in spin.toml; if that is
    /// not set, from the plain names: FIRESTORE_EMULATOR_HOST, GOOGLE_CLOUD_PROJECT,
    /// FIRESTORE_DATABASE, LOG_LEVEL, TIINGO_SERVICE_URL and the like. Prints
    /// `listening on http://ADDR` when ready.
    #[command(verbatim_doc_comment)]
    Serve(ServeArgs),
    /// Run a job on a running instance and show the response
    ///
    /// If the instance requires a token, it is read from the environment variable
    /// OPERATOR_TOKEN. Exit code 1 for any response other than 2xx.
    #[command(verbatim_doc_comment)]
    Trigger(TriggerArgs),
    /// Create or update the Cloud Scheduler jobs, from the catalogue
    ///
    /// Prints each gcloud command; --apply runs it. Jobs with other names are left alone.
    #[command(verbatim_doc_comment)]
    Scheduler(SchedulerArgs),
    /// Create Firestore's indexes and TTL policies, from firestore.indexes.json
    ///
    /// Prints each gcloud command; --apply runs it.
    #[command(verbatim_doc_comment)]
    Indexes(IndexesArgs),
    /// Build the component
    Build(BuildArgs),
    /// Set up this machine: the compiler target; names what else is missing and what is left out without it
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
    /// Which Firestore [default: the emulator where there is one, otherwise the embedded one]
    #[arg(long, value_enum)]
    pub firestore: Option<Choice>,
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
    /// Print JSON instead of the table, to this file if one is given
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    pub json: Option<PathBuf>,
    /// Measure only this part: exchange, jobs, growth, load, repeats, coverage, footprint
    #[arg(long, value_name = "PART")]
    pub only: Option<String>,
    /// Among the jobs, measure only this one
    #[arg(long, value_name = "NAME")]
    pub job: Option<String>,
    /// What runs the component
    #[arg(long, value_enum, default_value_t)]
    pub runtime: Runtime,
}

#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Number of worlds [default: 2000; 1000 per mutant]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub seeds: Option<u64>,
    /// The first seed
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub from: u64,
    /// Run only this seed and print its history
    #[arg(long, value_name = "SEED", conflicts_with_all = ["seeds", "from", "mutants"])]
    pub seed: Option<u64>,
    /// Break the component in many ways, one at a time, and check that the tests catch each
    #[arg(long, conflicts_with = "from")]
    pub mutants: bool,
    /// Of these, only those whose name contains this text
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["from", "seed"])]
    pub mutant: Option<String>,
}

#[derive(Debug, Args)]
pub struct UpArgs {
    /// Use the well-known ports: Firestore 8080, providers 8001 to 8004, component 8000
    ///
    /// Otherwise every part gets a free port.
    #[arg(long)]
    pub mission_ports: bool,
    /// Make the simulated services rate limit and pause like the deployed ones, this many times faster; 1 is real time
    ///
    /// Otherwise they do neither, and every job finishes immediately.
    #[arg(long, value_name = "TIMES_FASTER", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub limits: Option<u32>,
    /// Which Firestore [default: the emulator where there is one, otherwise the embedded one]
    #[arg(long, value_enum)]
    pub firestore: Option<Choice>,
    /// Keep the data of the embedded Firestore in this file, from one start to the next
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// What runs the component
    #[arg(long, value_enum, default_value_t)]
    pub runtime: Runtime,
}

impl UpArgs {
    /// The pace of the simulated services.
    pub fn pace(&self) -> Pace {
        self.limits.map_or(Pace::Unlimited, |times_faster| Pace::Deployed { times_faster })
    }
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address to listen on; port 0 picks a free one
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
    /// URL of the running instance
    #[arg(long, default_value = "http://127.0.0.1:8000")]
    pub url: String,
    /// Scope to run instead of the job's own: entire_watchlist, active_symbols, indices, none
    #[arg(long)]
    pub scope: Option<String>,
    /// Run only these tickers
    #[arg(long, value_delimiter = ',', value_name = "A,B")]
    pub tickers: Vec<String>,
    /// Time of the run, RFC 3339
    #[arg(long, value_name = "TIME")]
    pub run_time: Option<String>,
    /// Backfill: the first day that is requested, such as 2026-01-02
    #[arg(long, value_name = "DAY")]
    pub from: Option<String>,
    /// Backfill: the last day, included [default: today]
    #[arg(long, value_name = "DAY", requires = "from")]
    pub to: Option<String>,
    /// Backfill: which records are requested: missing, failed, empty, all
    #[arg(long, requires = "from")]
    pub only: Option<String>,
    /// Backfill: show the plan and do nothing
    #[arg(long, requires = "from")]
    pub dry_run: bool,
    /// Write records even if they say what is stored already
    #[arg(long)]
    pub force: bool,
    /// What is printed
    #[arg(short, long, value_enum, default_value_t = Output::Summary)]
    pub output: Output,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// What became of the run, in a few lines
    Summary,
    /// The whole response
    Json,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct ModeArgs {
    /// Print the commands without running them
    #[arg(long)]
    pub dry_run: bool,
    /// Run the commands
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
    /// URL of the service, https://…
    #[arg(long)]
    pub url: String,
    /// Email address of the service account that Cloud Scheduler calls as
    #[arg(long, value_name = "EMAIL")]
    pub service_account: String,
    /// Audience of its tokens, one of the component's `oidc_audience` [default: the URL]
    #[arg(long)]
    pub audience: Option<String>,
    /// Where the service runs; determines the time limits
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
    /// Build without optimizations
    #[arg(long)]
    pub debug: bool,
}

#[derive(Debug, Default, Args)]
pub struct SetupArgs {
    /// Set up this compiler instead of the one cargo uses
    #[arg(long, value_name = "PATH")]
    pub rustc: Option<PathBuf>,
    /// Do not use rustup to add the target: build its standard library from source
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
