//! What the domain needs from the outside world: HTTP, clocks, sleep, random numbers, its own memory use.
//!
//! The Spin adapter provides the real world, tests provide a virtual one. Nothing else in the domain touches the
//! outside.

use std::future::Future;
use std::ops::{Add, Sub};
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, Method, StatusCode};

/// A boxed future; `Send`, because the router's handlers must be.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A point on the monotonic clock, counted from an arbitrary origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(Duration);

impl Instant {
    pub const fn from_origin(elapsed: Duration) -> Self {
        Self(elapsed)
    }

    /// Time from `earlier` to `self`; zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, length: Duration) -> Self {
        Self(self.0.saturating_add(length))
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, length: Duration) -> Self {
        Self(self.0.saturating_sub(length))
    }
}

/// A duration in whole milliseconds, as logs and documents show it.
pub fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

/// The clocks.
pub trait Clock: Send + Sync {
    /// Wall-clock time, for documents and logs; may jump.
    fn now(&self) -> DateTime<Utc>;
    /// Monotonic time, for every measurement and wait.
    fn instant(&self) -> Instant;
    fn sleep(&self, length: Duration) -> BoxFuture<'static, ()>;
}

/// Random numbers.
pub trait Entropy: Send + Sync {
    fn next_u64(&self) -> u64;
}

/// What an instance can learn about its machine.
pub trait Machine: Send + Sync {
    /// Bytes of memory that this instance has allocated; none if unknown.
    fn memory_bytes(&self) -> Option<u64>;
}

/// A machine that reports nothing.
impl Machine for () {
    fn memory_bytes(&self) -> Option<u64> {
        None
    }
}

/// Outbound HTTP.
pub trait Transport: Send + Sync {
    /// Sends a request and reads the whole response.
    fn send(&self, request: OutboundRequest) -> BoxFuture<'static, Result<InboundResponse, TransportError>>;
}

/// An outbound request.
#[derive(Clone, Debug)]
pub struct OutboundRequest {
    pub method: Method,
    pub url: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    pub connect_timeout: Duration,
    /// Limit on the whole exchange, from the first step to the last byte of the body.
    pub timeout: Duration,
    /// Maximum bytes of the response body that are read.
    pub body_bytes_max: usize,
}

/// A response, read to its end.
#[derive(Clone, Debug)]
pub struct InboundResponse {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Why there is no complete response.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TransportError {
    /// Address and reason: `127.0.0.1:8080: connection refused`.
    #[error("cannot connect to {0}")]
    Connect(String),
    #[error("no complete response within {} s", .0.as_secs_f64())]
    Timeout(Duration),
    /// Likewise.
    #[error("connection failed: {0}")]
    Connection(String),
    /// Likewise.
    #[error("the runtime refuses the call to {0}")]
    Denied(String),
    /// The head arrived, the body was cut off; the part that arrived is kept for the raw log.
    #[error("response ended early after {} bytes: {reason}", .partial.body.len())]
    BodyBroken { partial: Box<InboundResponse>, reason: String },
    /// Likewise, but because time ran out.
    #[error("no complete response within {} s: {} bytes received", .limit.as_secs_f64(), .partial.body.len())]
    BodyLate { partial: Box<InboundResponse>, limit: Duration },
    #[error("response larger than the limit of {limit} bytes")]
    BodyTooLong { partial: Box<InboundResponse>, limit: usize },
}

impl TransportError {
    /// The same, mutable.
    pub fn partial_mut(&mut self) -> Option<&mut InboundResponse> {
        match self {
            Self::BodyBroken { partial, .. }
            | Self::BodyLate { partial, .. }
            | Self::BodyTooLong { partial, .. } => Some(partial),
            _ => None,
        }
    }

    /// What arrived before the failure.
    pub fn partial(&self) -> Option<&InboundResponse> {
        match self {
            Self::BodyBroken { partial, .. }
            | Self::BodyLate { partial, .. }
            | Self::BodyTooLong { partial, .. } => Some(partial),
            _ => None,
        }
    }
}
