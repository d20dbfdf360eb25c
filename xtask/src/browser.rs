//! `cargo xtask browser`: the dashboard in headless Chromium, against scripted responses and the real component.

mod scene;
mod tools;

use std::fmt;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use self::scene::Scene;
use self::tools::Tools;
use crate::cli::BrowserArgs;
use crate::runtime::Runtime;
use crate::{build, progress, setup, workspace};

/// Runs of every job in the screenshots.
const ROUNDS: usize = 8;

/// Sets up, builds, runs the tests and, if requested, takes the README's screenshots.
pub async fn run(args: &BrowserArgs) -> Result<()> {
    setup::target()?;
    let tools = Tools::ensure()?;
    build::all(args.runtime)?;
    let tally = test(&tools, args.runtime).await?;
    if let Some(folder) = &args.screenshots {
        screenshots(&tools, args.runtime, folder).await?;
    }
    println!("\nSummary: {tally}");
    tally.into_result()
}

/// Runs the tests as a part of `cargo xtask test`, on what that has built; none if this machine has no browser.
pub async fn part_of_all(runtime: Runtime) -> Result<Option<Tally>> {
    match Tools::ensure() {
        Ok(tools) => test(&tools, runtime).await.map(Some),
        Err(error) => {
            progress::step("skipping the dashboard's tests");
            progress::note(&format!("{error:#}"));
            Ok(None)
        }
    }
}

async fn test(tools: &Tools, runtime: Runtime) -> Result<Tally> {
    progress::step("testing the dashboard in headless Chromium, against the whole system");
    let scene = Scene::start(runtime, 0).await?;
    let mut command = tools.node();
    command.args(["--test", "--test-reporter=spec"]);
    scene.show_to(&mut command);
    // The tests run for a minute; another thread waits for them so that the simulated services keep running.
    let tally = tokio::task::spawn_blocking(move || Tally::run(&mut command)).await??;
    if tally.failed > 0 {
        eprintln!("the component's last log lines:\n{}", scene.last_words());
    }
    Ok(tally)
}

async fn screenshots(tools: &Tools, runtime: Runtime, folder: &Path) -> Result<()> {
    progress::step(&format!("taking screenshots into {}", folder.display()));
    // Node runs in the tests' own directory.
    let folder = std::path::absolute(folder)?;
    let scene = Scene::start(runtime, ROUNDS).await?;
    let mut command = tools.node();
    command.arg("support/screenshots.js").arg(folder);
    scene.show_to(&mut command);
    tokio::task::spawn_blocking(move || progress::run(&mut command)).await?
}

/// The directory of the tests.
fn tests_dir() -> std::path::PathBuf {
    workspace::root().join("tests/browser")
}

/// The results of Node's test runner.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Tally {
    /// Runs the tests, shows their output as it arrives and counts the results in it.
    fn run(command: &mut Command) -> Result<Self> {
        let mut tally = Self::default();
        let succeeded = progress::watch(command, |line| tally.add(line))?;
        if !succeeded && tally.failed == 0 {
            bail!("the dashboard's tests did not finish");
        }
        Ok(tally)
    }

    /// Parses the last lines of the runner's output: `ℹ pass 47`.
    fn add(&mut self, line: &str) {
        let words: Vec<_> = line.split_whitespace().collect();
        let [_, name, number] = words.as_slice() else { return };
        let Ok(number) = number.parse::<u64>() else { return };
        match *name {
            "pass" => self.passed = number,
            "fail" | "cancelled" => self.failed += number,
            "skipped" => self.skipped = number,
            _ => {}
        }
    }

    /// Fails if a test failed.
    pub fn into_result(self) -> Result<()> {
        if self.failed > 0 {
            bail!("dashboard tests failed; see the lines above");
        }
        Ok(())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passed, failed, skipped } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped (dashboard in Chromium)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_of_the_runner_are_counted() {
        let mut tally = Tally::default();
        for line in [
            "✔ no fault: all is well (2000.1ms)",
            "ℹ tests 50",
            "ℹ pass 47",
            "ℹ fail 1",
            "ℹ cancelled 1",
            "ℹ skipped 1",
        ] {
            tally.add(line);
        }
        assert_eq!(tally, Tally { passed: 47, failed: 2, skipped: 1 });
        assert!(tally.into_result().is_err());
    }
}
