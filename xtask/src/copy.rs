//! Copies of the sources, to change and build without touching them.
//!
//! They share the build directory and unchanged files are not rewritten, so cargo builds only what has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::{build, workspace};

/// Files that a copy replaces or adds, by their path below the root.
pub type Changes = BTreeMap<PathBuf, String>;

/// Makes a folder a copy of the repository with these changes; removes what an earlier copy has left there.
pub fn sources(to: &Path, changes: &Changes) -> Result<()> {
    folder(Path::new(""), to, changes)?;
    changes.iter().try_for_each(|(path, text)| write(&to.join(path), text.as_bytes()))
}

/// The packages that a copy may change.
const PACKAGES: [&str; 3] = ["orchestrator", "sim", "xtask"];

/// A cargo command in a copy. In a shared directory, cargo distinguishes builds by the package's path below its
/// workspace's root and by profile: with the same profile, it could take the build of a copy for the original's.
pub fn cargo(tree: &Path, subcommand: &str) -> Command {
    let mut command = build::cargo(subcommand);
    for package in PACKAGES {
        command.args(["--config", &format!("profile.test.package.{package}.codegen-units=64")]);
    }
    command.current_dir(tree).env("CARGO_TERM_COLOR", "never");
    command
}

/// Copies the folder at this path below the root.
fn folder(below: &Path, to: &Path, changes: &Changes) -> Result<()> {
    fs::create_dir_all(to.join(below))?;
    let mut names = BTreeSet::<OsString>::new();
    for entry in fs::read_dir(workspace::root().join(below))? {
        let entry = entry?;
        let path = entry.path();
        // Every build directory that cargo made has this tag, whatever its name. The copy lies in this one.
        if matches!(entry.file_name().to_str(), Some(".git" | "node_modules"))
            || path.join("CACHEDIR.TAG").exists()
            || path == workspace::target_dir()
        {
            continue;
        }
        let below = below.join(entry.file_name());
        if path.is_dir() {
            folder(&below, to, changes)?;
        } else if !changes.contains_key(&below) && !is_same(&path, &to.join(&below))? {
            fs::copy(&path, to.join(&below))?;
        }
        names.insert(entry.file_name());
    }
    for entry in fs::read_dir(to.join(below))? {
        let entry = entry?;
        let is_added = changes.contains_key(&below.join(entry.file_name()));
        match entry.path() {
            _ if is_added || names.contains(&entry.file_name()) => {}
            path if path.is_dir() => fs::remove_dir_all(path)?,
            path => fs::remove_file(path)?,
        }
    }
    Ok(())
}

fn is_same(one: &Path, other: &Path) -> Result<bool> {
    Ok(fs::read(other).ok() == Some(fs::read(one)?))
}

fn write(path: &Path, content: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|found| found == content) {
        return Ok(());
    }
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}
