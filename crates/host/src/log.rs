//! Where the component's output and the host's own messages go.
//!
//! Several instances write at once, and Rust's standard library writes a formatted line in pieces. So each instance's
//! output is held back until its line is complete; the bytes themselves are not changed.

use std::io::{self, Write as _};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Maximum bytes of a line; longer lines are passed on in pieces of this size.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Receives whole lines, including their line ends.
#[derive(Clone)]
pub struct Log {
    write: Arc<Write>,
}

type Write = dyn Fn(&[u8]) + Send + Sync;

impl Log {
    /// Writes to the process's standard error.
    pub fn stderr() -> Self {
        // If standard error itself fails, there is nowhere to report it.
        Self::to(|line| drop(io::stderr().lock().write_all(line)))
    }

    /// Passes each line to `write`, from any thread.
    pub fn to(write: impl Fn(&[u8]) + Send + Sync + 'static) -> Self {
        Self { write: Arc::new(write) }
    }

    /// Writes a message of the host itself.
    pub fn host(&self, message: &str) {
        (self.write)(format!("host: {message}\n").as_bytes());
    }
}

/// The standard output or standard error of one instance.
#[derive(Clone)]
pub struct GuestOutput {
    lines: Arc<Mutex<Lines>>,
}

struct Lines {
    log: Log,
    pending: Vec<u8>,
}

impl GuestOutput {
    /// Creates an output that passes its lines on to `log`.
    pub fn new(log: Log) -> Self {
        Self { lines: Arc::new(Mutex::new(Lines { log, pending: Vec::new() })) }
    }

    fn push(&self, bytes: &[u8]) {
        // The state is consistent after every step, so a poisoned lock can be used.
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.pending.extend_from_slice(bytes);
        if let Some(end) = lines.pending.iter().rposition(|byte| *byte == b'\n') {
            lines.pass_on(end + 1);
        } else if lines.pending.len() >= LINE_BYTES_MAX {
            lines.pass_on(LINE_BYTES_MAX);
        }
    }
}

impl Lines {
    fn pass_on(&mut self, length: usize) {
        let rest = self.pending.split_off(length);
        (self.log.write)(&std::mem::replace(&mut self.pending, rest));
    }
}

impl Drop for Lines {
    /// Writes an instance's last output even if it has no line end.
    fn drop(&mut self) {
        if !self.pending.is_empty() {
            self.pending.push(b'\n');
            self.pass_on(self.pending.len());
        }
    }
}

impl IsTerminal for GuestOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestOutput {
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl OutputStream for GuestOutput {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.push(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(LINE_BYTES_MAX)
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for GuestOutput {
    async fn ready(&mut self) {}
}

impl AsyncWrite for GuestOutput {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_stay_whole_and_the_last_one_gets_out() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Log::to({
            let seen = Arc::clone(&seen);
            move |line| seen.lock().unwrap().push(String::from_utf8(line.to_vec()).unwrap())
        });
        let (one, two) = (GuestOutput::new(log.clone()), GuestOutput::new(log));
        one.push(b"{\"a\":");
        two.push(b"other\n");
        one.push(b"1}\nnext");
        drop(one);
        assert_eq!(*seen.lock().unwrap(), ["other\n", "{\"a\":1}\n", "next\n"]);
    }
}
