//! A request whose body leaves together with its head.
//!
//! The SDK's own conversion hands the body to a separate task, which runs when the caller's turn has ended. By then the
//! host has sent the head alone; Spin leaves Nagle's algorithm on, so the second packet waits until the peer has
//! acknowledged the first, which a peer may delay for 40 ms (details in docs/upstream/spin-nagle.md). Here the same
//! future that sends the head also writes the body, in the same turn, so the host has both before it writes. The guest
//! of `crates/host/tests` includes this file, so that it is tested on the host and on Spin.

use std::convert::Infallible;
use std::future::pending;
use std::pin::pin;

use bytes::Bytes;
use futures::future::{Either, select};
use http::uri::{Authority, PathAndQuery};
use spin_sdk::wasip3::http::types::{Headers, Method, Request, RequestOptions, Scheme};
use spin_sdk::wasip3::http_compat::BodyWriter;

/// The body of a request: our end of it, which the host does not hold.
pub(super) struct Body {
    writer: BodyWriter,
    bytes: Vec<u8>,
}

/// Builds the two halves of a request; none of the body is written yet.
pub(super) fn halves(
    request: http::Request<Bytes>,
    options: RequestOptions,
) -> Result<(Request, Body), String> {
    let (mut parts, bytes) = request.into_parts();
    if parts.method != http::Method::GET {
        // Without its length the body would be sent chunked, which not every server accepts.
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
    /// Writes the body while an exchange is running, which sends the head when it is first polled.
    ///
    /// The response may arrive before the whole body has been read; the rest of the body is then sent while the
    /// response is read. If this is dropped midway, as every call can be, both halves end: the host sees the body cut
    /// off and closes the connection.
    ///
    /// The head comes first, with as little as possible in between: a host with a spare thread sends the head
    /// immediately, while a write after the head was handed over completes immediately. (In the opposite order the
    /// write waits for the end of this turn: with eight calls at once, 30 of 100 requests on Spin left in pieces; in
    /// this order, 1 in 100 does.)
    pub(super) async fn beside<T>(self, exchange: impl Future<Output = T>) -> T {
        let BodyWriter { mut stream_writer, result_writer, .. } = self.writer;
        let write = async {
            // If the host needs no more of it (the call is refused, the connection lost, the response complete), it
            // reports that to the exchange.
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
