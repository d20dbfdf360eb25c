//! `cargo xtask bench`: builds everything with optimizations and measures it.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::cli::BenchArgs;
use crate::runtime::Runtime;
use crate::{build, progress, setup, workspace};

/// Cargo's profile for everything around the component.
const PROFILE: &str = "measure";

/// Builds the component, the host and the measuring program, and starts the latter.
pub fn run(args: &BenchArgs) -> Result<()> {
    let program = args.runtime.program()?;
    setup::target()?;
    setup::emulator()?;
    build::component(false)?;
    progress::step("building the simulators with optimizations, and the host if it is measured");
    progress::note("the first build takes a few minutes, or ten with the host");
    let mut build = build::cargo("build");
    build.args(["--profile", PROFILE, "--bins", "--package", "bench"]);
    if args.runtime == Runtime::Host {
        build.args(["--package", "host"]);
    }
    progress::run(&mut build)?;
    let programs = workspace::target_dir().join(PROFILE);
    let program = match args.runtime {
        Runtime::Host => programs.join("host"),
        Runtime::Spin => program,
    };
    progress::step("measuring: 45 minutes, 15 with --quick; each figure is printed as soon as it is known");
    let mut command = Command::new(programs.join("bench"));
    command.args(["--runtime", args.runtime.name()]).arg("--program").arg(program);
    command.arg("--manifest").arg(workspace::manifest());
    command.arg("--component").arg(workspace::component(false));
    command.arg("--cache").arg(workspace::target_dir().join("bench-cache"));
    for (option, given) in [("--quick", args.quick), ("--json", args.json.is_some())] {
        if given {
            command.arg(option);
        }
    }
    for (option, value) in [("--only", &args.only), ("--job", &args.job)] {
        if let Some(value) = value {
            command.args([option, value]);
        }
    }
    match args.json.as_deref() {
        Some(file) if file.as_os_str() != "-" => {
            let output =
                fs::File::create(file).with_context(|| format!("cannot write {}", file.display()))?;
            progress::run(command.stdout(output))
        }
        _ => progress::run(&mut command),
    }
}
