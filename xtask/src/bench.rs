//! `cargo xtask bench`: builds everything optimised and measures it.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::cli::BenchArgs;
use crate::{build, progress, setup, workspace};

/// Cargo's profile for what stands around the component.
const PROFILE: &str = "measure";

/// Builds component, host and measuring program, and starts the last.
pub fn run(args: &BenchArgs) -> Result<()> {
    setup::everything()?;
    build::component(false)?;
    progress::step(
        "building host and simulators with optimisation; the first time takes ten minutes and more",
    );
    progress::run(build::cargo("build").args([
        "--profile",
        PROFILE,
        "--package",
        "host",
        "--package",
        "bench",
        "--bins",
    ]))?;
    let programs = workspace::target_dir().join(PROFILE);
    progress::step(
        "measuring: three quarters of an hour, with --quick a quarter; each figure is told when it is known",
    );
    let mut command = Command::new(programs.join("bench"));
    command.arg("--host").arg(programs.join("host"));
    command.arg("--manifest").arg(workspace::manifest());
    command.arg("--component").arg(workspace::component(false));
    command.arg("--cache").arg(workspace::target_dir().join("bench-cache"));
    for (option, given) in [("--quick", args.quick), ("--json", args.json.is_some())] {
        if given {
            command.arg(option);
        }
    }
    for (option, value) in [("--only", &args.only), ("--job", &args.job)] {
        if let Some(value) = value {
            command.args([option, value]);
        }
    }
    match args.json.as_deref() {
        Some(file) if file.as_os_str() != "-" => {
            let output =
                fs::File::create(file).with_context(|| format!("cannot write {}", file.display()))?;
            progress::run(command.stdout(output))
        }
        _ => progress::run(&mut command),
    }
}
