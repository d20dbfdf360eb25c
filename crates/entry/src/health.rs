//! The container's health check.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// Longest wait for each step.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Maximum bytes of the response that are shown.
const SHOWN_BYTES_MAX: u64 = 4096;

/// Succeeds if the component says that it is healthy; otherwise the error is its response.
pub fn check(port: u16) -> Result<(), String> {
    let answer = ask(port).map_err(|error| format!("no response on port {port}: {error}"))?;
    let status = answer.split(' ').nth(1);
    if status == Some("200") { Ok(()) } else { Err(format!("not healthy: {answer}")) }
}

fn ask(port: u16) -> std::io::Result<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    write!(stream, "GET /health HTTP/1.1\r\nHost: localhost:{port}\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(SHOWN_BYTES_MAX).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
