//! The runtimes of the component.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::progress;
use crate::workspace;

/// The oldest Spin that runs WASI 0.3 components.
const SPIN_VERSION_MIN: (u32, u32) = (4, 1);

/// What runs the component.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Runtime {
    /// The host of this repository: Spin's engine, built only from package registries
    #[default]
    Host,
    /// The `spin` binary named by SPIN or found on the PATH, 4.1 or later
    Spin,
}

impl Runtime {
    /// The name on the command line and in the end-to-end tests' environment.
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Spin => "spin",
        }
    }

    /// The program to start. Spin must be installed and recent enough; the host is built by [`crate::build`].
    pub fn program(self) -> Result<PathBuf> {
        match self {
            Self::Host => Ok(workspace::host()),
            Self::Spin => {
                let spin = sim::orchestrator::spin_program();
                let line = progress::capture(Command::new(&spin).arg("--version")).context(
                    "--runtime spin requires the spin binary, on the PATH or given by SPIN; otherwise use --runtime host",
                )?;
                require_new_enough(&line)?;
                Ok(spin)
            }
        }
    }
}

/// Checks the output of `spin --version`, such as `spin 4.1.0 (f05ae21 2026-06-01)`.
fn require_new_enough(line: &str) -> Result<()> {
    let version = line.split_whitespace().nth(1).unwrap_or_default();
    let mut parts = version.split('.').map(str::parse);
    let (Some(Ok(major)), Some(Ok(minor))) = (parts.next(), parts.next()) else {
        bail!("unexpected output of `spin --version`: {line}");
    };
    let (need_major, need_minor) = SPIN_VERSION_MIN;
    if (major, minor) < SPIN_VERSION_MIN {
        bail!("the component needs WASI 0.3, so Spin {need_major}.{need_minor} or later; found {version}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_of_spin_are_refused() {
        assert!(require_new_enough("spin 4.1.0 (f05ae21 2026-06-01)").is_ok());
        assert!(require_new_enough("spin 10.0.0").is_ok());
        assert!(require_new_enough("spin 4.2.0-pre0 (abc)").is_ok());
        let refusal = require_new_enough("spin 3.6.2 (abc)").unwrap_err().to_string();
        assert!(refusal.contains("found 3.6.2"), "{refusal}");
        assert!(require_new_enough("spin").is_err());
    }
}
