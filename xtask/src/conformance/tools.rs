//! The checkers, found or installed below `target/tools/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{progress, workspace};

/// A program from a Debian package.
pub struct Debian {
    program: PathBuf,
}

impl Debian {
    /// Finds the program on the search path, else downloads the package and unpacks it for this project only.
    pub fn ensure(name: &str, package: &str) -> Result<Self> {
        if let Some(program) = on_search_path(name) {
            return Ok(Self { program });
        }
        let folder = tools_dir(package)?;
        let program = folder.join("root/usr/bin").join(name);
        if !program.exists() {
            download(&folder, package).with_context(|| {
                format!(
                    "{name} is missing: install your system's package {package}, or put {name} on the PATH"
                )
            })?;
        }
        if !program.exists() {
            bail!("Debian's package {package} no longer contains {name}");
        }
        Ok(Self { program })
    }

    pub fn command(&self) -> Command {
        Command::new(&self.program)
    }
}

/// Downloads and unpacks a package with the machine's package lists or, if these are empty or outdated, with separate
/// new ones.
fn download(folder: &Path, package: &str) -> Result<()> {
    let own = folder.join("apt");
    for part in ["lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(own.join(part))?;
    }
    let apt = |private: bool| {
        let mut command = Command::new("apt-get");
        // Otherwise apt, run by root, downloads as a user that may not write here, and warns.
        command.args(["-o", "APT::Sandbox::User=root"]).current_dir(folder);
        if private {
            command.arg("-o").arg(format!("Dir::State::Lists={}", own.join("lists").display()));
            command.arg("-o").arg(format!("Dir::Cache={}", own.join("cache").display()));
        }
        command
    };
    let fetch = |private| {
        let message = format!("downloading {package}");
        progress::run_quietly(&message, apt(private).args(["download", package]))
    };
    if fetch(false).is_err() {
        progress::run_quietly("updating the package lists", apt(true).arg("update"))?;
        fetch(true)?;
    }
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            let mut unpack = Command::new("dpkg");
            unpack.arg("-x").arg(&path).arg(folder.join("root"));
            progress::run_quietly("unpacking", &mut unpack)?;
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// A Python environment with the checkers in `tests/conformance/requirements.txt`.
pub struct Python {
    folder: PathBuf,
}

impl Python {
    /// Uses the existing one if the requirements have not changed, else creates a new one.
    pub fn ensure() -> Result<Self> {
        let folder = tools_dir("python")?;
        let requirements = workspace::root().join("tests/conformance/requirements.txt");
        let wanted = fs::read_to_string(&requirements)?;
        let stamp = folder.join("requirements.txt");
        if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
            return Ok(Self { folder });
        }
        let mut make = Command::new("python3");
        make.args(["-m", "venv", "--clear"]).arg(&folder);
        progress::run_quietly("creating a Python environment", &mut make).context(
            "Python 3.10 or later is missing: install your system's packages python3 and python3-venv",
        )?;
        let mut install = Command::new(folder.join("bin/pip"));
        install
            .args(["install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(&requirements);
        progress::run_quietly("pip install, for the API checks", &mut install).context(
            "openapi-spec-validator and schemathesis cannot be installed: pip must reach its package index",
        )?;
        fs::write(stamp, wanted)?;
        Ok(Self { folder })
    }

    /// Runs one of its programs.
    pub fn command(&self, program: &str) -> Command {
        Command::new(self.folder.join("bin").join(program))
    }
}

/// A folder for one tool; `cargo clean` removes it.
fn tools_dir(name: &str) -> Result<PathBuf> {
    let folder = workspace::target_dir().join("tools").join(name);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

fn on_search_path(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
}
