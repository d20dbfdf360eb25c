//! The HTTP server in front of the component.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use wasmtime_wasi_http::handler::{ProxyHandler, TrapOrPanicError};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::app::EVERY_PATH;
use crate::instances::Instances;
use crate::log::Log;

/// How long requests in progress may go on after the server was told to stop.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// The wait after a failed accept, which mostly means that the process is out of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Paths under this prefix belong to the host.
const WELL_KNOWN: &str = "/.well-known/spin/";

/// Takes connections and hands their requests to the component.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) handler: ProxyHandler<Instances>,
    pub(crate) log: Log,
}

impl Server {
    /// Serves until `stop` fires, then finishes what is in progress. Returns whether all of it was finished in time.
    pub(crate) async fn run(self, listener: TcpListener, mut stop: oneshot::Receiver<()>) -> bool {
        let server = Arc::new(self);
        let connections = GracefulShutdown::new();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = &mut stop => break,
            };
            match accepted {
                Ok((stream, peer)) => server.serve(stream, peer, &connections),
                Err(error) => {
                    server.log.host(&format!("cannot accept a connection: {error}"));
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
        drop(listener);
        tokio::time::timeout(DRAIN_TIMEOUT, connections.shutdown()).await.is_ok()
    }

    fn serve(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr, connections: &GracefulShutdown) {
        // Without this a response in small pieces waits for the client's acknowledgements.
        if let Err(error) = stream.set_nodelay(true) {
            return self.log.host(&format!("lost a connection: {error}"));
        }
        let server = Arc::clone(self);
        let service = service_fn(move |request| {
            let server = Arc::clone(&server);
            async move { Ok::<_, Infallible>(server.respond(request, peer).await) }
        });
        let connection =
            http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service);
        let connection = connections.watch(connection);
        // An error here is a client that went away or does not speak HTTP: nothing that the operator could act on.
        tokio::spawn(async move { drop(connection.await) });
    }

    async fn respond(&self, mut request: Request<Incoming>, peer: SocketAddr) -> Response<WasiBody> {
        if let Some(name) = request.uri().path().strip_prefix(WELL_KNOWN) {
            return if name == "health" {
                plain(StatusCode::OK, "OK")
            } else {
                plain(StatusCode::NOT_FOUND, "")
            };
        }
        if let Err(reason) = complete(&mut request, peer) {
            return plain(StatusCode::BAD_REQUEST, reason);
        }
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let request = request.map(|body| body.map_err(Error::from).boxed_unsync());
        match self.handler.handle((), request).await {
            Ok(response) => response,
            Err(error) => {
                // The end of an instance is reported once, with its cause, not by each request that it takes along.
                if !error.is::<TrapOrPanicError>() {
                    self.log.host(&format!("{method} {path} failed: {error:#}"));
                }
                plain(StatusCode::INTERNAL_SERVER_ERROR, "")
            }
        }
    }
}

/// Gives the request its full URI and the headers by which Spin tells a component where it was called.
fn complete(request: &mut Request<Incoming>, peer: SocketAddr) -> Result<(), &'static str> {
    let authority = authority(request.headers(), request.uri())?;
    let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    let full = Uri::builder().scheme(Scheme::HTTP).authority(authority).path_and_query(path).build();
    let full = full.map_err(|_| "the request has no valid URI")?;

    let text = |value: &str| HeaderValue::from_str(value).map_err(|_| "the request has no valid URI");
    let spin = [
        ("spin-full-url", text(&full.to_string())?),
        ("spin-path-info", text(full.path())?),
        ("spin-matched-route", HeaderValue::from_static(EVERY_PATH)),
        ("spin-base-path", HeaderValue::from_static("/")),
        ("spin-raw-component-route", HeaderValue::from_static(EVERY_PATH)),
        ("spin-component-route", HeaderValue::from_static("")),
        ("spin-client-addr", text(&peer.to_string())?),
    ];
    for (name, value) in spin {
        request.headers_mut().insert(HeaderName::from_static(name), value);
    }
    *request.uri_mut() = full;
    Ok(())
}

/// Takes the authority from the `Host` header or the request line; where both are given they must agree.
fn authority(headers: &HeaderMap, uri: &Uri) -> Result<Authority, &'static str> {
    let host = headers.get(header::HOST).map(|host| Authority::try_from(host.as_bytes()));
    match (host, uri.authority()) {
        (Some(Err(_)), _) => Err("the Host header is not an authority"),
        (Some(Ok(host)), Some(authority)) if host != *authority => {
            Err("the Host header and the request line differ")
        }
        (Some(Ok(host)), _) => Ok(host),
        (None, Some(authority)) => Ok(authority.clone()),
        (None, None) => Err("the Host header is missing"),
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<WasiBody> {
    let body = Full::new(Bytes::from_static(text.as_bytes())).map_err(Error::from).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}
