//! Builds the component and the host that runs it.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::cli::BuildArgs;
use crate::runtime::Runtime;
use crate::workspace::{self, WASM_TARGET};
use crate::{progress, setup};

/// `cargo xtask build`.
pub fn run(args: &BuildArgs) -> Result<()> {
    component(args.debug)?;
    let path = workspace::component(args.debug);
    let bytes = fs::metadata(&path).with_context(|| format!("no {}", path.display()))?.len();
    println!("{}: {}", workspace::display(&path), kilobytes(bytes));
    Ok(())
}

/// Builds the component; quick when nothing has changed.
pub fn component(debug: bool) -> Result<()> {
    setup::target()?;
    progress::step(if debug { "building the component (debug)" } else { "building the component (release)" });
    let mut command = cargo("build");
    command.args(["--package", "orchestrator", "--lib", "--target", WASM_TARGET]);
    if !debug {
        command.arg("--release");
    }
    progress::run(&mut command)
}

/// Builds what runs the release component, and the component itself.
pub fn all(runtime: Runtime) -> Result<()> {
    let first_host_build = runtime == Runtime::Host && !workspace::host().exists();
    if first_host_build {
        progress::step(
            "first build: the component takes a minute; the host, which compiles Wasmtime, several",
        );
        progress::note("later builds take seconds");
    }
    component(false)?;
    if runtime == Runtime::Host {
        progress::step("building the host");
        progress::run(cargo("build").args(["--package", "host", "--bin", "host"]))?;
    }
    Ok(())
}

/// A cargo command in the repository, with the build directory of [`workspace::target_dir`].
pub fn cargo(subcommand: &str) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.arg(subcommand).current_dir(workspace::root()).env("CARGO_TARGET_DIR", workspace::target_dir());
    command
}

fn kilobytes(bytes: u64) -> String {
    format!("{} KB", bytes.div_ceil(1000))
}
