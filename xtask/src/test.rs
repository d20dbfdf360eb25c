//! `cargo xtask test`: every test, with a summary.

use std::fmt;
use std::process::Command;
use std::time::Instant;

use anyhow::{Result, bail};
use sim::firestore::{Emulator, Kind};

use crate::cli::TestArgs;
use crate::runtime::Runtime;
use crate::{browser, build, conformance, fifth, progress, setup};

/// Builds what the end-to-end tests need, runs all tests and prints a summary.
pub fn run(args: &TestArgs) -> Result<()> {
    let program = args.runtime.program()?;
    setup::target()?;
    let emulator = Emulator::find();
    build::all(args.runtime)?;
    progress::step("running all tests: unit, flow, tidy, simulators, host, end to end");
    let mut command = build::cargo("test");
    command.args(["--workspace", "--no-fail-fast"]).env("E2E_RUNTIME", args.runtime.name());
    // Where there is an emulator, its tests must not be skipped for another reason.
    command.env("E2E_FIRESTORE", if emulator.is_ok() { Kind::Emulator } else { Kind::Embedded }.name());
    if args.runtime == Runtime::Spin {
        // The host's parity is tested on it too.
        command.env("SPIN", program);
    }
    let start = Instant::now();
    let (tally, succeeded) = Tally::run(&mut command)?;
    fifth::run()?;
    let browser = crate::wait(browser::part_of_all(args.runtime))?;
    let checkers = crate::wait(conformance::part_of_all(args.runtime))?;
    println!("\nSummary: {tally} in {} s", start.elapsed().as_secs());
    match &browser {
        Some(browser) => println!("         {browser}"),
        None => println!(
            "         left out: the dashboard in Chromium; the lines above say how to get what is missing"
        ),
    }
    println!("         {checkers}");
    match &emulator {
        Ok(_) => println!("         end to end on the real Firestore emulator"),
        Err(missing) => {
            println!("         end to end on the embedded Firestore, with the cloud's limits");
            println!("         left out: the conformance suite against the real emulator. {missing:#}");
        }
    }
    if !succeeded {
        bail!("tests failed; see the lines above");
    }
    browser.map_or(Ok(()), browser::Tally::into_result)?;
    checkers.into_result()
}

/// The total results of the test binaries.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    binaries: u64,
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Tally {
    /// Runs `cargo test`, shows its output as it arrives, counts the results in it, and returns whether it succeeded.
    fn run(command: &mut Command) -> Result<(Self, bool)> {
        let mut tally = Self::default();
        let succeeded = progress::watch(command, |line| tally.add(line))?;
        Ok((tally, succeeded))
    }

    /// Parses `test result: ok. 5 passed; 0 failed; 1 ignored; …`.
    fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        self.binaries += 1;
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
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { binaries, passed, failed, ignored } = self;
        write!(f, "{passed} passed, {failed} failed, {ignored} ignored ({binaries} test binaries)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_several_binaries_add_up() {
        let mut tally = Tally::default();
        tally.add(
            "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s",
        );
        tally.add("running 3 tests");
        tally.add("test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out");
        assert_eq!(tally, Tally { binaries: 2, passed: 7, failed: 1, ignored: 1 });
    }
}
