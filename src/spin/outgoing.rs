//! A request whose body leaves together with its head.
//!
//! The SDK's own conversion hands the body to a task of its own, which runs when the caller's turn has ended. By then
//! the host has sent the head alone; Spin leaves Nagle's algorithm on, so the second packet waits until the peer has
//! acknowledged the first, which a peer puts off for 40 ms. (docs/upstream/spin-nagle.md has the whole story.) Here the
//! body is written by the same future that sends the head, in the same turn, so the host has both before it writes.
//! The guest of `crates/host/tests` includes this file: there it is looked at, on the host and on Spin.

use std::convert::Infallible;
use std::future::pending;
use std::pin::pin;

use bytes::Bytes;
use futures::future::{Either, select};
use http::uri::{Authority, PathAndQuery};
use spin_sdk::wasip3::http::types::{Headers, Method, Request, RequestOptions, Scheme};
use spin_sdk::wasip3::http_compat::BodyWriter;

/// The body of a request, and the end of it that the host does not hold.
pub(super) struct Body {
    writer: BodyWriter,
    bytes: Vec<u8>,
}

/// Builds the two halves of a request; nothing of the body is written yet.
pub(super) fn halves(
    request: http::Request<Bytes>,
    options: RequestOptions,
) -> Result<(Request, Body), String> {
    let (mut parts, bytes) = request.into_parts();
    if parts.method != http::Method::GET {
        // Without its length the body would go out in chunks, which not every server takes.
        parts.headers.insert(http::header::CONTENT_LENGTH, http::HeaderValue::from(bytes.len()));
    }
    let headers = Headers::try_from(parts.headers).map_err(|error| error.to_string())?;
    let (writer, contents, trailers) = BodyWriter::new();
    let (head, _sent) = Request::new(headers, Some(contents), trailers, Some(options));
    let wrong = |what: &'static str| move |()| format!("the runtime rejected the {what}");
    head.set_method(&Method::from(parts.method)).map_err(wrong("method"))?;
    head.set_scheme(parts.uri.scheme().map(Scheme::from).as_ref()).map_err(wrong("scheme"))?;
    head.set_authority(parts.uri.authority().map(Authority::as_str)).map_err(wrong("address"))?;
    head.set_path_with_query(parts.uri.path_and_query().map(PathAndQuery::as_str)).map_err(wrong("path"))?;
    Ok((head, Body { writer, bytes: bytes.into() }))
}

impl Body {
    /// Writes the body beside an exchange that sends the head when it is first polled, for as long as that takes.
    ///
    /// An answer may come before the whole body has been read; the rest of the body then goes on leaving while the answer
    /// is read. Dropped in the middle, as every call can be, both halves end: the host sees the body break off and
    /// gives up the connection.
    ///
    /// The head first, and between the two as little as can be: a host with a thread to spare takes the head at once, while
    /// a write that finds the head handed over is done at once. (The other way round the write waits for the end of this
    /// turn: with eight calls at once, 30 of 100 requests left in pieces on Spin; so, 1 in 100 does.)
    pub(super) async fn beside<T>(self, exchange: impl Future<Output = T>) -> T {
        let BodyWriter { mut stream_writer, result_writer, .. } = self.writer;
        let write = async {
            // A host that wants no more of it (the call is refused, the connection lost, the answer complete) says so to
            // the exchange.
            let _unread = stream_writer.write_all(self.bytes).await;
            drop(stream_writer);
            let _unread = result_writer.write(Ok(None)).await;
            pending::<Infallible>().await
        };
        match select(pin!(exchange), pin!(write)).await {
            Either::Left((answer, _)) => answer,
            Either::Right((never, _)) => match never {},
        }
    }
}
