//! A relay in front of a server that counts which requests arrive whole and which in pieces.
//!
//! If a sender writes a request in two pieces, its kernel sends two packets and holds the second back until the first
//! is acknowledged (Nagle's algorithm), unless the sender has set `TCP_NODELAY`. The receiver's kernel delays the
//! acknowledgement, by 40 ms on Linux, unless told not to. So one read finds only the head of such a request.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use anyhow::{Context, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Longer requests always arrive in pieces.
const COUNTED_BYTES_MAX: usize = 32 << 10;

/// When the relay acknowledges what it has read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acknowledge {
    /// When the kernel chooses to: late.
    Late,
    /// At once, so that no sender waits, whatever its socket options.
    AtOnce,
}

/// Forwards everything unchanged.
#[derive(Debug)]
pub struct Relay {
    host: String,
    /// The target as `host:port`; callers may connect only once it is set.
    target: Arc<OnceLock<String>>,
    seen: Arc<Mutex<Tally>>,
}

/// How requests with a body arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// In one read.
    pub whole: usize,
    /// The head first, in a read of its own.
    pub split: usize,
}

impl Relay {
    /// Listens on a free port; see [`Relay::lead_to`].
    pub async fn start(acknowledge: Acknowledge) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("the relay cannot listen")?;
        let host = listener.local_addr()?.to_string();
        let relay = Self { host, target: Arc::default(), seen: Arc::default() };
        let (target, seen) = (relay.target.clone(), relay.seen.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Some(target) = target.get() {
                    tokio::spawn(serve(stream, target.clone(), acknowledge, seen.clone()));
                }
            }
        });
        Ok(relay)
    }

    /// Sets the target as `host:port`; only the first call counts.
    pub fn lead_to(&self, target: impl Into<String>) {
        self.target.get_or_init(|| target.into());
    }

    /// Its own `host:port`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// What has arrived so far, except the first request of each connection: at first every kernel acknowledges at
    /// once, and the second piece follows too quickly to be told apart.
    pub fn seen(&self) -> Tally {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve(client: TcpStream, target: String, acknowledge: Acknowledge, seen: Arc<Mutex<Tally>>) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    // What the relay itself writes never waits.
    let _unsupported = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut answers, mut to) = server.into_split();
    let client = Arc::new(client);
    let back = client.clone();
    tokio::spawn(async move {
        let mut buffer = vec![0; COUNTED_BYTES_MAX];
        while let Ok(bytes @ 1..) = answers.read(&mut buffer).await {
            if write_all(&back, &buffer[..bytes]).await.is_err() {
                return;
            }
        }
    });
    let mut first = true;
    while let Some(reads) = pass_on(&client, &mut to, acknowledge).await {
        if let (Some(reads), false) = (reads, first) {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            *(if reads == 1 { &mut seen.whole } else { &mut seen.split }) += 1;
        }
        first = false;
    }
}

/// Forwards one request; returns in how many reads it arrived, if that counts. Callers do not pipeline.
async fn pass_on(
    from: &TcpStream,
    to: &mut (impl AsyncWriteExt + Unpin),
    acknowledge: Acknowledge,
) -> Option<Option<usize>> {
    let mut buffer = vec![0; 2 * COUNTED_BYTES_MAX];
    let (mut head, mut read, mut reads, mut length) = (Vec::new(), 0, 0, None);
    while length.is_none_or(|(head, body)| read < head + body) {
        from.readable().await.ok()?;
        let bytes = match from.try_read(&mut buffer) {
            Ok(0) => return None,
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(_) => return None,
        };
        if acknowledge == Acknowledge::AtOnce {
            // The kernel soon resets the option, so it is set after every read.
            let _unsupported = rustix::net::sockopt::set_tcp_quickack(from, true);
        }
        (read, reads) = (read + bytes, reads + 1);
        if length.is_none() {
            head.extend_from_slice(&buffer[..bytes]);
            length = lengths(&head);
        }
        to.write_all(&buffer[..bytes]).await.ok()?;
    }
    let (head, body) = length?;
    Some((body > 0 && head + body <= COUNTED_BYTES_MAX).then_some(reads))
}

async fn write_all(to: &TcpStream, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        to.writable().await?;
        match to.try_write(bytes) {
            Ok(written) => bytes = &bytes[written..],
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The lengths of a complete head and of the body that it announces.
fn lengths(bytes: &[u8]) -> Option<(usize, usize)> {
    const END: &[u8] = b"\r\n\r\n";
    let head = bytes.windows(END.len()).position(|window| window == END)? + END.len();
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let body = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    Some((head, body.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_the_length_that_its_head_announces() {
        assert_eq!(lengths(b"POST / HTTP/1.1\r\nContent-Length: 12\r\n\r\n{}"), Some((39, 12)));
        assert_eq!(lengths(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"), Some((27, 0)));
        assert_eq!(lengths(b"GET / HTTP/1.1\r\nhost: a\r\n"), None);
    }

    #[tokio::test]
    async fn pieces_are_told_from_what_comes_whole() {
        let server = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let relay = Relay::start(Acknowledge::Late).await.unwrap();
        relay.lead_to(server.local_addr().unwrap().to_string());
        let mut client = TcpStream::connect(relay.host()).await.unwrap();
        let (mut server, _) = server.accept().await.unwrap();
        let mut buffer = [0; 1024];
        let (head, body): (&[u8], &[u8]) = (b"POST / HTTP/1.1\r\ncontent-length: 2\r\n\r\n", b"{}");
        for (pieces, whole, split) in [(1, 0, 0), (1, 1, 0), (2, 1, 1), (1, 2, 1)] {
            match pieces {
                1 => client.write_all(&[head, body].concat()).await.unwrap(),
                _ => {
                    client.write_all(head).await.unwrap();
                    assert_eq!(server.read(&mut buffer).await.unwrap(), head.len());
                    client.write_all(body).await.unwrap();
                }
            }
            let _request = server.read(&mut buffer).await.unwrap();
            server.write_all(b"answer").await.unwrap();
            assert_eq!(client.read(&mut buffer).await.unwrap(), 6);
            assert_eq!(relay.seen(), Tally { whole, split });
        }
    }
}
