//! `cargo xtask conformance`: checks the service with published tools: promtool for metrics and alerts,
//! openapi-spec-validator and schemathesis for the API, hadolint and shellcheck for the deployment.

mod scene;
mod tools;

use std::fmt;
use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use self::scene::Scene;
use self::tools::{Debian, Python};
use crate::cli::ConformanceArgs;
use crate::runtime::Runtime;
use crate::{build, progress, setup, workspace};

/// Generated requests per operation; schemathesis adds those that test the description's limits.
const EXAMPLES_MAX: &str = "10";

/// Only one: several would generate requests in threads, which sometimes crashes Python's parser.
const WORKERS: &str = "1";

/// Sets up, builds and runs all checks.
pub async fn run(args: &ConformanceArgs) -> Result<()> {
    setup::target()?;
    build::all(args.runtime)?;
    let tally = part_of_all(args.runtime).await?;
    println!("\nSummary: {tally}");
    tally.into_result()
}

/// Runs the checks as a part of `cargo xtask test`, on what that has built.
pub async fn part_of_all(runtime: Runtime) -> Result<Tally> {
    progress::step(
        "running the published checkers: promtool, openapi-spec-validator, schemathesis, hadolint, shellcheck",
    );
    let (promtool, shellcheck) =
        (Debian::ensure("promtool", "prometheus"), Debian::ensure("shellcheck", "shellcheck"));
    let python = Python::ensure();
    let mut tally = Tally::default();
    let scene = Scene::start(runtime).await?;
    let metrics = scene.metrics().await?;
    match promtool {
        Ok(promtool) => check_with_promtool(&promtool, &metrics, &mut tally),
        Err(error) => tally.skip(&["metrics", "alerts", "the alerts' tests"], &error),
    }
    match shellcheck {
        Ok(shellcheck) => {
            tally.add("the deploy script", check_file(shellcheck.command(), "deploy/cloud-run/deploy.sh"));
        }
        Err(error) => tally.skip(&["the deploy script"], &error),
    }
    match python {
        Ok(python) => {
            tally.add("the Dockerfile", check_file(python.command("hadolint"), "deploy/docker/Dockerfile"));
            let description = check_file(python.command("openapi-spec-validator"), "docs/openapi.json");
            tally.add("the API's description", description);
            // It takes a while; another thread waits for it so that the simulated services keep running.
            let mut command = probe(&python, &scene);
            let outcome = tokio::task::spawn_blocking(move || progress::run(&mut command)).await?;
            tally.add("the API's responses", outcome);
        }
        Err(error) => {
            tally.skip(&["the Dockerfile", "the API's description", "the API's responses"], &error);
        }
    }
    Ok(tally)
}

fn check_with_promtool(promtool: &Debian, metrics: &str, tally: &mut Tally) {
    tally.add("metrics", check_metrics(promtool, metrics));
    let rules = |arguments: [&str; 2], file: &str| {
        let mut command = promtool.command();
        command.args(arguments).arg(workspace::root().join("deploy/monitoring").join(file));
        progress::capture(&mut command).map(drop)
    };
    tally.add("alerts", rules(["check", "rules"], "alerts.yaml"));
    tally.add("the alerts' tests", rules(["test", "rules"], "alerts.test.yaml"));
}

/// promtool reads metrics from its standard input. Style problems count as failures.
fn check_metrics(promtool: &Debian, metrics: &str) -> Result<()> {
    let mut command = promtool.command();
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot start promtool")?;
    // Standard input is closed at the end of the statement, and promtool writes nothing before it has read everything.
    child.stdin.take().context("promtool takes no input")?.write_all(metrics.as_bytes())?;
    let output = child.wait_with_output()?;
    let text = [output.stdout, output.stderr].concat();
    if !output.status.success() || !text.is_empty() {
        bail!("promtool check metrics: {}\n{}", output.status, String::from_utf8_lossy(&text));
    }
    Ok(())
}

/// Runs a checker on a file of the project; it reports problems on either output.
fn check_file(mut checker: Command, file: &str) -> Result<()> {
    checker.arg(workspace::root().join(file)).stdin(Stdio::null());
    let shown = progress::show(&checker);
    let output = checker.output().with_context(|| format!("cannot start `{shown}`"))?;
    if !output.status.success() {
        let text = [output.stdout, output.stderr].concat();
        bail!("`{shown}`: {}\n{}", output.status, String::from_utf8_lossy(&text));
    }
    Ok(())
}

/// Sends valid and invalid requests to the running component: each response must match the description.
fn probe(python: &Python, scene: &Scene) -> Command {
    let mut command = python.command("schemathesis");
    let folder = workspace::root().join("tests/conformance");
    command.arg("--config-file").arg(folder.join("schemathesis.toml"));
    command.env("SCHEMATHESIS_HOOKS", folder.join("hooks.py")).env("PYTHONDONTWRITEBYTECODE", "1");
    // The same requests every time.
    command.args(["run", "--no-color", "--generation-deterministic"]);
    command.args(["--max-examples", EXAMPLES_MAX, "--workers", WORKERS]);
    scene.show_to(&mut command);
    // Keeps its output files out of the repository.
    command.current_dir(workspace::target_dir());
    command
}

/// The results of the checks.
#[derive(Debug, Default)]
pub struct Tally {
    passed: usize,
    failed: Vec<&'static str>,
    skipped: Vec<&'static str>,
}

impl Tally {
    fn add(&mut self, what: &'static str, outcome: Result<()>) {
        match outcome {
            Ok(()) => {
                progress::note(&format!("{what}: passed"));
                self.passed += 1;
            }
            Err(error) => {
                progress::note(&format!("{what}: FAILED: {error:#}"));
                self.failed.push(what);
            }
        }
    }

    /// Counts checks whose program is not available.
    fn skip(&mut self, what: &[&'static str], why: &anyhow::Error) {
        progress::note(&format!("skipped: {}: {why:#}", what.join(", ")));
        self.skipped.extend(what);
    }

    /// Fails if a check failed.
    pub fn into_result(self) -> Result<()> {
        if !self.failed.is_empty() {
            bail!(
                "the published checkers reported problems with: {}; see the lines above",
                self.failed.join(", ")
            );
        }
        Ok(())
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (failed, skipped) = (self.failed.len(), self.skipped.len());
        write!(f, "{} passed, {failed} failed, {skipped} skipped (published checkers)", self.passed)?;
        if skipped > 0 {
            write!(f, "; skipped: {}, see the lines above", self.skipped.join(", "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skipped_check_is_named_and_only_a_failed_one_fails() {
        let mut tally = Tally::default();
        tally.add("metrics", Ok(()));
        tally.skip(&["alerts", "the API's responses"], &anyhow::anyhow!("not here"));
        let text = tally.to_string();
        assert!(text.starts_with("1 passed, 0 failed, 2 skipped"), "{text}");
        assert!(text.contains("alerts, the API's responses"), "{text}");
        assert!(tally.into_result().is_ok());
        let mut tally = Tally::default();
        tally.add("metrics", Err(anyhow::anyhow!("no help text")));
        assert!(tally.into_result().unwrap_err().to_string().contains("reported problems with: metrics"));
    }
}
