//! Breaks the component in many ways, one at a time, and expects the simulation to catch each.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use super::patch::{MUTANTS, Mutant};
use super::{set_seeds, test};
use crate::{copy, progress, workspace};

/// The outcome of a mutant.
enum Fate {
    /// The seed that caught it, and the violation.
    Caught {
        seed: String,
        violation: String,
    },
    Survived,
}

/// Runs every mutant whose name contains `named` on `seeds` seeds and prints a table; fails if one survives.
pub(super) fn run(seeds: u64, named: &str) -> Result<()> {
    let chosen: Vec<_> = MUTANTS.iter().filter(|mutant| mutant.name.contains(named)).collect();
    ensure!(
        !chosen.is_empty(),
        "no mutant's name contains `{named}`; they are in xtask/src/simulate/patch.rs"
    );
    let tree = workspace::target_dir().join("mutants");
    copy::sources(&tree, &copy::Changes::new())?;
    let mut table = progress::table(["mutant", "file", "caught by seed", "as"]);
    let mut survivors = Vec::new();
    for mutant in chosen {
        progress::step(mutant.name);
        match judge(mutant, &tree, seeds)? {
            Fate::Caught { seed, violation } => {
                table.add_row([mutant.name, mutant.file, &seed, &violation]);
            }
            Fate::Survived => {
                survivors.push(mutant.name);
                table.add_row([mutant.name, mutant.file, "none", "SURVIVED"]);
            }
        }
    }
    println!("{table}");
    ensure!(survivors.is_empty(), "{seeds} seeds do not catch: {}", survivors.join("; "));
    Ok(())
}

/// Builds a mutant in a copy of the sources and runs its seeds; restores the copy afterwards.
fn judge(mutant: &Mutant, tree: &Path, seeds: u64) -> Result<Fate> {
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
    let fate = play(tree, seeds);
    fs::write(&path, whole)?;
    fate
}

fn play(tree: &Path, seeds: u64) -> Result<Fate> {
    let cargo = || copy::cargo(tree, "test");
    let mut compile = cargo();
    compile.args(["--quiet", "--package", "orchestrator", "--test", "it", "--no-run"]);
    progress::capture(&mut compile)?;
    let mut command = test(cargo());
    set_seeds(&mut command, 1, seeds);
    command.env("SIMULATION_FAILURES", "1");
    let output = command.output().with_context(|| format!("cannot start `{}`", progress::show(&command)))?;
    if output.status.success() {
        return Ok(Fate::Survived);
    }
    let text =
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines().skip_while(|line| !line.starts_with("seed ") || !line.ends_with(" breaks:"));
    match (lines.next().and_then(|line| line.split(' ').nth(1)), lines.next()) {
        (Some(seed), Some(violation)) => {
            Ok(Fate::Caught { seed: seed.to_owned(), violation: violation.trim().to_owned() })
        }
        _ => bail!("the simulation failed without naming a seed:\n{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutant_matches_the_sources() {
        for mutant in MUTANTS {
            let text = fs::read_to_string(workspace::root().join(mutant.file)).unwrap_or_default();
            assert_eq!(text.matches(mutant.old).count(), 1, "{}: {}", mutant.file, mutant.name);
        }
    }
}
