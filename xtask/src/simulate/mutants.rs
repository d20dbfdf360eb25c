//! Breaks the component in many ways, one at a time, and expects the simulation, or the market and the ledger's tests, to
//! catch each.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::patch::{MUTANTS, Mutant};
use super::{market, set_seeds, test};
use crate::{copy, progress, workspace};

/// Default number of seeds of the simulation.
const SEEDS: u64 = 1_000;
/// Most characters of a violation in the table.
const VIOLATION_CHARS_MAX: usize = 160;
/// The tests that play what the simulation does not, the fastest first.
const TESTS: [&str; 2] = ["ledger::", "market::"];

/// The outcome of a mutant.
enum Fate {
    /// The seed or the test that caught it, and the violation.
    Caught {
        by: String,
        violation: String,
    },
    Survived,
}

/// Runs every mutant whose name contains `named` and prints a table; fails if one survives. With `seeds`, that many
/// worlds are played in place of the usual number.
pub(super) fn run(seeds: Option<u64>, named: &str) -> Result<()> {
    let chosen: Vec<_> = all().filter(|(mutant, _)| mutant.name.contains(named)).collect();
    ensure!(!chosen.is_empty(), "no mutant's name contains `{named}`; they are in xtask/src/simulate");
    let tree = workspace::target_dir().join("mutants");
    copy::sources(&tree, &copy::Changes::new())?;
    let mut table = progress::table(["mutant", "file", "caught by", "as"]);
    let mut survivors = Vec::new();
    if chosen.iter().any(|(mutant, _)| market::MUTANTS.iter().any(|known| known.name == mutant.name)) {
        progress::step("the sources as they are");
        compile(&tree)?;
        if let Fate::Caught { by, violation } = run_tests(&tree, seeds)? {
            bail!("{by} fails without any mutant, so it would catch them all: {violation}");
        }
    }
    for (mutant, play) in chosen {
        progress::step(mutant.name);
        match judge(mutant, &tree, &|tree| play(tree, seeds))? {
            Fate::Caught { by, violation } => {
                table.add_row([mutant.name, mutant.file, &by, &violation]);
            }
            Fate::Survived => {
                survivors.push(mutant.name);
                table.add_row([mutant.name, mutant.file, "none", "SURVIVED"]);
            }
        }
    }
    println!("{table}");
    ensure!(survivors.is_empty(), "nothing catches: {}", survivors.join("; "));
    Ok(())
}

/// Plays a broken copy of the sources.
type Play = fn(&Path, Option<u64>) -> Result<Fate>;

/// Every mutant, and what plays it.
fn all() -> impl Iterator<Item = (&'static Mutant, Play)> {
    let simulated = MUTANTS.iter().map(|mutant| (mutant, simulate as Play));
    simulated.chain(market::MUTANTS.iter().map(|mutant| (mutant, run_tests as Play)))
}

/// Builds a mutant in a copy of the sources and plays it; restores the copy afterwards.
fn judge(mutant: &Mutant, tree: &Path, play: &dyn Fn(&Path) -> Result<Fate>) -> Result<Fate> {
    let path = tree.join(mutant.file);
    let whole = fs::read_to_string(&path).with_context(|| format!("no {}", mutant.file))?;
    let places = whole.matches(mutant.old).count();
    ensure!(
        places == 1,
        "the text of mutant `{}` occurs {places} times in {}: update it",
        mutant.name,
        mutant.file
    );
    fs::write(&path, whole.replacen(mutant.old, mutant.new, 1))?;
    let fate = compile(tree).and_then(|()| play(tree));
    fs::write(&path, whole)?;
    fate
}

fn compile(tree: &Path) -> Result<()> {
    let mut compile = copy::cargo(tree, "test");
    compile.args(["--quiet", "--package", "orchestrator", "--test", "it", "--no-run"]);
    progress::capture(&mut compile).map(drop)
}

/// Runs the simulation: some seed must break.
fn simulate(tree: &Path, seeds: Option<u64>) -> Result<Fate> {
    let mut command = test(copy::cargo(tree, "test"));
    set_seeds(&mut command, 1, seeds.unwrap_or(SEEDS));
    command.env("SIMULATION_FAILURES", "1");
    let Some(text) = failure(&mut command)? else { return Ok(Fate::Survived) };
    let mut lines = text.lines().skip_while(|line| !line.starts_with("seed ") || !line.ends_with(" breaks:"));
    match (lines.next().and_then(|line| line.split(' ').nth(1)), lines.next()) {
        (Some(seed), Some(violation)) => {
            Ok(Fate::Caught { by: format!("seed {seed}"), violation: violation.trim().to_owned() })
        }
        _ => bail!("the simulation failed without naming a seed:\n{text}"),
    }
}

/// Runs the tests of the ledger and of the market: one of them must fail.
fn run_tests(tree: &Path, seeds: Option<u64>) -> Result<Fate> {
    for tests in TESTS {
        let mut command = copy::cargo(tree, "test");
        command.args(["--package", "orchestrator", "--test", "it", "--", tests]);
        command.env("RUST_BACKTRACE", "0");
        command.envs(seeds.map(|seeds| ("MARKET_SEEDS", seeds.to_string())));
        let Some(text) = failure(&mut command)? else { continue };
        // Which test, where, and in the next line why.
        let mut lines = text.lines().skip_while(|line| !line.starts_with("thread '"));
        return match (lines.next().and_then(|line| line.split('\'').nth(1)), lines.next()) {
            (Some(test), Some(violation)) => {
                Ok(Fate::Caught { by: test.to_owned(), violation: clip(violation.trim()) })
            }
            _ => bail!("the tests failed without naming one:\n{text}"),
        };
    }
    Ok(Fate::Survived)
}

/// What a command says that fails; none if it succeeds.
fn failure(command: &mut Command) -> Result<Option<String>> {
    let output = command.output().with_context(|| format!("cannot start `{}`", progress::show(command)))?;
    if output.status.success() {
        return Ok(None);
    }
    let text =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    Ok(Some(text))
}

/// A failed assertion may show a whole report.
fn clip(text: &str) -> String {
    text.chars().take(VIOLATION_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutant_matches_the_sources() {
        for (mutant, _) in all() {
            let text = fs::read_to_string(workspace::root().join(mutant.file)).unwrap_or_default();
            assert_eq!(text.matches(mutant.old).count(), 1, "{}: {}", mutant.file, mutant.name);
        }
    }
}
