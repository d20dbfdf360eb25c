//! `cargo xtask simulate`: seeded worlds full of faults, and a check that they detect a broken component.

mod market;
mod mutants;
mod patch;

use std::process::Command;

use anyhow::Result;

use crate::cli::SimulateArgs;
use crate::{build, progress};

/// Default number of seeds.
const SEEDS: u64 = 2_000;
const TEST: &str = "simulation::invariants_hold_for_every_seed";

pub fn run(args: &SimulateArgs) -> Result<()> {
    if args.mutants || args.mutant.is_some() {
        let named = args.mutant.as_deref().unwrap_or_default();
        return mutants::run(args.seeds, named);
    }
    let mut command = test(build::cargo("test"));
    match args.seed {
        Some(seed) => {
            progress::step(&format!("the history of seed {seed}"));
            command.env("SIMULATION_SEED", seed.to_string());
        }
        None => {
            let seeds = args.seeds.unwrap_or(SEEDS);
            progress::step(&format!("{seeds} seeds from {}", args.from));
            set_seeds(&mut command, args.from, seeds);
        }
    }
    progress::run(&mut command)
}

/// Runs only the simulation and shows its output.
fn test(mut cargo: Command) -> Command {
    cargo.args(["--package", "orchestrator", "--test", "it", "--", "--exact", "--nocapture", TEST]);
    cargo.env("RUST_BACKTRACE", "0");
    cargo
}

fn set_seeds(command: &mut Command, from: u64, seeds: u64) {
    command.env("SIMULATION_FROM", from.to_string()).env("SIMULATION_SEEDS", seeds.to_string());
}
