//! Builds the component and the host that runs it.

use std::fs;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};

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

/// Builds the component; quick if nothing has changed.
pub fn component(debug: bool) -> Result<()> {
    setup::target()?;
    progress::step(if debug { "building the component (debug)" } else { "building the component (release)" });
    progress::run(&mut build_of_component(debug))
}

fn build_of_component(debug: bool) -> Command {
    let mut command = cargo("build");
    command.args(["--package", "orchestrator", "--lib", "--target", WASM_TARGET]);
    if !debug {
        command.arg("--release");
    }
    command
}

/// Builds the release component and what runs it.
pub fn all(runtime: Runtime) -> Result<()> {
    if runtime == Runtime::Host && !workspace::host().exists() {
        return both_at_once();
    }
    component(false)?;
    match runtime {
        Runtime::Host => {
            progress::step("building the host");
            progress::run(&mut build_of_host())
        }
        // Tests start it on Spin.
        Runtime::Spin => progress::run(cargo("build").args(["--package", "entry"])),
    }
}

/// The first build: the end of the component's uses one core only, so the host is built beside it. Of two builds at once,
/// only one can show its progress.
fn both_at_once() -> Result<()> {
    setup::target()?;
    progress::step(
        "building the component and the host: minutes this first time, because the host compiles Wasmtime",
    );
    progress::note("later builds take seconds");
    let component = thread::spawn(|| {
        let built = progress::capture(&mut build_of_component(false));
        built.inspect_err(|error| progress::note(&format!("{error:#}"))).is_ok()
    });
    let host = progress::run(&mut build_of_host());
    let bar = progress::spinner("building the component");
    let component =
        component.join().map_err(|_| anyhow!("the thread that builds the component has failed"))?;
    bar.finish_and_clear();
    ensure!(component, "the component could not be built: what is wrong stands above");
    host
}

/// The host is built as part of the whole workspace: the features of shared dependencies depend on the selected packages,
/// and for the host alone cargo would build a second Wasmtime in addition to the tests'.
fn build_of_host() -> Command {
    let mut command = cargo("build");
    command.args(["--workspace", "--bin", "host"]);
    command
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn tree(arguments: &str) -> BTreeSet<String> {
        let mut command = cargo("tree");
        command.args(["--offline", "--prefix", "none"]).args(arguments.split(' '));
        let lines = progress::capture(&mut command).unwrap();
        lines.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
    }

    #[test]
    fn host_and_tests_share_one_build_of_wasmtime() {
        let name = |line: &String| line.split(' ').next().unwrap_or_default().to_owned();
        let of_host: BTreeSet<_> = tree("--package host --edges normal").iter().map(name).collect();
        let with_features = |edges: &str| {
            let lines = tree(&format!("--workspace --edges {edges} --format {{p}}:{{f}}"));
            lines.into_iter().filter(|line| of_host.contains(&name(line))).collect::<BTreeSet<_>>()
        };
        let (host, tests) = (with_features("normal"), with_features("normal,dev"));
        let different: Vec<_> = host.difference(&tests).collect();
        assert!(
            different.is_empty(),
            "tests enable features that the host is built without, so cargo builds Wasmtime twice; \
             enable the same features in crates/host/Cargo.toml: {different:?}"
        );
    }
}
