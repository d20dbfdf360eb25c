//! The HTTP server in front of the component.

use std::fmt;
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
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use wasmtime_wasi_http::handler::{ProxyHandler, TrapOrPanicError};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::app::EVERY_PATH;
use crate::instances::Instances;
use crate::log::Log;

/// How long requests in progress may continue after the server was told to stop.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// Pause after a failed accept, which usually means that the process is out of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Paths under this prefix belong to the host.
const WELL_KNOWN: &str = "/.well-known/spin/";

/// Accepts connections and passes their requests to the component.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) handler: ProxyHandler<Instances>,
    pub(crate) log: Log,
}

impl Server {
    /// Serves until `stop` fires, then finishes the requests in progress. Returns whether all were finished in time.
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

    /// As in Spin, a request may take any time to arrive, and Nagle's algorithm is on.
    fn serve(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr, connections: &GracefulShutdown) {
        let server = Arc::clone(self);
        let service = service_fn(move |request| {
            let server = Arc::clone(&server);
            async move { server.respond(request, peer).await }
        });
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        let connection = connections.watch(connection);
        // An error here means that a client went away or does not speak HTTP: nothing that an operator could act on.
        tokio::spawn(async move { drop(connection.await) });
    }

    /// The response to a request, or the reason to close its connection without one.
    async fn respond(
        &self,
        mut request: Request<Incoming>,
        peer: SocketAddr,
    ) -> Result<Response<WasiBody>, Unclear> {
        request.headers_mut().remove(header::CONNECTION);
        if let Some(name) = request.uri().path().strip_prefix(WELL_KNOWN) {
            return Ok(match name {
                "health" => plain(StatusCode::OK, "OK"),
                _ => plain(StatusCode::NOT_FOUND, ""),
            });
        }
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        let failed = |reason: &dyn fmt::Display| {
            self.log.host(&format!("{method} {path} failed: {reason}"));
            plain(StatusCode::INTERNAL_SERVER_ERROR, "")
        };
        let authority =
            authority(request.headers(), request.uri()).inspect_err(|unclear| drop(failed(unclear)))?;
        if let Err(reason) = complete(&mut request, authority, peer) {
            return Ok(failed(&reason));
        }
        let request = request.map(|body| body.map_err(Error::from).boxed_unsync());
        Ok(match self.handler.handle((), request).await {
            Ok(response) => response,
            // The end of an instance is reported once, with its cause, not by each of its requests.
            Err(error) if error.is::<TrapOrPanicError>() => plain(StatusCode::INTERNAL_SERVER_ERROR, ""),
            Err(error) => failed(&format!("{error:#}")),
        })
    }
}

/// Sets the request's full URI and adds the headers in which Spin passes the called address, after those of the caller.
/// Like Spin, it accepts only UTF-8 in headers.
fn complete(request: &mut Request<Incoming>, authority: Authority, peer: SocketAddr) -> Result<(), String> {
    let text = |value: &HeaderValue| std::str::from_utf8(value.as_bytes()).map(str::to_owned);
    for (name, value) in request.headers() {
        text(value).map_err(|error| format!("the header {name} is not valid text: {error}"))?;
    }
    let host = request.headers().get(header::HOST).and_then(|host| text(host).ok());
    let path = request.uri().path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    let added = [
        ("spin-path-info", path.path().to_owned()),
        ("spin-full-url", format!("http://{}{path}", host.as_deref().unwrap_or("localhost"))),
        ("spin-matched-route", EVERY_PATH.to_owned()),
        ("spin-base-path", "/".to_owned()),
        ("spin-raw-component-route", EVERY_PATH.to_owned()),
        ("spin-component-route", String::new()),
        ("spin-client-addr", peer.to_string()),
    ];
    for (name, value) in added {
        let value = HeaderValue::from_str(&value).map_err(|error| format!("no {name}: {error}"))?;
        request.headers_mut().append(HeaderName::from_static(name), value);
    }
    let full = Uri::builder().scheme(Scheme::HTTP).authority(authority).path_and_query(path).build();
    *request.uri_mut() = full.map_err(|error| error.to_string())?;
    Ok(())
}

/// Why the target host of a request is unclear.
#[derive(Debug)]
struct Unclear(&'static str);

impl fmt::Display for Unclear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Unclear {}

/// Takes the authority from the `Host` header or the request line; if both have one, they must agree.
fn authority(headers: &HeaderMap, uri: &Uri) -> Result<Authority, Unclear> {
    let host = headers.get(header::HOST).map(|host| Authority::try_from(host.as_bytes()));
    match (host, uri.authority()) {
        (Some(Err(_)), _) => Err(Unclear("the Host header is not an authority")),
        (Some(Ok(host)), Some(authority)) if host != *authority => {
            Err(Unclear("the Host header and the request line differ"))
        }
        (Some(Ok(host)), _) => Ok(host),
        (None, Some(authority)) => Ok(authority.clone()),
        (None, None) => Err(Unclear("the Host header is missing")),
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<WasiBody> {
    let body = Full::new(Bytes::from_static(text.as_bytes())).map_err(Error::from).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}
