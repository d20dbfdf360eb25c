//! `cargo xtask ci`: everything that a change must pass.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, bail};

use crate::cli::TestArgs;
use crate::workspace::WASM_TARGET;
use crate::{build, progress, setup, test};

/// Runs the checks from quickest to slowest and stops at the first failure.
pub fn run() -> Result<()> {
    let start = Instant::now();
    setup::target()?;
    setup::emulator()?;
    format()?;
    lint()?;
    dependencies()?;
    test::run(&TestArgs::default())?;
    progress::step(&format!("all checks passed in {} s", start.elapsed().as_secs()));
    Ok(())
}

fn format() -> Result<()> {
    progress::step("formatting");
    progress::run(build::cargo("fmt").args(["--all", "--", "--check"]))
}

/// Treats warnings as errors, so that they do not accumulate.
fn lint() -> Result<()> {
    progress::step("lints, native");
    let mut native = build::cargo("clippy");
    progress::run(native.args(["--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    progress::step("lints, component");
    let mut wasm = build::cargo("clippy");
    wasm.args(["--package", "orchestrator", "--lib", "--target", WASM_TARGET, "--", "--deny", "warnings"]);
    progress::run(&mut wasm)
}

/// Always checks licences, bans and sources; checks advisories if their database is reachable.
fn dependencies() -> Result<()> {
    progress::step("dependencies");
    if !has_cargo_deny() {
        progress::note("skipped: cargo-deny is not installed; `cargo install --locked cargo-deny` adds it");
        return Ok(());
    }
    progress::run(build::cargo("deny").args(["check", "bans", "licenses", "sources"]))?;
    let advisories = progress::capture(build::cargo("deny").args(["check", "advisories"]));
    match advisories {
        Ok(_) => progress::note("advisories ok"),
        Err(error) if error.to_string().contains("failed to fetch advisory database") => {
            progress::note("advisories skipped: the advisory database is unreachable from here");
        }
        Err(error) => bail!("{error}"),
    }
    Ok(())
}

fn has_cargo_deny() -> bool {
    let mut command = Command::new("cargo-deny");
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
