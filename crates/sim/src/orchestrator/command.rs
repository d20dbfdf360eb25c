//! The command lines of the runtimes.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Result, bail};

use super::{Builder, Runtime};
use crate::ports::free_port;
use crate::process::Program;

/// Both runtimes read variables from the environment. On the command line, every user could read the secrets.
const VARIABLE_PREFIX: &str = "SPIN_VARIABLE_";

/// How long the container's entry waits for requests in progress; those of tests end sooner.
const DRAIN_SECONDS: &str = "60";

impl Builder {
    /// The program to run, and its address if it does not print one.
    pub(super) fn program(&self) -> Result<(Program, Option<SocketAddr>)> {
        let (bin, mut args, address) = match &self.runtime {
            Runtime::Host { bin } => (bin, self.host_args(), None),
            Runtime::Spin { bin } => {
                let address = self.address_for_spin()?;
                (bin, self.spin_args(address)?, Some(address))
            }
            Runtime::Container { entry, .. } => (entry, Vec::new(), Some(self.address_for_spin()?)),
        };
        args.extend(self.args.iter().map(Into::into));
        let program = Program::new(bin).args(args).configure(|command| {
            // Variables that the developer has set for other runs must not affect this one.
            for (name, _) in std::env::vars_os() {
                if name.to_string_lossy().starts_with(VARIABLE_PREFIX) {
                    command.env_remove(name);
                }
            }
            if let (Runtime::Container { spin, .. }, Some(address)) = (&self.runtime, address) {
                let folder = self.manifest.parent().unwrap_or(Path::new("."));
                command.current_dir(folder).env("SPIN", spin).env("DRAIN_SECONDS", DRAIN_SECONDS);
                command
                    .env("LISTEN_ADDRESS", address.ip().to_string())
                    .env("PORT", address.port().to_string());
            }
            for (name, value) in &self.variables {
                command.env(format!("{VARIABLE_PREFIX}{}", name.to_ascii_uppercase()), value);
            }
        });
        Ok((program, address))
    }

    fn host_args(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec!["serve".into(), "--manifest".into(), self.manifest.clone().into()];
        args.extend(["--listen".into(), self.listen.to_string().into()]);
        for (option, path) in [("--wasm", &self.wasm), ("--cache", &self.cache)] {
            if let Some(path) = path {
                args.extend([option.into(), path.clone().into()]);
            }
        }
        args
    }

    fn spin_args(&self, address: SocketAddr) -> Result<Vec<OsString>> {
        if self.wasm.is_some() {
            bail!("spin runs the component named in the manifest: build that one instead of passing another");
        }
        let from = ["up".into(), "--from".into(), self.manifest.clone().into()];
        Ok(from.into_iter().chain(["--listen".into(), address.to_string().into()]).collect())
    }

    /// Spin does not print the port that it chose, so we choose one.
    fn address_for_spin(&self) -> Result<SocketAddr> {
        let mut address = self.listen;
        if address.port() == 0 {
            address.set_port(free_port()?);
        }
        Ok(address)
    }
}
