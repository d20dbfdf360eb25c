//! A server that counts which requests arrive whole and which in pieces.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Requests whose path ends with this are answered early.
const EARLY: &str = "/early";
const RESET: &str = "/reset";
const SILENT: &str = "/silent";

/// More than any request whose pieces are counted.
const READ_BYTES: usize = 64 * 1024;

/// For each request on one connection, whether it arrived in one read.
type Connection = Vec<bool>;

pub(crate) struct Pieces {
    addr: SocketAddr,
    connections: Arc<Mutex<Vec<Connection>>>,
    ended: Arc<Mutex<usize>>,
}

impl Pieces {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("cannot listen");
        let addr = listener.local_addr().expect("no address");
        let connections = Arc::new(Mutex::new(Vec::new()));
        let ended = Arc::new(Mutex::new(0));
        let (all, ends) = (Arc::clone(&connections), Arc::clone(&ended));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (all, ends) = (Arc::clone(&all), Arc::clone(&ends));
                tokio::spawn(async move {
                    let number = all.lock().unwrap().len();
                    all.lock().unwrap().push(Connection::new());
                    serve(stream, |whole| all.lock().unwrap()[number].push(whole)).await;
                    *ends.lock().unwrap() += 1;
                });
            }
        });
        Self { addr, connections, ended }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Connections that have ended.
    pub(crate) fn ended(&self) -> usize {
        *self.ended.lock().unwrap()
    }

    /// How many requests arrived whole and how many in pieces, except the first of each connection: at first the kernel
    /// acknowledges at once, and the second piece follows too quickly to be told apart.
    pub(crate) fn tally(&self) -> (usize, usize) {
        let connections = self.connections.lock().unwrap();
        let later: Vec<_> = connections.iter().flat_map(|connection| connection.iter().skip(1)).collect();
        let whole = later.iter().filter(|whole| ***whole).count();
        (whole, later.len() - whole)
    }
}

async fn serve(mut stream: TcpStream, mut note: impl FnMut(bool)) {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let mut read = 0;
        let (head, length, path) = loop {
            match stream.read(&mut buffer[read..]).await {
                Ok(bytes) if bytes > 0 => read += bytes,
                _ => return,
            }
            if let Some(head) = parse(&buffer[..read]) {
                break head;
            }
        };
        let total = head + length;
        note(read >= total);
        if path.ends_with(RESET) {
            return;
        }
        if path.ends_with(EARLY) {
            let answer = b"HTTP/1.1 413 Too Long\r\ncontent-length: 5\r\n\r\nearly";
            if stream.write_all(answer).await.is_err() {
                return;
            }
            // It stops reading, so the client cannot send the rest.
            std::future::pending::<()>().await;
        }
        while read < total {
            match stream.read(&mut buffer).await {
                Ok(bytes) if bytes > 0 => read += bytes,
                _ => return,
            }
        }
        if path.ends_with(SILENT) {
            let _ended = stream.read(&mut buffer).await;
            return;
        }
        let body = (read - head).to_string();
        let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The length of a complete head, the length that it announces for the body, and its path.
fn parse(bytes: &[u8]) -> Option<(usize, usize, String)> {
    let text = String::from_utf8_lossy(bytes);
    let (head, _) = text.split_once("\r\n\r\n")?;
    let field = |line: &str| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok();
    let length = head.lines().find_map(field).unwrap_or(0);
    Some((head.len() + 4, length, head.split(' ').nth(1)?.to_owned()))
}
