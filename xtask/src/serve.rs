//! `cargo xtask serve`: the component alone, configured by the environment.

use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Error, Result};

use crate::cli::ServeArgs;
use crate::runtime::Runtime;
use crate::{build, environment, progress, spin, workspace};

/// Builds what is needed, then runs the component until the process is told to stop.
pub fn run(args: &ServeArgs) -> Result<()> {
    let program = args.runtime.program()?;
    build::all(args.runtime)?;
    let get = |name: &str| std::env::var(name).ok();
    let mut settings = environment::settings(get);
    if let Some((name, value)) = environment::local_authentication(get) {
        progress::note(&format!(
            "{name}={value}, because a Firestore emulator is set; SPIN_VARIABLE_INBOUND_AUTH overrides it"
        ));
        settings.push((name, value));
    }
    let mut command = Command::new(program);
    let variables = settings.into_iter().map(|(name, value)| (environment::spin_name(name), value));
    command.current_dir(workspace::root()).envs(variables);
    match args.runtime {
        Runtime::Host => become_host(command, args.listen),
        Runtime::Spin => spin::serve(command, args.listen),
    }
}

/// Replaces this process with the host, so that signals reach it and its exit code is this command's.
fn become_host(mut command: Command, listen: SocketAddr) -> Result<()> {
    command.arg("serve").arg("--manifest").arg(workspace::manifest());
    command.arg("--listen").arg(listen.to_string()).arg("--cache").arg(workspace::host_cache());
    let runtime_config = workspace::runtime_config();
    if runtime_config.exists() {
        command.arg("--runtime-config").arg(runtime_config);
    }
    progress::step("starting the host; press Ctrl-C to stop");
    Err(Error::new(command.exec()).context("cannot start the host"))
}
