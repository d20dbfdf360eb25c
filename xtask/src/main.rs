//! Development commands: `cargo xtask <command>`.
//!
//! Each command is one module. They only start other programs (cargo, the host, the emulator) and check the results.
//! The host itself is not linked in, so that this program builds quickly.

mod bench;
mod browser;
mod build;
mod ci;
mod cli;
mod conformance;
mod copy;
mod demo;
mod environment;
mod fifth;
mod firestore;
mod gcloud;
mod indexes;
mod limits;
mod progress;
mod runtime;
mod scheduler;
mod serve;
mod setup;
mod simulate;
mod spin;
mod system;
mod test;
mod trigger;
mod up;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;

use crate::cli::{Cli, Command};

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Demo(args) => wait(demo::run(&args)),
        Command::Up(args) => wait(up::run(&args)),
        Command::Setup(args) => setup::run(args),
        Command::Build(args) => build::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Browser(args) => wait(browser::run(&args)),
        Command::Conformance(args) => wait(conformance::run(&args)),
        Command::Bench(args) => bench::run(&args),
        Command::Ci => ci::run(),
        Command::FifthProvider => fifth::run(),
        Command::Simulate(args) => simulate::run(&args),
        Command::Trigger(args) => wait(trigger::run(&args)),
        Command::Scheduler(args) => scheduler::run(&args),
        Command::Indexes(args) => indexes::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a command that waits for the network or for child processes.
fn wait<T>(command: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(command)
}
