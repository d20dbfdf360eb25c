//! Sets up a machine: adds what can be added, and names the rest with how to get it.

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

/// Makes sure of what a build of the component needs; silent when it is there.
pub fn target() -> Result<()> {
    target::ensure(&Compiler::new(None), true).map(drop)
}

/// Makes sure of what the whole system needs; silent when it is there.
pub fn everything() -> Result<()> {
    target()?;
    find_emulator().map(drop)
}

/// One thing that a machine must have: where it is, or how to get it.
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
