//! Finds the emulator and Java on this machine.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

/// Path of the emulator's program if it is not part of an installed Cloud SDK.
pub(super) const BIN_VARIABLE: &str = "FIRESTORE_EMULATOR_BIN";
const PROGRAM: &str = "cloud_firestore_emulator";
const FOLDER: &str = "platform/cloud-firestore-emulator";
/// The oldest Java that runs the emulator.
const JAVA_MIN: u32 = 11;

/// A usable emulator: both its program and the Java that it needs are installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// The program that starts the emulator.
    pub program: PathBuf,
}

impl Installation {
    /// Looks in `FIRESTORE_EMULATOR_BIN`, on the search path and in the Cloud SDK that `gcloud` belongs to.
    ///
    /// The error says what is missing and how to get it.
    pub fn find() -> Result<Self> {
        let program = program()?;
        java()?;
        Ok(Self { program })
    }
}

fn program() -> Result<PathBuf> {
    if let Some(named) = env::var_os(BIN_VARIABLE).map(PathBuf::from) {
        if named.is_file() {
            return Ok(named);
        }
        bail!("{BIN_VARIABLE} names {}, which is not a file: correct or unset it", named.display());
    }
    on_path(PROGRAM).or_else(beside_gcloud).or_else(told_by_gcloud).ok_or_else(|| {
        anyhow::anyhow!(
            "the Firestore emulator is missing. Install it with `gcloud components install cloud-firestore-emulator`, \
             or with the Debian package google-cloud-cli-firestore-emulator, \
             or set {BIN_VARIABLE} to the path of the program {PROGRAM}"
        )
    })
}

/// Finds it in most installations, without running `gcloud`, which takes a second.
fn beside_gcloud() -> Option<PathBuf> {
    let gcloud = on_path("gcloud")?.canonicalize().ok()?;
    in_sdk(gcloud.parent()?.parent()?)
}

fn told_by_gcloud() -> Option<PathBuf> {
    let output =
        Command::new("gcloud").args(["info", "--format=value(installation.sdk_root)"]).output().ok()?;
    in_sdk(Path::new(String::from_utf8(output.stdout).ok()?.trim()))
}

fn in_sdk(root: &Path) -> Option<PathBuf> {
    Some(root.join(FOLDER).join(PROGRAM)).filter(|program| program.is_file())
}

fn on_path(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn java() -> Result<()> {
    // The emulator's own start script reads JAVA in the same way.
    let java = env::var_os("JAVA").unwrap_or_else(|| "java".into());
    let output = Command::new(&java).arg("-version").output().ok().filter(|output| output.status.success());
    let stderr = output.map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
    match stderr.as_deref().map(major_version) {
        Some(Some(version)) if version < JAVA_MIN => {
            bail!("the Firestore emulator needs Java {JAVA_MIN} or later, this is Java {version}")
        }
        Some(_) => Ok(()),
        None => bail!(
            "the Firestore emulator needs Java {JAVA_MIN} or later, and `{}` does not run. \
             On Debian, install default-jre-headless",
            java.display()
        ),
    }
}

/// The number after `version "`; 1.8 counts as 8.
fn major_version(stderr: &str) -> Option<u32> {
    let version = stderr.split_once("version \"")?.1;
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse().ok());
    match numbers.next()?? {
        1 => numbers.next()?,
        major => Some(major),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_version_schemes_of_java_are_parsed() {
        assert_eq!(major_version("openjdk version \"17.0.15\" 2025-04-15"), Some(17));
        assert_eq!(major_version("java version \"1.8.0_392\""), Some(8));
        assert_eq!(major_version("openjdk version \"21\" 2023-09-19"), Some(21));
        assert_eq!(major_version("something else"), None);
    }
}
