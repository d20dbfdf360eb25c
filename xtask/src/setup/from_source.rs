//! Builds the standard library of the component's target if rustup cannot download it.
//!
//! Needs a Debian-based machine: the library's source and the C library for WASI are Debian packages from a backports
//! suite. They are fetched and unpacked below `target/`; nothing is installed into the system, and apart from reading
//! the archive's address, apt's state is left alone. The result goes into the compiler's own directory, where plain
//! `cargo build --target` finds it. To undo: delete that directory.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::compiler::Compiler;
use super::debian::{self, Packages};
use crate::progress;
use crate::workspace::{self, WASM_TARGET};

/// The files of the C library that a program for WASI is linked with.
const LIBC_FILES: [&str; 3] = ["crt1-command.o", "crt1-reactor.o", "libc.a"];

/// Fetches, builds and installs; cleans up if everything succeeded.
pub fn install(compiler: &Compiler) -> Result<()> {
    let scratch = workspace::target_dir().join(format!("{WASM_TARGET}-std"));
    if scratch.exists() {
        fs::remove_dir_all(&scratch).context("cannot remove the previous attempt")?;
    }
    fs::create_dir_all(&scratch)?;
    let packages = debian::fetch(&compiler.version()?, &scratch)?;
    build(compiler, &packages, &scratch)?;
    copy(compiler, &packages, &scratch)?;
    compiler.try_target(&scratch).context("the target was built but does not work")?;
    fs::remove_dir_all(&scratch).context("cannot remove the build directory")
}

/// Builds the standard library with the compiler that will use it.
///
/// The flags are those of the compiler's own build: without them its crates could not use unstable features, and
/// programs could not be optimized together with the library.
fn build(compiler: &Compiler, packages: &Packages, scratch: &Path) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--release", "--target", WASM_TARGET, "--manifest-path", "sysroot/Cargo.toml"])
        .args(["--no-default-features", "--features", "panic-unwind backtrace compiler-builtins-mem"])
        .current_dir(&packages.library_source)
        .env("RUSTC", compiler.program())
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTFLAGS", "-Zforce-unstable-if-unmarked -Cembed-bitcode=yes")
        .env("__CARGO_DEFAULT_LIB_METADATA", "stablestd")
        .env("CARGO_TARGET_DIR", scratch.join("build"))
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("RUSTC_WRAPPER");
    progress::run_quietly("building the standard library, takes about a minute", &mut command).map(drop)
}

/// Installs the libraries in one step, so that an interrupted setup leaves no partial target.
fn copy(compiler: &Compiler, packages: &Packages, scratch: &Path) -> Result<()> {
    let libdir = compiler.target_libdir()?;
    let home = libdir.parent().context("the compiler's library directory has no parent")?;
    let staged = home.with_extension("partial");
    if staged.exists() {
        fs::remove_dir_all(&staged)?;
    }
    let lib = staged.join("lib");
    let self_contained = lib.join("self-contained");
    fs::create_dir_all(&self_contained)
        .with_context(|| format!("cannot write to {}: run setup as its owner", home.display()))?;

    let built = scratch.join("build").join(WASM_TARGET).join("release/deps");
    let mut count = 0;
    for entry in built.read_dir().with_context(|| format!("no libraries in {}", built.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rlib") {
            fs::copy(&path, lib.join(path.file_name().unwrap_or_default()))?;
            count += 1;
        }
    }
    if count == 0 {
        bail!("the build produced no libraries in {}", built.display());
    }
    for name in LIBC_FILES {
        let from = packages.libc.join(name);
        fs::copy(&from, self_contained.join(name)).with_context(|| format!("no {}", from.display()))?;
    }
    let note = format!("Built from source by `cargo xtask setup`.\nTo undo: delete {}\n", home.display());
    fs::write(staged.join("README"), note)?;
    if home.exists() {
        fs::remove_dir_all(home)?;
    }
    fs::rename(&staged, home).with_context(|| format!("cannot create {}", home.display()))
}
