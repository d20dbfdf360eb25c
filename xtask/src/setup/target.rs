//! Makes the component's target available to a compiler.

use std::process::Command;

use anyhow::{Context, Error, Result, anyhow, bail};

use super::compiler::Compiler;
use super::from_source;
use crate::progress;
use crate::workspace::WASM_TARGET;

/// How the target was installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It was already installed.
    Present,
    /// rustup has just added it.
    Rustup,
    /// Its standard library has just been built from source.
    Source,
}

/// Ensures that `compiler` can build for the component's target.
///
/// Asks the compiler first, because rustup cannot add a target that was installed manually.
pub fn ensure(compiler: &Compiler, use_rustup: bool) -> Result<Origin> {
    if compiler.has_target()? {
        return Ok(Origin::Present);
    }
    progress::step(&format!("adding the target {WASM_TARGET}"));
    let asked = use_rustup.then(|| add_by_rustup(compiler));
    let rustup_error = match asked {
        Some(Ok(())) => return Ok(Origin::Rustup),
        Some(Err(error)) => error,
        None => anyhow!("not asked"),
    };
    progress::note(&format!("rustup: {}", last_line(&rustup_error)));
    from_source::install(compiler).with_context(|| {
        format!(
            "the target {WASM_TARGET} is missing and could not be added\n\
             rustup: {rustup_error:#}\n\
             To add it manually: `rustup target add {WASM_TARGET}`; if Rust comes from a distribution, \
             install its package of the standard library for {WASM_TARGET}."
        )
    })?;
    Ok(Origin::Source)
}

fn add_by_rustup(compiler: &Compiler) -> Result<()> {
    let mut command = Command::new("rustup");
    command.args(["target", "add", WASM_TARGET]);
    progress::run_quietly("rustup target add", &mut command)?;
    if !compiler.has_target()? {
        bail!("rustup added the target to a toolchain other than the compiler's");
    }
    Ok(())
}

fn last_line(error: &Error) -> String {
    error.to_string().lines().last().unwrap_or_default().to_owned()
}
