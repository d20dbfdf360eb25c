//! The container's first process, for an image without a shell.
//!
//! - Without arguments it starts Spin with the application in the working directory: settings from plain environment
//!   names ([`settings`]), the port from `PORT`. Told to end, it lets the requests in progress finish ([`drain`]); Spin
//!   itself would cut them off.
//! - With the argument `health` it asks the running component for its health.
//! - Other arguments go to Spin as they are.

mod drain;
mod health;
mod settings;

use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The port where the environment sets none.
const PORT: u16 = 8000;

/// Longest wait for requests in progress. Docker and Cloud Run kill ten seconds after they ask.
const DRAIN_SECONDS: u64 = 8;

type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.first().map(String::as_str) {
        Some("health") => port().and_then(health::check).map(|()| 0),
        _ => serve(arguments),
    };
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(message) => {
            eprintln!("entry: {message}");
            ExitCode::FAILURE
        }
    }
}

/// Runs Spin until it ends or this process is told to; returns its exit code.
fn serve(arguments: Vec<String>) -> Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(async {
        let mut stop = Stop::new().map_err(|error| format!("cannot take signals: {error}"))?;
        let port = port()?;
        let drain_limit = number("DRAIN_SECONDS", DRAIN_SECONDS).map(Duration::from_secs)?;
        let own = arguments.is_empty();
        let mut spin = start(if own { application(port) } else { arguments })?;
        tokio::select! {
            status = spin.wait() => return code(status),
            () = stop.told() => {}
        }
        if own {
            tokio::select! {
                status = spin.wait() => return code(status),
                () = stop.told() => eprintln!("entry: told again: requests in progress are cut off"),
                () = drain::wait(port, drain_limit) => {}
            }
        }
        terminate(&spin);
        code(spin.wait().await)
    })
}

fn start(arguments: Vec<String>) -> Result<Child> {
    let get = |name: &str| std::env::var(name).ok();
    let mut command = Command::new("spin");
    command.args(arguments).envs(settings::settings(get));
    if let Some((name, value)) = settings::local_authentication(get) {
        eprintln!("entry: {name}={value}, since a Firestore emulator is set");
        command.env(name, value);
    }
    command.spawn().map_err(|error| format!("cannot start spin: {error}"))
}

/// Spin's arguments for the application in the working directory.
fn application(port: u16) -> Vec<String> {
    let listen = format!("0.0.0.0:{port}");
    // The root file system is read-only: no state, no logs on disk, no compilation cache, scratch files below /tmp.
    let words =
        ["up", "--from", "spin.toml", "--listen", &listen, "--cache-dir", "/tmp/spin", "--disable-cache"];
    words.into_iter().chain(["--state-dir", "", "--log-dir", ""]).map(ToOwned::to_owned).collect()
}

/// Asks Spin to end. The standard library can only kill.
fn terminate(spin: &Child) {
    let Some(Ok(id)) = spin.id().map(i32::try_from) else { return };
    // SAFETY: kill takes no pointers; the id is of our own child, which has not been waited for, so it is no other's.
    unsafe { libc::kill(id, libc::SIGTERM) };
}

fn code(status: std::io::Result<ExitStatus>) -> Result<u8> {
    let status = status.map_err(|error| format!("lost spin: {error}"))?;
    // As a shell tells of an end by a signal.
    let by_signal = || std::os::unix::process::ExitStatusExt::signal(&status).map(|signal| 128 + signal);
    let code = status.code().or_else(by_signal).unwrap_or(1);
    Ok(u8::try_from(code).unwrap_or(1))
}

fn port() -> Result<u16> {
    number("PORT", PORT)
}

/// A number from the environment; one that is set to nothing counts as not set.
fn number<T: std::str::FromStr>(name: &str, default: T) -> Result<T> {
    match std::env::var(name) {
        Ok(text) if !text.is_empty() => {
            text.parse().map_err(|_| format!("{name} is no such number: `{text}`"))
        }
        _ => Ok(default),
    }
}

/// What tells this process to end.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn told(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
