//! Outbound HTTP over wasi:http.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::future::{Either, select};
use http_body::Body as _;
use http_body_util::{BodyExt as _, Full};
use spin_sdk::http::Response;
use spin_sdk::wasip3::http::types::{ErrorCode, RequestOptions};
use spin_sdk::wasip3::http_compat::RequestOptionsExtension;

use crate::ports::{BoxFuture, InboundResponse, OutboundRequest, Transport, TransportError};

pub(super) struct SpinTransport;

impl Transport for SpinTransport {
    fn send(&self, request: OutboundRequest) -> BoxFuture<'static, Result<InboundResponse, TransportError>> {
        Box::pin(send(request))
    }
}

async fn send(request: OutboundRequest) -> Result<InboundResponse, TransportError> {
    let timeout = request.timeout;
    let body_bytes_max = request.body_bytes_max;
    // One clock for head and body; the caller's own limit is a little longer than this.
    let late = Box::pin(spin_sdk::time::sleep(timeout));
    let sent = Box::pin(spin_sdk::http::send(into_http(request)?));
    match select(sent, late).await {
        Either::Left((Ok(response), late)) => read(response, late, timeout, body_bytes_max).await,
        Either::Left((Err(code), _)) => Err(translate(&code, timeout)),
        Either::Right(_) => Err(TransportError::Timeout(timeout)),
    }
}

fn into_http(request: OutboundRequest) -> Result<http::Request<Full<Bytes>>, TransportError> {
    let mut outgoing = http::Request::builder()
        .method(request.method)
        .uri(request.url)
        .body(Full::new(request.body))
        .map_err(|error| TransportError::Connection(format!("the request is not valid: {error}")))?;
    // Without its length the body would go out in chunks, which not every server takes.
    let length = http::HeaderValue::from(outgoing.body().size_hint().exact().unwrap_or_default());
    *outgoing.headers_mut() = request.headers;
    if *outgoing.method() != http::Method::GET {
        outgoing.headers_mut().insert(http::header::CONTENT_LENGTH, length);
    }
    outgoing
        .extensions_mut()
        .insert(RequestOptionsExtension(options(request.connect_timeout, request.timeout)));
    Ok(outgoing)
}

/// The time-outs that the host keeps; where it knows none, the caller's own limit of the whole holds.
fn options(connect: Duration, whole: Duration) -> RequestOptions {
    let nanos = |length: Duration| u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
    let options = RequestOptions::new();
    let _ = options.set_connect_timeout(Some(nanos(connect)));
    let _ = options.set_first_byte_timeout(Some(nanos(whole)));
    let _ = options.set_between_bytes_timeout(Some(nanos(whole)));
    options
}

/// Reads the body to its end; what arrived of one that breaks off or comes too slowly is kept.
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
            // Trailers mean nothing to us.
            Some(Ok(Err(_))) => {}
            Some(Err(code)) => {
                let reason = translate(&code, timeout).to_string();
                return Err(TransportError::BodyBroken { partial: Box::new(arrived(read)), reason });
            }
        }
    }
}

/// Every error of wasi:http 0.3, by what it means here.
fn translate(code: &ErrorCode, timeout: Duration) -> TransportError {
    let words = code.to_string();
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
