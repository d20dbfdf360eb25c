//! What every request passes through: it joins a trace, its response gets the common headers, and one
//! log line says how it went.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::HttpBody as _;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, USER_AGENT, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::base::context::{self, RequestContext};
use crate::base::id::new_uuid;
use crate::base::trace::{TRACEPARENT, TraceContext};
use crate::base::world::World;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest request ID that is accepted from a caller, in bytes.
const REQUEST_ID_BYTES_MAX: usize = 128;
/// How long a browser may cache a preflight response.
const PREFLIGHT_AGE: Duration = Duration::from_secs(3600);

/// Headers of every response that does not set its own: nothing may be stored, sniffed, framed or executed.
const HEADERS: [(HeaderName, HeaderValue); 4] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
];

/// What the boundary needs.
#[derive(Clone)]
pub struct Boundary {
    pub world: World,
    /// Requests in progress in this instance.
    pub in_flight: Arc<AtomicUsize>,
}

/// Takes a request through the service.
pub(super) async fn cross(State(boundary): State<Boundary>, request: Request, next: Next) -> Response {
    let world = &boundary.world;
    let start = world.clock.instant();
    let trace = TraceContext::of_request(request.headers(), &*world.entropy);
    let request_id = request_id(request.headers()).unwrap_or_else(|| new_uuid(world));
    let context = Arc::new(RequestContext::new(request_id, trace));
    let seen = Seen::of(&request);
    let counted = Counted::new(boundary.in_flight);
    let work = async {
        let mut response = next.run(request).await;
        seen.log(&response, world.clock.instant().since(start));
        let headers = response.headers_mut();
        for (name, value) in HEADERS {
            headers.entry(name).or_insert(value);
        }
        headers.insert(TRACEPARENT, trace.header());
        if let Ok(id) = HeaderValue::try_from(&context.request_id) {
            headers.insert(REQUEST_ID, id);
        }
        response
    };
    let response = context::within(context.clone(), work).await;
    drop(counted);
    response
}

/// The caller's own request ID, if it is suitable for a log.
fn request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?.trim();
    let fit = !id.is_empty() && id.len() <= REQUEST_ID_BYTES_MAX && id.bytes().all(|c| c.is_ascii_graphic());
    fit.then(|| id.to_owned())
}

/// Counts a request for as long as it lives, even if it is dropped.
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn new(in_flight: Arc<AtomicUsize>) -> Self {
        in_flight.fetch_add(1, Ordering::Relaxed);
        Self(in_flight)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What the log shows of a request.
struct Seen {
    method: Method,
    path: String,
    user_agent: String,
}

impl Seen {
    fn of(request: &Request) -> Self {
        const USER_AGENT_CHARS_MAX: usize = 200;
        let user_agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok());
        Self {
            method: request.method().clone(),
            // Without the query: a caller may have put anything into it.
            path: request.uri().path().to_owned(),
            user_agent: user_agent.unwrap_or_default().chars().take(USER_AGENT_CHARS_MAX).collect(),
        }
    }

    fn log(&self, response: &Response, latency: Duration) {
        let size = response.body().size_hint().exact().unwrap_or_default();
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    httpRequest.requestMethod = self.method.as_str(),
                    httpRequest.requestUrl = self.path,
                    httpRequest.status = response.status().as_u16(),
                    httpRequest.responseSize = size.to_string(),
                    httpRequest.userAgent = self.user_agent,
                    httpRequest.latency = format!("{:.3}s", latency.as_secs_f64()),
                    "request completed"
                )
            };
        }
        match response.status() {
            status if status.is_server_error() => line!(warn),
            // Probes, scrapes and pages that refresh themselves.
            StatusCode::OK if self.method == Method::GET => line!(debug),
            _ => line!(info),
        }
    }
}

/// Allows pages from these origins to call; none if there are none.
pub(super) fn cors(origins: &[HeaderValue]) -> Option<CorsLayer> {
    if origins.is_empty() {
        return None;
    }
    let headers = ["authorization", "content-type", "idempotency-key", "traceparent", "x-request-id"];
    let exposed = ["retry-after", "traceparent", "x-request-id"];
    Some(
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins.iter().cloned()))
            .allow_methods([Method::GET, Method::POST])
            .allow_headers(headers.map(HeaderName::from_static))
            .expose_headers(exposed.map(HeaderName::from_static))
            .max_age(PREFLIGHT_AGE),
    )
}
