//! The container's first process, for an image without a shell.
//!
//! - Without arguments it starts Spin with the application in the working directory: settings from plain environment
//!   names ([`settings`]), the port from `PORT`. When told to stop, it lets the requests in progress finish
//!   ([`drain`]); Spin itself would cut them off. However this process ends, Spin ends with it ([`spin`]).
//! - With the argument `health` it checks the health of the running component.
//! - Other arguments are passed to Spin unchanged.

mod drain;
mod health;
mod settings;
mod spin;

use std::fmt::Display;
use std::io::Write;
use std::process::{ExitCode, ExitStatus};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The port if the environment sets none.
const PORT: u16 = 8000;

/// Longest wait for requests in progress. Docker and Cloud Run kill a container ten seconds after asking it to stop.
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
            say(message);
            ExitCode::FAILURE
        }
    }
}

/// Tells the operator. `eprintln!` would panic if stderr is closed.
fn say(line: impl Display) {
    let _nobody_listens = writeln!(std::io::stderr(), "entry: {line}");
}

/// Runs Spin until it ends or this process is told to stop; returns its exit code.
fn serve(arguments: Vec<String>) -> Result<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
    runtime.block_on(async {
        let mut stop = Stop::new().map_err(|error| format!("cannot handle signals: {error}"))?;
        let port = port()?;
        let drain_limit = number("DRAIN_SECONDS", DRAIN_SECONDS).map(Duration::from_secs)?;
        let own = arguments.is_empty();
        let mut spin = spin::start(if own { spin::application(port) } else { arguments })?;
        tokio::select! {
            status = spin.wait() => return code(status),
            () = stop.told() => {}
        }
        if own {
            tokio::select! {
                status = spin.wait() => return code(status),
                () = stop.told() => say("signalled again: aborting requests in progress"),
                () = drain::wait(port, drain_limit) => {}
            }
        }
        spin::terminate(&spin);
        code(spin.wait().await)
    })
}

fn code(status: std::io::Result<ExitStatus>) -> Result<u8> {
    let status = status.map_err(|error| format!("lost spin: {error}"))?;
    // As a shell reports the end by a signal.
    let by_signal = || std::os::unix::process::ExitStatusExt::signal(&status).map(|signal| 128 + signal);
    let code = status.code().or_else(by_signal).unwrap_or(1);
    Ok(u8::try_from(code).unwrap_or(1))
}

fn port() -> Result<u16> {
    number("PORT", PORT)
}

/// A number from the environment; an empty value counts as not set.
fn number<T: std::str::FromStr>(name: &str, default: T) -> Result<T> {
    match std::env::var(name) {
        Ok(text) if !text.is_empty() => {
            text.parse().map_err(|_| format!("{name} is not a valid number: `{text}`"))
        }
        _ => Ok(default),
    }
}

/// The signals that tell this process to stop.
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
