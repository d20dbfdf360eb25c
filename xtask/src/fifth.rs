//! `cargo xtask fifth-provider`: proves that adding a provider takes one file, one row, its simulator's data and one
//! run of the generators.
//!
//! It adds a provider to a copy of the sources, generates what follows from the catalogue, and then tests the new
//! provider like the others, including a run of its job in the simulation.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::copy::{self, Changes};
use crate::{progress, workspace};

/// The added files: source and destination.
const FILES: [(&str, &str); 2] = [
    ("xtask/fifth/provider.rs", "src/catalogue/providers/acme.rs"),
    ("xtask/fifth/simulator.rs", "crates/sim/src/services/acme.rs"),
];

/// The added rows: a file, the text before which the row is inserted, and the row.
const ROWS: [(&str, &str, &str); 4] = [
    ("src/catalogue/providers/mod.rs", "mod alphavantage;", "mod acme;\n"),
    ("src/catalogue/providers/mod.rs", "alphavantage];", "acme, "),
    ("crates/sim/src/services/mod.rs", "mod alphavantage;", "mod acme;\n"),
    ("crates/sim/src/services/mod.rs", "    (Service::ALPHAVANTAGE, ", "    (Service::ACME, acme::JOBS),\n"),
];

/// Generated files, each with a text that it must contain for the new provider.
const WRITTEN: [(&str, &str); 12] = [
    ("README.md", "| acme-dividends | `/acme/dividends` |"),
    ("docs/settings.md", "`collection_dividends`"),
    ("docs/openapi.json", "\"/acme/dividends\""),
    ("spin.toml", "    \"{{ acme_service_url }}\","),
    ("spin.toml", "max_concurrency_acme = \"{{ max_concurrency_acme }}\""),
    ("crates/entry/src/settings.rs", "\"ACME_SERVICE_URL\""),
    ("deploy/cloud-run/deploy.sh", "ACME_SERVICE_URL"),
    ("deploy/cloud-run/service.yaml", "- name: ACME_SERVICE_URL"),
    ("deploy/docker/compose.yaml", "ACME_SERVICE_URL: ${ACME_SERVICE_URL:-http://host.docker.internal:8005}"),
    ("deploy/spinkube/app.yaml", "- name: acme_service_url"),
    ("deploy/terraform/locals.tf", "= var.provider_urls.acme"),
    ("deploy/terraform/jobs.json", "\"acme-dividends\""),
];

/// Tests that generate what follows from the catalogue.
const WRITERS: &[&str] = &["tidy"];

/// Tests that must pass, including the component's own. The last but one runs every job, the last one some of them with
/// faults.
const TESTS: &[&str] = &[
    "catalogue::",
    "config::",
    "settings::",
    "tidy",
    "deploy",
    "logging",
    "every_job_stores",
    "invariants_hold_for_every_seed",
];

/// Number of worlds for the last test: few, because it is built without optimization.
const SEEDS: &str = "24";

pub fn run() -> Result<()> {
    let start = Instant::now();
    progress::step("a fifth provider: one file, one row, its simulator's data");
    let tree = workspace::target_dir().join("fifth");
    copy::sources(&tree, &changes()?)?;
    // Some tests read what others generate, so failures in this round mean nothing.
    let _written = native(&tree, WRITERS).env("UPDATE", "1").output()?;
    let _written = scheduler(&tree).env("UPDATE", "1").output()?;
    expect(&mut native(&tree, TESTS))?;
    expect(&mut scheduler(&tree))?;
    for (file, expected) in WRITTEN {
        let text = fs::read_to_string(tree.join(file)).with_context(|| format!("no {file}"))?;
        ensure!(text.contains(expected), "{file} of the copy does not contain `{expected}`");
    }
    progress::note(&format!("it runs, and all lists contain it: {} s", start.elapsed().as_secs()));
    Ok(())
}

fn changes() -> Result<Changes> {
    let read = |file: &str| {
        fs::read_to_string(workspace::root().join(file)).with_context(|| format!("cannot read {file}"))
    };
    let mut changes = Changes::new();
    for (from, to) in FILES {
        changes.insert(to.into(), read(from)?);
    }
    for (file, before, row) in ROWS {
        let text = match changes.remove(Path::new(file)) {
            Some(text) => text,
            None => read(file)?,
        };
        let places = text.matches(before).count();
        ensure!(places == 1, "`{before}` occurs {places} times in {file}: update ROWS");
        changes.insert(file.into(), text.replacen(before, &format!("{row}{before}"), 1));
    }
    Ok(changes)
}

/// Runs tests that must succeed; an error contains their output.
fn expect(tests: &mut Command) -> Result<()> {
    let output = tests.output().with_context(|| format!("cannot start `{}`", progress::show(tests)))?;
    let text = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "`{}` failed:\n{text}", progress::show(tests));
    Ok(())
}

/// The component's native tests with these names.
fn native(tree: &Path, names: &[&str]) -> Command {
    let mut command = test(tree, &["--package", "orchestrator", "--lib", "--test", "it"]);
    command.args(names).env("SIMULATION_SEEDS", SEEDS);
    command
}

/// The tests that generate the scheduler's list and compare the simulator's with it.
fn scheduler(tree: &Path) -> Command {
    let mut command = test(tree, &["--package", "xtask", "--bin", "xtask"]);
    command.args(["scheduler", "plan"]);
    command
}

/// Tests without optimization: here an optimized build takes longer than it saves.
fn test(tree: &Path, which: &[&str]) -> Command {
    let mut command = copy::cargo(tree, "test");
    command.args(which);
    for package in ["orchestrator", "sim"] {
        command.args(["--config", &format!("profile.test.package.{package}.opt-level=0")]);
    }
    command.arg("--");
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_rows_match_the_sources() {
        assert_eq!(changes().unwrap().len(), FILES.len() + 2);
    }
}
