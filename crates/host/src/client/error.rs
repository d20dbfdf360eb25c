//! What went wrong with a request, as error codes of `wasi:http`, and only those that Spin uses.
//!
//! Spin distinguishes three reasons why a connection failed; anything that goes wrong later is `HTTP-protocol-error`
//! (its `crates/factor-outbound-http/src/wasi.rs`). The component uses these codes to decide whether to retry, so more
//! specific codes here would hide how it behaves on Spin.

use std::error::Error as StdError;
use std::fmt;
use std::io::{self, ErrorKind};

use hyper_util::client::legacy;
use wasmtime_wasi_http::Error;

/// Why a connection failed.
#[derive(Clone, Copy, Debug)]
pub(super) enum ConnectError {
    Refused,
    Timeout,
    NoAddress,
}

impl From<io::Error> for ConnectError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::AddrNotAvailable => Self::NoAddress,
            _ => Self::Refused,
        }
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot connect: {self:?}")
    }
}

impl StdError for ConnectError {}

impl From<ConnectError> for Error {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Refused => Self::ConnectionRefused,
            ConnectError::Timeout => Self::ConnectionTimeout,
            ConnectError::NoAddress => {
                Self::DnsError { rcode: Some("address not available".into()), info_code: Some(0) }
            }
        }
    }
}

/// Translates an error before the response's head was complete.
pub(super) fn before_response(error: &legacy::Error) -> Error {
    match error.source().and_then(|cause| cause.downcast_ref::<ConnectError>()) {
        Some(cause) => (*cause).into(),
        None => Error::HttpProtocolError,
    }
}

/// Translates an error in the response's body.
pub(super) fn within_body(_: &hyper::Error) -> Error {
    Error::HttpProtocolError
}
