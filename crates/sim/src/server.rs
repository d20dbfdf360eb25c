//! The sockets of one simulated service: its own accept loop, so that a connection can really be reset.

use std::fmt;
use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};

use crate::ports::free_port;

/// Maximum time for a stopped service's port to become free again.
const BIND_LIMIT: Duration = Duration::from_secs(2);

/// The body of an answer; an error breaks the connection in the middle of it.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// What answers the requests of a service.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Answers one request, or asks for a reset.
    fn answer(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response<Body>, Reset>> + Send;
}

/// The connection must be reset instead of answering.
#[derive(Debug)]
pub(crate) struct Reset;

impl fmt::Display for Reset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("scripted reset of the connection")
    }
}

impl std::error::Error for Reset {}

/// A running service. It stops when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    port: u16,
    stop: Arc<Notify>,
    accepting: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(port: u16, handler: Arc<impl Handler>) -> io::Result<Self> {
        let listener = bind(if port == 0 { free_port()? } else { port }).await?;
        let port = listener.local_addr()?.port();
        let stop = Arc::new(Notify::new());
        let accepting = tokio::spawn(accept(listener, handler, Arc::clone(&stop)));
        Ok(Self { port, stop, accepting })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Returns when the port is closed and all connections are broken.
    pub(crate) async fn stop(mut self) {
        self.stop.notify_one();
        // The only error is a panic of the accept loop, and then everything is closed too.
        let _closed = (&mut self.accepting).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn bind(port: u16) -> io::Result<TcpListener> {
    let start = Instant::now();
    loop {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && start.elapsed() < BIND_LIMIT => {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            result => return result,
        }
    }
}

/// The connections live in the set, so they end with this future, however it ends.
async fn accept(listener: TcpListener, handler: Arc<impl Handler>, stop: Arc<Notify>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.notified() => break,
        };
        match accepted {
            Ok((stream, _)) => drop(connections.spawn(serve(stream, Arc::clone(&handler)))),
            // Out of file descriptors, most likely: wait for connections to end.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
    drop(listener);
    connections.shutdown().await;
}

async fn serve(stream: TcpStream, handler: Arc<impl Handler>) {
    // Without it, small answers can wait 40 ms for the peer's acknowledgement.
    let _unsupported = stream.set_nodelay(true);
    let reset = Arc::new(AtomicBool::new(false));
    let wire = Wire { stream, reset: Arc::clone(&reset) };
    let service = service_fn(|request| {
        let (handler, reset) = (Arc::clone(&handler), Arc::clone(&reset));
        async move {
            let answer = handler.answer(request).await;
            answer.inspect_err(|_| reset.store(true, Ordering::Relaxed))
        }
    });
    // Every error here is either scripted or the caller's, and the journal has both.
    let _scripted = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(wire), service)
        .await;
}

/// A connection that is reset instead of closed once `reset` is set.
struct Wire {
    stream: TcpStream,
    reset: Arc<AtomicBool>,
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.reset.load(Ordering::Relaxed) {
            // Closing a socket with zero linger discards unsent data and sends RST.
            let _closed_already = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
