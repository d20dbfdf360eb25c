//! Fetches packages of a Debian suite without touching the machine's own apt state.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::progress;
use crate::workspace::WASM_TARGET;

/// The suite that has the library's source for several Rust versions.
const SUITE: &str = "trixie-backports";

/// Names of the Debian archive's keyring in different releases.
const KEYRINGS: [&str; 2] =
    ["/usr/share/keyrings/debian-archive-keyring.gpg", "/usr/share/keyrings/debian-archive-keyring.pgp"];

/// The unpacked contents of the packages.
#[derive(Debug)]
pub struct Packages {
    /// The workspace of the standard library.
    pub library_source: PathBuf,
    /// The folder of the C library for the component's target.
    pub libc: PathBuf,
}

/// Downloads and unpacks the standard library's source of exactly that Rust version and the C library for WASI.
pub fn fetch(rust_version: &str, scratch: &Path) -> Result<Packages> {
    let archives = archives()?;
    let mut problems = Vec::new();
    for archive in &archives {
        match fetch_from(archive, rust_version, scratch) {
            Ok(packages) => return Ok(packages),
            Err(error) => problems.push(format!("{error:#}")),
        }
    }
    bail!(
        "no archive in this machine's apt configuration provides the suite {SUITE}: {}",
        problems.join("; ")
    )
}

fn fetch_from(archive: &str, rust_version: &str, scratch: &Path) -> Result<Packages> {
    let apt = Apt::new(archive, scratch)?;
    progress::run_quietly("updating the package lists", apt.command("apt-get").arg("update"))?;
    let listed = progress::capture(apt.command("apt-cache").args(["madison", "rust-src"]))?;
    let Some(package_version) = matching_version(&listed, rust_version) else {
        bail!(
            "the compiler is Rust {rust_version}, but the archive has no source package for exactly that \
             version, only: {}",
            versions(&listed).collect::<Vec<_>>().join(", ")
        );
    };
    let source = format!("rust-src={package_version}");
    let mut download = apt.command("apt-get");
    download.args(["download", &source, "wasi-libc"]).current_dir(scratch);
    progress::run_quietly("downloading the standard library's source, 45 MB", &mut download)?;
    unpack(scratch, rust_version)
}

fn unpack(scratch: &Path, rust_version: &str) -> Result<Packages> {
    let tree = scratch.join("root");
    for entry in scratch.read_dir()? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            let mut command = Command::new("dpkg");
            command.arg("-x").arg(&path).arg(&tree);
            progress::run_quietly("unpacking", &mut command)?;
        }
    }
    let library_source = tree.join(format!("usr/src/rustc-{rust_version}/library"));
    let libc = tree.join("usr/lib").join(WASM_TARGET);
    for folder in [&library_source, &libc] {
        if !folder.is_dir() {
            bail!("the packages no longer contain {}", folder.display());
        }
    }
    Ok(Packages { library_source, libc })
}

/// The archive addresses of this machine's own Debian release.
fn archives() -> Result<Vec<String>> {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let codename = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let Some(codename) = codename.map(|value| value.trim_matches('"')) else {
        bail!("building it from source is only supported on Debian-based machines");
    };
    let mut command = Command::new("apt-get");
    command.args(["indextargets", "--no-release-info", "--format", "$(RELEASE) $(COMPONENT) $(REPO_URI)"]);
    let targets = progress::capture(&mut command)?;
    let archives = archives_of(&targets, codename);
    if archives.is_empty() {
        bail!("this machine's apt configuration has no archive for its release {codename}");
    }
    Ok(archives)
}

fn archives_of(targets: &str, codename: &str) -> Vec<String> {
    let prefix = format!("{codename} main ");
    let unique: BTreeSet<_> = targets.lines().filter_map(|line| line.strip_prefix(&prefix)).collect();
    unique.into_iter().map(str::to_owned).collect()
}

/// The version in each line of `apt-cache madison`: ` rust-src | VERSION | archive`.
fn versions(listed: &str) -> impl Iterator<Item = &str> {
    listed.lines().filter_map(|line| line.split('|').nth(1)).map(str::trim)
}

fn matching_version<'a>(listed: &'a str, rust_version: &str) -> Option<&'a str> {
    versions(listed).find(|version| version.split(['+', '-', '~']).next() == Some(rust_version))
}

/// apt with its own source list, package lists and cache.
struct Apt {
    options: Vec<String>,
}

impl Apt {
    fn new(archive: &str, scratch: &Path) -> Result<Self> {
        let home = scratch.join("apt");
        for folder in ["lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(home.join(folder))?;
        }
        let keyring = KEYRINGS.into_iter().find(|path| Path::new(path).exists());
        let signed_by = keyring.map(|path| format!("[signed-by={path}] ")).unwrap_or_default();
        let sources = home.join("sources.list");
        fs::write(&sources, format!("deb {signed_by}{archive} {SUITE} main\n")).context("cannot write")?;
        let options = [
            format!("Dir::Etc::SourceList={}", sources.display()),
            "Dir::Etc::SourceParts=/dev/null".to_owned(),
            format!("Dir::State::Lists={}", home.join("lists").display()),
            format!("Dir::Cache={}", home.join("cache").display()),
            // Otherwise apt, run by root, downloads as a user that may not write here, and warns.
            "APT::Sandbox::User=root".to_owned(),
        ];
        Ok(Self { options: options.into() })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for option in &self.options {
            command.args(["-o", option]);
        }
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTED: &str = " rust-src | 1.96.1+dfsg1-2~bpo13+1 | archive main\n rust-src | 1.95.0+dfsg1-2~bpo13+1 | archive main\n";

    #[test]
    fn only_the_exact_version_matches() {
        assert_eq!(matching_version(LISTED, "1.95.0"), Some("1.95.0+dfsg1-2~bpo13+1"));
        assert_eq!(matching_version(LISTED, "1.95"), None);
        assert_eq!(matching_version(LISTED, "1.96.0"), None);
        assert_eq!(matching_version(LISTED, "1.97.0-nightly"), None);
    }

    #[test]
    fn the_archive_is_the_one_of_the_release_itself() {
        let targets = "bookworm main http://a/debian/\nbookworm main http://a/debian/\n\
                       bookworm-security main http://a/security/\nbookworm contrib http://b/\nnodistro main http://c/\n";
        assert_eq!(archives_of(targets, "bookworm"), ["http://a/debian/"]);
        assert!(archives_of(targets, "trixie").is_empty());
    }
}
