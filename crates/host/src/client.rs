//! Sends the component's requests, over pooled connections.

mod connect;
mod error;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, uri};
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use connect::{CONNECT_TIMEOUT, Connector};

/// The default timeout of a request, as in Spin.
const TIMEOUT_DEFAULT: Duration = Duration::from_mins(10);

/// Sends requests; one for all instances of a component.
#[derive(Clone)]
pub struct Client {
    pool: legacy::Client<Connector, WasiBody>,
}

impl Client {
    /// Creates a client that keeps connections open if `pooling`.
    pub fn new(pooling: bool) -> Self {
        // Hyper's defaults, but without vectored writes, which Spin's connections do not have.
        let mut builder = legacy::Client::builder(TokioExecutor::new());
        builder.http1_writev(false);
        if !pooling {
            builder.pool_max_idle_per_host(0);
        }
        Self { pool: builder.build(Connector) }
    }

    /// Sends `request` and waits for the head of its response.
    pub async fn send(
        &self,
        request: Request<WasiBody>,
        options: RequestOptions,
    ) -> Result<Response<WasiBody>, Error> {
        check_scheme(request.uri())?;
        let connect_timeout = options.connect_timeout.unwrap_or(TIMEOUT_DEFAULT);
        // As in Spin, the first-byte timeout starts with the request, so it includes connecting.
        let first_byte_timeout = options.first_byte_timeout.unwrap_or(TIMEOUT_DEFAULT);
        let between_bytes_timeout = options.between_bytes_timeout.unwrap_or(TIMEOUT_DEFAULT);

        let response = CONNECT_TIMEOUT.scope(connect_timeout, self.pool.request(request));
        let response = tokio::time::timeout(first_byte_timeout, response)
            .await
            .map_err(|_| Error::ConnectionReadTimeout)?
            .map_err(|error| error::before_response(&error))?;
        Ok(response.map(|body| TimedBody::new(body, between_bytes_timeout).boxed_unsync()))
    }
}

fn check_scheme(uri: &http::Uri) -> Result<(), Error> {
    if uri.scheme() == Some(&uri::Scheme::HTTP) {
        return Ok(());
    }
    let scheme = uri.scheme_str().unwrap_or_default();
    Err(Error::InternalError(Some(format!(
        "this host is for development and speaks http only, not {scheme:?}: run the component with `spin up`"
    ))))
}

/// The body of a response, which fails if its next bytes take too long.
struct TimedBody {
    incoming: Incoming,
    timeout: Duration,
    sleep: Pin<Box<Sleep>>,
    /// Whether `sleep` is running: only while the component waits for data, not while it processes earlier data.
    waiting: bool,
}

impl TimedBody {
    fn new(incoming: Incoming, timeout: Duration) -> Self {
        Self { incoming, timeout, sleep: Box::pin(tokio::time::sleep(timeout)), waiting: false }
    }
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) {
            self.waiting = false;
            return Poll::Ready(frame.map(|frame| frame.map_err(|error| error::within_body(&error))));
        }
        if !self.waiting {
            self.waiting = true;
            let deadline = Instant::now() + self.timeout;
            self.sleep.as_mut().reset(deadline);
        }
        ready!(self.sleep.as_mut().poll(cx));
        Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
