//! Queries a Rust compiler.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::progress;
use crate::workspace::WASM_TARGET;

/// A Rust compiler: the one that cargo uses here, or one named by its path.
#[derive(Debug)]
pub struct Compiler {
    rustc: OsString,
}

impl Compiler {
    /// The compiler at `path`, else the one that cargo uses.
    pub fn new(path: Option<PathBuf>) -> Self {
        let named = path.map(PathBuf::into_os_string);
        let rustc = named.or_else(|| std::env::var_os("RUSTC")).unwrap_or_else(|| "rustc".into());
        Self { rustc }
    }

    /// The program to run.
    pub fn program(&self) -> &OsString {
        &self.rustc
    }

    /// Its version, such as `1.95.0` or `1.97.0-nightly`.
    pub fn version(&self) -> Result<String> {
        let line = progress::capture(Command::new(&self.rustc).arg("--version"))?;
        let version = line.split_whitespace().nth(1);
        version.map(str::to_owned).with_context(|| format!("unexpected output of `rustc --version`: {line}"))
    }

    /// Its directory for the libraries of the component's target, whether installed or not.
    pub fn target_libdir(&self) -> Result<PathBuf> {
        let args = ["--print", "target-libdir", "--target", WASM_TARGET];
        progress::capture(Command::new(&self.rustc).args(args)).map(PathBuf::from)
    }

    /// Whether it can build for the component's target.
    pub fn has_target(&self) -> Result<bool> {
        Ok(has_standard_library(&self.target_libdir()?))
    }

    /// Compiles an empty program for the component's target, to check that all its parts work together.
    pub fn try_target(&self, scratch: &Path) -> Result<()> {
        let source = scratch.join("probe.rs");
        std::fs::write(&source, "fn main() {}\n")?;
        let mut command = Command::new(&self.rustc);
        command.args(["--target", WASM_TARGET, "-o"]).arg(scratch.join("probe.wasm")).arg(&source);
        progress::capture(&mut command).map(drop)
    }
}

fn has_standard_library(libdir: &Path) -> bool {
    let Ok(entries) = libdir.read_dir() else { return false };
    entries.filter_map(Result::ok).any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    })
}
