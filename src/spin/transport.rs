//! Outbound HTTP over wasi:http.

use std::pin::pin;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::{Either, select};
use http_body_util::BodyExt as _;
use spin_sdk::http::Response;
use spin_sdk::wasip3::http::client;
use spin_sdk::wasip3::http::types::{ErrorCode, RequestOptions};
use spin_sdk::wasip3::http_compat::http_from_wasi_response;

use super::outgoing;
use crate::base::ports::{BoxFuture, InboundResponse, OutboundRequest, Transport, TransportError};

pub(super) struct SpinTransport;

impl Transport for SpinTransport {
    fn send(&self, request: OutboundRequest) -> BoxFuture<'static, Result<InboundResponse, TransportError>> {
        Box::pin(send(request))
    }
}

async fn send(request: OutboundRequest) -> Result<InboundResponse, TransportError> {
    let timeout = request.timeout;
    let body_bytes_max = request.body_bytes_max;
    let address = address(&request.url).to_owned();
    let failed = |code: &ErrorCode| translate(code, &address, timeout);
    let options = options(request.connect_timeout, timeout);
    let (head, body) = into_http(request)
        .and_then(|request| outgoing::halves(request, options))
        .map_err(|error| TransportError::Connection(format!("{address}: invalid request: {error}")))?;
    // One clock for head and body; the caller's own limit is a little longer than this.
    let late = Box::pin(spin_sdk::time::sleep(timeout));
    let exchange = async {
        // The clock first, so that nothing comes between the head and the body.
        match select(late, pin!(client::send(head))).await {
            Either::Left(_) => Err(TransportError::Timeout(timeout)),
            Either::Right((Ok(response), late)) => {
                let response = http_from_wasi_response(response).map_err(|code| failed(&code))?;
                read(response, late, timeout, body_bytes_max).await
            }
            Either::Right((Err(code), _)) => Err(failed(&code)),
        }
    };
    body.beside(exchange).await
}

fn into_http(request: OutboundRequest) -> Result<http::Request<Bytes>, String> {
    let outgoing = http::Request::builder().method(request.method).uri(request.url).body(request.body);
    let mut outgoing = outgoing.map_err(|error| error.to_string())?;
    *outgoing.headers_mut() = request.headers;
    Ok(outgoing)
}

/// The host and port of a URL, for messages.
fn address(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}

/// The timeouts that the host enforces; if it supports none, the caller's own overall limit applies.
fn options(connect: Duration, whole: Duration) -> RequestOptions {
    let nanos = |length: Duration| u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
    let options = RequestOptions::new();
    let _ = options.set_connect_timeout(Some(nanos(connect)));
    let _ = options.set_first_byte_timeout(Some(nanos(whole)));
    let _ = options.set_between_bytes_timeout(Some(nanos(whole)));
    options
}

/// Reads the body to its end; if it is cut off or too slow, the part that arrived is kept.
async fn read(
    response: Response,
    mut late: impl Future<Output = ()> + Unpin,
    timeout: Duration,
    limit: usize,
) -> Result<InboundResponse, TransportError> {
    let (head, mut body) = response.into_parts();
    let mut read = BytesMut::new();
    let arrived = |read: BytesMut| InboundResponse {
        status: head.status,
        headers: head.headers.clone(),
        body: read.freeze(),
    };
    loop {
        let frame = match select(body.frame(), late).await {
            Either::Left((frame, still)) => {
                late = still;
                frame
            }
            Either::Right(_) => {
                return Err(TransportError::BodyLate { partial: Box::new(arrived(read)), limit: timeout });
            }
        };
        match frame.map(|frame| frame.map(http_body::Frame::into_data)) {
            None => return Ok(arrived(read)),
            Some(Ok(Ok(data))) if read.len() + data.len() > limit => {
                return Err(TransportError::BodyTooLong { partial: Box::new(arrived(read)), limit });
            }
            Some(Ok(Ok(data))) => read.extend_from_slice(&data),
            // Trailers are ignored.
            Some(Ok(Err(_))) => {}
            Some(Err(code)) => {
                let reason = reason(&code);
                return Err(TransportError::BodyBroken { partial: Box::new(arrived(read)), reason });
            }
        }
    }
}

/// Every error of wasi:http 0.3, by its meaning here.
fn translate(code: &ErrorCode, address: &str, timeout: Duration) -> TransportError {
    let words = format!("{address}: {}", reason(code));
    match code {
        ErrorCode::DnsTimeout
        | ErrorCode::DnsError(_)
        | ErrorCode::DestinationNotFound
        | ErrorCode::DestinationUnavailable
        | ErrorCode::DestinationIpUnroutable
        | ErrorCode::ConnectionRefused
        | ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionLimitReached
        | ErrorCode::TlsProtocolError
        | ErrorCode::TlsCertificateError
        | ErrorCode::TlsAlertReceived(_) => TransportError::Connect(words),
        ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout => TransportError::Timeout(timeout),
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => TransportError::Denied(words),
        ErrorCode::ConnectionTerminated
        | ErrorCode::HttpRequestLengthRequired
        | ErrorCode::HttpRequestBodySize(_)
        | ErrorCode::HttpRequestMethodInvalid
        | ErrorCode::HttpRequestUriInvalid
        | ErrorCode::HttpRequestUriTooLong
        | ErrorCode::HttpRequestHeaderSectionSize(_)
        | ErrorCode::HttpRequestHeaderSize(_)
        | ErrorCode::HttpRequestTrailerSectionSize(_)
        | ErrorCode::HttpRequestTrailerSize(_)
        | ErrorCode::HttpResponseIncomplete
        | ErrorCode::HttpResponseHeaderSectionSize(_)
        | ErrorCode::HttpResponseHeaderSize(_)
        | ErrorCode::HttpResponseBodySize(_)
        | ErrorCode::HttpResponseTrailerSectionSize(_)
        | ErrorCode::HttpResponseTrailerSize(_)
        | ErrorCode::HttpResponseTransferCoding(_)
        | ErrorCode::HttpResponseContentCoding(_)
        | ErrorCode::HttpUpgradeFailed
        | ErrorCode::HttpProtocolError
        | ErrorCode::LoopDetected
        | ErrorCode::ConfigurationError
        | ErrorCode::InternalError(_) => TransportError::Connection(words),
    }
}

/// An error as text. Spin reports most of its failures with one of the first codes.
fn reason(code: &ErrorCode) -> String {
    let text = match code {
        ErrorCode::ConnectionRefused => "connection refused",
        ErrorCode::ConnectionTimeout => "connecting timed out",
        ErrorCode::ConnectionReadTimeout | ErrorCode::HttpResponseTimeout => "reading timed out",
        ErrorCode::ConnectionTerminated => "the connection was closed",
        ErrorCode::HttpProtocolError => "the connection was closed, or the response is not HTTP",
        ErrorCode::TlsProtocolError | ErrorCode::TlsCertificateError => "no TLS connection could be made",
        ErrorCode::DnsTimeout | ErrorCode::DnsError(_) => "the host name cannot be resolved",
        ErrorCode::HttpRequestDenied => "not in allowed_outbound_hosts, or an entry there is not valid",
        ErrorCode::InternalError(Some(words)) => words,
        // The others are self-explanatory: `ErrorCode::LoopDetected`.
        other => return other.to_string().replace("ErrorCode::", ""),
    };
    text.to_owned()
}
