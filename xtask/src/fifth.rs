//! `cargo xtask fifth-provider`: proves that adding a provider takes one file, one row, its simulator's data and one
//! run of the generators.
//!
//! It adds such a provider to a copy of the sources, lets the tests write what follows from the catalogue, and then
//! checks the new provider like the others, including its job's run in the simulation.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::copy::{self, Changes};
use crate::{progress, workspace};

/// What is added: a file to copy from, and where to.
const FILES: [(&str, &str); 2] = [
    ("xtask/fifth/provider.rs", "src/catalogue/providers/acme.rs"),
    ("xtask/fifth/simulator.rs", "crates/sim/src/services/acme.rs"),
];

/// The rows: a file, the text before which the row belongs, and the row.
const ROWS: [(&str, &str, &str); 4] = [
    ("src/catalogue/providers/mod.rs", "mod alphavantage;", "mod acme;\n"),
    ("src/catalogue/providers/mod.rs", "alphavantage];", "acme, "),
    ("crates/sim/src/services/mod.rs", "mod alphavantage;", "mod acme;\n"),
    ("crates/sim/src/services/mod.rs", "    (Service::ALPHAVANTAGE, ", "    (Service::ACME, acme::JOBS),\n"),
];

/// Files that must tell of the provider once they are written anew, each with what it must say.
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

/// Tests that write what follows from the catalogue.
const WRITERS: &[&str] = &["tidy"];

/// Tests that must hold, the component's own ones among them. The last but one runs every job; the last some of them
/// amid faults.
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

/// Worlds of the last: a few, as they are built without optimisation.
const SEEDS: &str = "24";

pub fn run() -> Result<()> {
    let start = Instant::now();
    progress::step("a fifth provider: one file, one row, its simulator's data");
    let tree = workspace::target_dir().join("fifth");
    copy::sources(&tree, &changes()?)?;
    // Some tests read what others of them write, so this round tells nothing.
    let _written = native(&tree, WRITERS).env("UPDATE", "1").output()?;
    let _written = scheduler(&tree).env("UPDATE", "1").output()?;
    expect(&mut native(&tree, TESTS))?;
    expect(&mut scheduler(&tree))?;
    for (file, words) in WRITTEN {
        let text = fs::read_to_string(tree.join(file)).with_context(|| format!("no {file}"))?;
        ensure!(text.contains(words), "{file} of the copy does not say `{words}`");
    }
    progress::note(&format!("it runs, and all lists have it: {} s", start.elapsed().as_secs()));
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

/// Runs tests that must succeed; an error carries what they say.
fn expect(tests: &mut Command) -> Result<()> {
    let output = tests.output().with_context(|| format!("cannot start `{}`", progress::show(tests)))?;
    let words = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "`{}` failed:\n{words}", progress::show(tests));
    Ok(())
}

/// The component's native tests of these names.
fn native(tree: &Path, names: &[&str]) -> Command {
    let mut command = test(tree, &["--package", "orchestrator", "--lib", "--test", "it"]);
    command.args(names).env("SIMULATION_SEEDS", SEEDS);
    command
}

/// The tests that write the scheduler's list and hold the simulator's against it.
fn scheduler(tree: &Path) -> Command {
    let mut command = test(tree, &["--package", "xtask", "--bin", "xtask"]);
    command.args(["scheduler", "plan"]);
    command
}

/// Tests without optimisation: to build it costs more than it saves here.
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
    fn its_rows_still_fit_the_sources() {
        assert_eq!(changes().unwrap().len(), FILES.len() + 2);
    }
}
