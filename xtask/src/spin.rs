//! Runs the component on the `spin` binary and announces when it is ready, as the host does.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::signal::unix::{SignalKind, signal};

use crate::workspace;

/// Interval at which Spin's health is polled.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Spin answers this path itself, without the component.
const HEALTH_PATH: &str = "/.well-known/spin/health";

/// Starts `spin up`, announces its address and waits until it ends or this process is told to stop.
pub fn serve(mut command: Command, listen: SocketAddr) -> Result<()> {
    let address = concrete(listen)?;
    command.arg("up").arg("--from").arg(workspace::manifest());
    command.arg("--listen").arg(address.to_string());
    let runtime_config = workspace::runtime_config();
    if runtime_config.exists() {
        command.arg("--runtime-config-file").arg(runtime_config);
    }
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(supervise(command, address))
}

async fn supervise(command: Command, address: SocketAddr) -> Result<()> {
    let mut child = tokio::process::Command::from(command).spawn().context("cannot start spin")?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut ready = false;
    loop {
        tokio::select! {
            status = child.wait() => {
                let status = status?;
                if !status.success() {
                    bail!("spin exited: {status}");
                }
                return Ok(());
            }
            _ = terminate.recv() => end(&child)?,
            // Ctrl-C at the terminal also reaches Spin; a signal to this process alone does not.
            _ = interrupt.recv() => end(&child)?,
            () = tokio::time::sleep(POLL_INTERVAL), if !ready => {
                ready = answers(address);
                if ready {
                    println!("listening on http://{address}");
                    std::io::stdout().flush()?;
                }
            }
        }
    }
}

/// Asks Spin to stop; the standard library can only kill.
fn end(child: &tokio::process::Child) -> Result<()> {
    if let Some(id) = child.id() {
        crate::progress::capture(Command::new("kill").arg("-TERM").arg(id.to_string()))?;
    }
    Ok(())
}

fn answers(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect_timeout(&address, POLL_INTERVAL)?;
        stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        write!(stream, "GET {HEALTH_PATH} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let mut head = [0; 12];
        stream.read_exact(&mut head)?;
        Ok(head.ends_with(b" 200"))
    };
    ask().unwrap_or(false)
}

/// Replaces port 0, which Spin does not accept, with a free port.
fn concrete(listen: SocketAddr) -> Result<SocketAddr> {
    if listen.port() != 0 {
        return Ok(listen);
    }
    let probe = TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
    Ok(probe.local_addr()?)
}
