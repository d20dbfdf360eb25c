//! A relay before a server, which tells the requests that arrive whole from those that come in pieces.

use std::sync::{Arc, Mutex, OnceLock};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// Requests above this size come in pieces whoever sends them.
const COUNTED_BYTES_MAX: usize = 32 << 10;

/// Passes on what comes, unchanged.
pub struct Relay {
    host: String,
    /// Where to; connections wait until it is known.
    target: Arc<OnceLock<String>>,
    seen: Arc<Mutex<Tally>>,
}

/// How requests have arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// In one read.
    pub whole: usize,
    /// The head alone first.
    pub split: usize,
}

impl Relay {
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let host = listener.local_addr().expect("an address").to_string();
        let relay = Self { host, target: Arc::default(), seen: Arc::default() };
        let (target, seen) = (relay.target.clone(), relay.seen.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let target = target.get().expect("the target is known before anybody calls").clone();
                let seen = seen.clone();
                tokio::spawn(async move {
                    let Ok(server) = TcpStream::connect(target).await else { return };
                    // Else the server's own answers would wait here.
                    let _unsupported = (stream.set_nodelay(true), server.set_nodelay(true));
                    let ((from, back), (mut answers, to)) = (stream.into_split(), server.into_split());
                    tokio::spawn(async move {
                        let mut back = back;
                        let _ended = tokio::io::copy(&mut answers, &mut back).await;
                    });
                    pass_on(from, to, |whole| note(&seen, whole)).await;
                });
            }
        });
        relay
    }

    /// `host:port` of the relay.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Says where to, as `host:port`.
    pub fn to(&self, target: &str) {
        self.target.set(target.to_owned()).expect("said once");
    }

    /// What came up to now; the first request of each connection does not count: at its beginning the kernel
    /// acknowledges at once, and a second piece follows too quickly to be told apart.
    pub fn seen(&self) -> Tally {
        *self.seen.lock().expect("not poisoned")
    }
}

fn note(seen: &Mutex<Tally>, whole: bool) {
    let mut seen = seen.lock().expect("not poisoned");
    if whole {
        seen.whole += 1;
    } else {
        seen.split += 1;
    }
}

/// Nobody sends the next request before the answer to the last one: what is read begins with a head.
async fn pass_on(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut note: impl FnMut(bool)) {
    let mut buffer = vec![0; 2 * COUNTED_BYTES_MAX];
    let mut first = true;
    loop {
        let (mut read, mut total, mut reads) = (0, None, 0);
        let mut head = Vec::new();
        while total.is_none_or(|total| read < total) {
            let Ok(bytes @ 1..) = from.read(&mut buffer).await else { return };
            read += bytes;
            reads += 1;
            if total.is_none() {
                head.extend_from_slice(&buffer[..bytes]);
                total = length(&head);
            }
            if to.write_all(&buffer[..bytes]).await.is_err() {
                return;
            }
        }
        let counts = total.is_some_and(|total| total <= COUNTED_BYTES_MAX && total > head_length(&head));
        if counts && !first {
            note(reads == 1);
        }
        first = false;
    }
}

/// The length of a request whose head is complete.
fn length(bytes: &[u8]) -> Option<usize> {
    let head = head_length(bytes);
    if head == 0 {
        return None;
    }
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let body = text.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    Some(head + body.unwrap_or(0))
}

fn head_length(bytes: &[u8]) -> usize {
    const END: &[u8] = b"\r\n\r\n";
    bytes.windows(END.len()).position(|window| window == END).map_or(0, |at| at + END.len())
}
