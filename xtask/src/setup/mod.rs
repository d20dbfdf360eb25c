//! Sets up a machine: installs what it can, and says how to get the rest.

mod compiler;
mod debian;
mod from_source;
mod target;

use anyhow::{Result, bail};
use sim::firestore::Emulator;

use self::compiler::Compiler;
use self::target::Origin;
use crate::cli::SetupArgs;
use crate::workspace::WASM_TARGET;

/// `cargo xtask setup`.
pub fn run(args: SetupArgs) -> Result<()> {
    let compiler = Compiler::new(args.rustc);
    let findings = [
        Finding::new("compiler target", describe_target(&compiler, !args.no_rustup)),
        Finding::new("Firestore emulator and its Java", find_emulator()),
    ];
    let mut missing = Vec::new();
    for finding in findings {
        match finding.result {
            Ok(fact) => println!("ok       {}: {fact}", finding.what),
            Err(error) => {
                println!("missing  {}: {error:#}", finding.what);
                missing.push(finding.what);
            }
        }
    }
    if !missing.is_empty() {
        bail!("missing: {}", missing.join(", "));
    }
    Ok(())
}

/// Ensures what a build of the component needs; prints nothing if it is installed.
pub fn target() -> Result<()> {
    target::ensure(&Compiler::new(None), true).map(drop)
}

/// Ensures what the whole system needs; prints nothing if it is installed.
pub fn everything() -> Result<()> {
    target()?;
    find_emulator().map(drop)
}

/// A requirement: where it is, or how to get it.
struct Finding {
    what: &'static str,
    result: Result<String>,
}

impl Finding {
    fn new(what: &'static str, result: Result<String>) -> Self {
        Self { what, result }
    }
}

fn describe_target(compiler: &Compiler, use_rustup: bool) -> Result<String> {
    let how = match target::ensure(compiler, use_rustup)? {
        Origin::Present => "",
        Origin::Rustup => ", added by rustup",
        Origin::Source => ", built from source; to undo delete that directory",
    };
    Ok(format!("{WASM_TARGET} in {}{how}", compiler.target_libdir()?.display()))
}

fn find_emulator() -> Result<String> {
    Ok(Emulator::find()?.program.display().to_string())
}
