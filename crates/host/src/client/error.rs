//! What went wrong with a request, in the words of `wasi:http`.
//!
//! The component decides by these codes whether to try again, so they say what happened as exactly as it is known.

use std::error::Error as StdError;
use std::fmt;
use std::io::{self, ErrorKind};

use wasmtime_wasi_http::Error;

/// Why no connection came about.
#[derive(Clone, Debug)]
pub(super) enum ConnectError {
    Refused,
    Timeout,
    NameUnknown,
    Unroutable,
    Other(String),
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::Refused,
            ErrorKind::TimedOut => Self::Timeout,
            ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => Self::Unroutable,
            _ => Self::Other(error.to_string()),
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no connection: {self:?}")
    }
}

impl StdError for ConnectError {}

impl From<ConnectError> for Error {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Refused => Self::ConnectionRefused,
            ConnectError::Timeout => Self::ConnectionTimeout,
            ConnectError::NameUnknown => {
                Self::DnsError { rcode: Some("address not available".into()), info_code: None }
            }
            ConnectError::Unroutable => Self::DestinationIpUnroutable,
            ConnectError::Other(reason) => Self::InternalError(Some(format!("cannot connect: {reason}"))),
        }
    }
}

/// Translates an error that came before the response's head was complete.
pub(super) fn before_response(error: &(dyn StdError + 'static)) -> Error {
    if let Some(cause) = find::<ConnectError>(error) {
        return cause.clone().into();
    }
    translate(error, || Error::ConnectionTerminated)
}

/// Translates an error that came within the response's body.
pub(super) fn within_body(error: &hyper::Error) -> Error {
    translate(error, || Error::HttpResponseIncomplete)
}

/// Translates the errors of an open connection; `ended` is for one that was closed too early.
fn translate(error: &(dyn StdError + 'static), ended: fn() -> Error) -> Error {
    if let Some(cause) = find::<Error>(error) {
        return body_of_request(cause);
    }
    if let Some(cause) = find::<io::Error>(error) {
        match cause.kind() {
            ErrorKind::UnexpectedEof => return ended(),
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
                return Error::ConnectionTerminated;
            }
            _ => {}
        }
    }
    match find::<hyper::Error>(error) {
        Some(cause) if cause.is_incomplete_message() => ended(),
        Some(cause) if cause.is_closed() || cause.is_canceled() => Error::ConnectionTerminated,
        Some(cause) if cause.is_timeout() => Error::ConnectionReadTimeout,
        Some(cause) if cause.is_parse_too_large() => Error::HttpResponseHeaderSectionSize(None),
        _ => Error::HttpProtocolError,
    }
}

/// Translates an error that the component's own request body brought about.
fn body_of_request(error: &Error) -> Error {
    match error {
        Error::HttpRequestBodySize(size) => Error::HttpRequestBodySize(*size),
        other => Error::InternalError(Some(format!("the request's body failed: {other}"))),
    }
}

/// Finds the outermost error of type `T` in a chain of causes.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    std::iter::successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref())
}
