//! Sets up a machine: installs what it can, and says how to get the rest.

mod compiler;
mod debian;
mod from_source;
mod target;

use anyhow::{Result, anyhow};
use sim::firestore::Emulator;

use self::compiler::Compiler;
use self::target::Origin;
use crate::cli::SetupArgs;
use crate::workspace::WASM_TARGET;

/// `cargo xtask setup`.
pub fn run(args: SetupArgs) -> Result<()> {
    let compiler = Compiler::new(args.rustc);
    let target = describe_target(&compiler, !args.no_rustup)
        .inspect_err(|error| println!("missing  compiler target: {error:#}"));
    if let Ok(fact) = &target {
        println!("ok       compiler target: {fact}");
    }
    match Emulator::find() {
        Ok(found) => println!("ok       Firestore emulator and its Java: {}", found.program.display()),
        Err(error) => println!("left out Firestore emulator: {error:#}.\n         {WITHOUT_EMULATOR}"),
    }
    target.map(drop).map_err(|_| anyhow!("the compiler target is missing"))
}

/// What is different on a machine without the emulator.
pub const WITHOUT_EMULATOR: &str = "Until then the commands use the embedded Firestore, the conformance suite is not \
    run against the real one, and `cargo xtask bench` and `cargo xtask ci` do not run.";

/// Ensures what a build of the component needs; prints nothing if it is installed.
pub fn target() -> Result<()> {
    target::ensure(&Compiler::new(None), true).map(drop)
}

/// Demands the emulator; the error says how to get it.
pub fn emulator() -> Result<()> {
    Emulator::find().map(drop)
}

fn describe_target(compiler: &Compiler, use_rustup: bool) -> Result<String> {
    let how = match target::ensure(compiler, use_rustup)? {
        Origin::Present => "",
        Origin::Rustup => ", added by rustup",
        Origin::Source => ", built from source; to undo delete that directory",
    };
    Ok(format!("{WASM_TARGET} in {}{how}", compiler.target_libdir()?.display()))
}
