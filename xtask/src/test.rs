//! `cargo xtask test`: every test, with a summary.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::cli::TestArgs;
use crate::runtime::Runtime;
use crate::{build, progress, setup};

/// Runs all tests and prints how they went.
pub fn run(args: &TestArgs) -> Result<()> {
    args.runtime.program()?;
    setup::everything()?;
    let mut suites = Vec::new();
    suites.push(Suite::run("native", native_tests())?);
    build::all(args.runtime)?;
    suites.push(Suite::run("host", host_tests())?);
    suites.push(Suite::run("end to end", end_to_end_tests(args.runtime))?);
    report(&suites)
}

/// Everything that needs no built component: unit, flow and tidy tests, simulators, these commands.
fn native_tests() -> Command {
    let mut command = test_command();
    command.args(["--workspace", "--exclude", "host", "--exclude", "e2e"]);
    command
}

fn host_tests() -> Command {
    let mut command = test_command();
    command.args(["--package", "host"]);
    command
}

fn end_to_end_tests(runtime: Runtime) -> Command {
    let mut command = test_command();
    command.args(["--package", "e2e"]).env("E2E_RUNTIME", runtime.name());
    command
}

fn test_command() -> Command {
    let mut command = build::cargo("test");
    command.arg("--no-fail-fast");
    command
}

/// What one call of `cargo test` came to.
struct Suite {
    name: &'static str,
    passed: u64,
    failed: u64,
    ignored: u64,
    succeeded: bool,
    seconds: f64,
}

impl Suite {
    /// Runs `cargo test`, shows its output as it comes and counts the results in it.
    fn run(name: &'static str, mut command: Command) -> Result<Self> {
        progress::step(&format!("tests: {name}"));
        let start = Instant::now();
        let mut suite = Self { name, passed: 0, failed: 0, ignored: 0, succeeded: false, seconds: 0.0 };
        let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
        let output = child.stdout.take().context("cargo has no output")?;
        let mut screen = std::io::stdout().lock();
        for line in BufReader::new(output).lines() {
            let line = line?;
            writeln!(screen, "{line}")?;
            suite.count(&line);
        }
        suite.succeeded = child.wait()?.success();
        suite.seconds = start.elapsed().as_secs_f64();
        Ok(suite)
    }

    /// Reads `test result: ok. 5 passed; 0 failed; 1 ignored; …`.
    fn count(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        let words: Vec<_> = result.split([' ', ';']).filter(|word| !word.is_empty()).collect();
        for pair in words.windows(2) {
            let Ok(number) = pair[0].parse::<u64>() else { continue };
            match pair[1] {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }

    fn describe(&self) -> String {
        let verdict = if self.succeeded { "ok" } else { "FAILED" };
        let Self { name, passed, failed, ignored, seconds, .. } = self;
        format!(
            "{verdict:<7} {name:<11} {passed:>4} passed, {failed} failed, {ignored} ignored in {seconds:.1} s"
        )
    }
}

fn report(suites: &[Suite]) -> Result<()> {
    println!("\nSummary");
    for suite in suites {
        println!("  {}", suite.describe());
    }
    let failed: Vec<_> = suites.iter().filter(|suite| !suite.succeeded).map(|suite| suite.name).collect();
    if !failed.is_empty() {
        bail!("tests failed: {}", failed.join(", "));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_several_binaries_add_up() {
        let mut suite =
            Suite { name: "native", passed: 0, failed: 0, ignored: 0, succeeded: true, seconds: 1.25 };
        suite.count(
            "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s",
        );
        suite.count("running 3 tests");
        suite.count("test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out");
        assert_eq!((suite.passed, suite.failed, suite.ignored), (7, 1, 1));
    }
}
