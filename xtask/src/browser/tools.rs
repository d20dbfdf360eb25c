//! The tools that the tests need: Node, npm packages, Chromium.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::tests_dir;
use crate::progress;

/// The oldest version of Node that can run the tests.
const NODE_VERSION_MIN: u32 = 20;

/// Names under which Chromium is installed.
const CHROMIUM_NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// The tools, found or installed.
pub struct Tools {
    chromium: PathBuf,
}

impl Tools {
    /// Finds the tools, installs those that can be installed, and says how to get the others.
    pub fn ensure() -> Result<Self> {
        require_node()?;
        let chromium = match find_chromium() {
            Some(path) => path,
            None => install_chromium()?,
        };
        packages()?;
        Ok(Self { chromium })
    }

    /// Node in the tests' directory, with the path of Chromium.
    pub fn node(&self) -> Command {
        let mut command = Command::new("node");
        command.current_dir(tests_dir()).env("CHROMIUM", &self.chromium);
        command
    }
}

fn require_node() -> Result<()> {
    let version = progress::capture(Command::new("node").arg("--version")).with_context(|| {
        format!("Node {NODE_VERSION_MIN} or later is missing: install your system's package nodejs")
    })?;
    let major = version.trim_start_matches('v').split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < NODE_VERSION_MIN) {
        bail!("Node {NODE_VERSION_MIN} or later is needed, found {version}");
    }
    progress::capture(Command::new("npm").arg("--version"))
        .context("npm is missing: install your system's package npm")
        .map(drop)
}

/// Installs the packages in the lock file; uses the registry only if that has changed.
fn packages() -> Result<()> {
    let modified = |path: PathBuf| path.metadata().and_then(|data| data.modified()).ok();
    let installed = modified(tests_dir().join("node_modules/.package-lock.json"));
    if installed.is_some() && installed >= modified(tests_dir().join("package-lock.json")) {
        return Ok(());
    }
    let mut command = Command::new("npm");
    command.args(["ci", "--no-audit", "--no-fund"]).current_dir(tests_dir());
    progress::run_quietly("npm ci, for the dashboard's tests", &mut command).map(drop)
}

/// `CHROMIUM` in the environment, else the first of the usual names on the search path.
fn find_chromium() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("CHROMIUM") {
        return Some(path.into());
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders)
        .flat_map(|folder| CHROMIUM_NAMES.map(|name| folder.join(name)))
        .find(|path| path.is_file())
}

/// Installs Debian's package if possible; otherwise says how to get Chromium.
fn install_chromium() -> Result<PathBuf> {
    const HOW: &str = "Chromium is missing: install your system's package chromium, \
                       or set CHROMIUM to the program's path";
    if !Path::new("/etc/debian_version").exists() || !is_root() {
        bail!(HOW);
    }
    progress::step("installing Debian's package chromium, for the dashboard's tests");
    let mut update = Command::new("apt-get");
    update.arg("update");
    progress::run_quietly("apt-get update", &mut update).context(HOW)?;
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--no-install-recommends", "chromium"]);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    progress::run_quietly("apt-get install chromium", &mut install).context(HOW)?;
    find_chromium().context(HOW)
}

fn is_root() -> bool {
    progress::capture(Command::new("id").arg("-u")).is_ok_and(|id| id == "0")
}
