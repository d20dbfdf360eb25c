//! Opens TCP connections for the client, within the time that the request allows.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};

use super::error::ConnectError;

tokio::task_local! {
    /// How long the request of this task may wait for a connection.
    ///
    /// The pool decides whether to connect at all, and its interface has no place for a request's own options.
    pub(super) static CONNECT_TIMEOUT: Duration;
}

/// How the pool opens a new connection.
#[derive(Clone)]
pub(super) struct Connector;

impl tower_service::Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        // Read here, while still inside the request's task: the pool may finish connecting in another task.
        let timeout = CONNECT_TIMEOUT.get();
        Box::pin(async move { connect(&uri, timeout).await.map(TokioIo::new) })
    }
}

/// As in Spin, name resolution has no timeout, and Nagle's algorithm stays on, so that a request sent in two pieces
/// takes as long here as there.
async fn connect(uri: &Uri, timeout: Duration) -> Result<TcpStream, ConnectError> {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = uri.port_u16().unwrap_or(80);
    let addresses: Vec<_> = lookup_host((host, port)).await.map_err(|_| ConnectError::NoAddress)?.collect();
    let connection = tokio::time::timeout(timeout, TcpStream::connect(addresses.as_slice()));
    Ok(connection.await.map_err(|_| ConnectError::Timeout)??)
}
