//! Outbound HTTP over wasi:http.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
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
    let response =
        spin_sdk::http::send(into_http(request)?).await.map_err(|code| translate(&code, timeout))?;
    read(response, timeout, body_bytes_max).await
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

/// Reads the body to its end; what arrived of one that breaks off is kept.
async fn read(
    response: Response,
    timeout: Duration,
    limit: usize,
) -> Result<InboundResponse, TransportError> {
    let (head, mut body) = response.into_parts();
    let mut read = BytesMut::new();
    let partial = |read: BytesMut| {
        Box::new(InboundResponse { status: head.status, headers: head.headers.clone(), body: read.freeze() })
    };
    while let Some(frame) = body.frame().await {
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) if read.len() + data.len() > limit => {
                return Err(TransportError::BodyTooLong { partial: partial(read), limit });
            }
            Ok(Ok(data)) => read.extend_from_slice(&data),
            // Trailers mean nothing to us.
            Ok(Err(_)) => {}
            Err(code) => {
                let reason = translate(&code, timeout).to_string();
                return Err(TransportError::BodyBroken { partial: partial(read), reason });
            }
        }
    }
    Ok(InboundResponse { status: head.status, headers: head.headers, body: read.freeze() })
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
