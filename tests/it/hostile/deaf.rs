//! A world that answers every request with the same bytes.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use orchestrator::base::ports::{
    BoxFuture, Clock, Entropy, InboundResponse, Instant, OutboundRequest, Transport, TransportError,
};
use orchestrator::base::world::World;
use orchestrator::settings::Config;

/// Requests that are answered. Later ones are refused, to stop a caller that would repeat requests forever.
const REQUESTS_MAX: u64 = 40;
/// Polls after which work that should take no time counts as never ending.
const POLLS_MAX: usize = 10_000;

/// A transport that gives every request the same response.
pub(crate) struct Deaf {
    answer: Option<(StatusCode, Bytes)>,
    asked: AtomicU64,
}

impl Deaf {
    /// Refuses all connections.
    pub(crate) fn silent() -> Self {
        Self { answer: None, asked: AtomicU64::new(0) }
    }

    /// The first byte selects the status; the rest is the body.
    pub(crate) fn saying(bytes: &[u8]) -> Self {
        const STATUSES: [StatusCode; 4] =
            [StatusCode::OK, StatusCode::CONFLICT, StatusCode::BAD_REQUEST, StatusCode::SERVICE_UNAVAILABLE];
        // Printable bytes (a body without a status) mean success.
        let status = match bytes.first() {
            Some(byte) if usize::from(*byte) < STATUSES.len() => STATUSES[usize::from(*byte)],
            _ => StatusCode::OK,
        };
        let body = bytes.get(usize::from(bytes.first().is_some_and(|byte| *byte < 4))..).unwrap_or_default();
        Self { answer: Some((status, Bytes::copy_from_slice(body))), asked: AtomicU64::new(0) }
    }
}

impl Transport for Deaf {
    fn send(&self, _: OutboundRequest) -> BoxFuture<'static, Result<InboundResponse, TransportError>> {
        let heard = self.asked.fetch_add(1, Ordering::Relaxed) < REQUESTS_MAX;
        let answer = match self.answer.clone().filter(|_| heard) {
            Some((status, body)) => Ok(InboundResponse { status, headers: HeaderMap::new(), body }),
            None => Err(TransportError::Denied("no connection".to_owned())),
        };
        Box::pin(std::future::ready(answer))
    }
}

/// A clock whose sleeps end at once and advance the time.
struct Dreamer(Arc<AtomicU64>);

impl Clock for Dreamer {
    fn now(&self) -> DateTime<Utc> {
        now() + TimeDelta::milliseconds(self.0.load(Ordering::Relaxed).cast_signed())
    }

    fn instant(&self) -> Instant {
        Instant::from_origin(Duration::from_millis(self.0.load(Ordering::Relaxed)))
    }

    fn sleep(&self, length: Duration) -> BoxFuture<'static, ()> {
        let millis = u64::try_from(length.as_millis()).unwrap_or(u64::MAX).min(1 << 40);
        let clock = self.0.clone();
        Box::pin(async move {
            clock.fetch_add(millis, Ordering::Relaxed);
        })
    }
}

struct Count(AtomicU64);

impl Entropy for Count {
    fn next_u64(&self) -> u64 {
        self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
    }
}

pub(crate) fn world(transport: Deaf) -> World {
    World {
        transport: Arc::new(transport),
        clock: Arc::new(Dreamer(Arc::default())),
        entropy: Arc::new(Count(AtomicU64::new(1))),
        machine: Arc::new(()),
    }
}

/// The time at which everything happens.
pub(crate) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_456_800, 0).expect("a time")
}

/// The settings without a default.
pub(crate) fn setting(name: &str) -> Option<String> {
    let local = [
        ("google_cloud_project", "p"),
        ("firestore_emulator_host", "127.0.0.1:8080"),
        ("inbound_auth", "none"),
        ("scheduler_service_account", "scheduler@p.iam"),
        ("operator_token", "operator-token-0123456789"),
        // Runs that the service makes by itself: the worlds of the market have them.
        ("heal_sessions", "0"),
        ("refetch_history_sessions", "0"),
    ];
    local.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
}

pub(crate) fn config() -> Config {
    Config::parse(setting).expect("the settings are valid")
}

/// Splits headers, one per line, from the body after an empty line; without such a line everything is body.
pub(crate) fn message(bytes: &[u8]) -> (HeaderMap, &[u8]) {
    let mut headers = HeaderMap::new();
    let Some(end) = bytes.windows(2).position(|pair| pair == b"\n\n") else { return (headers, bytes) };
    let (head, body) = bytes.split_at(end);
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let (name, value) = line.split_at(colon);
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(&value[1..])) {
            headers.append(name, value);
        }
    }
    (headers, &body[2..])
}

/// Runs work that takes no time.
pub(crate) fn wait<T>(work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let mut task = Context::from_waker(Waker::noop());
    for _ in 0..POLLS_MAX {
        if let Poll::Ready(done) = work.as_mut().poll(&mut task) {
            return done;
        }
    }
    panic!("the work never ends");
}
