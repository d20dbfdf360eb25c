//! The whole service, natively and in virtual time: bodies that never arrive, providers that answer anything.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use chrono::TimeDelta;
use futures::stream::{self, StreamExt as _};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use orchestrator::api::router;
use orchestrator::app::App;
use orchestrator::base::instance::Instance;
use orchestrator::base::ports::{BoxFuture, InboundResponse, OutboundRequest, Transport, TransportError};
use orchestrator::base::world::World;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value as Json, json};
use tower::ServiceExt as _;

use super::mutate::hostile;
use super::{deaf, samples};
use crate::intake::assert_counted;
use crate::world::clock::{VirtualClock, civil};
use crate::world::dice::Dice;
use crate::world::executor::{Executor, Handle};
use sim::firestore::memory::Store;

/// A working Firestore, and providers that always give the same response.
struct Wire {
    handle: Handle,
    store: Arc<Mutex<Store>>,
    answer: (StatusCode, Bytes),
}

/// The result of a request.
pub(crate) struct Played {
    pub(crate) status: StatusCode,
    pub(crate) body: Json,
    /// The virtual time it took.
    pub(crate) took: Duration,
    pub(crate) store: Arc<Mutex<Store>>,
}

impl Transport for Wire {
    fn send(&self, request: OutboundRequest) -> BoxFuture<'static, Result<InboundResponse, TransportError>> {
        let path = request.url.strip_prefix("http://127.0.0.1:8080");
        let (status, body) = match path {
            Some(path) => {
                let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
                let reply = store.handle(civil(self.handle.now()), &request.method, path, &request.body);
                (reply.status, Bytes::from(reply.body.to_string()))
            }
            None => self.answer.clone(),
        };
        let travel = self.handle.sleep(Duration::from_millis(1));
        Box::pin(async move {
            travel.await;
            Ok(InboundResponse { status, headers: HeaderMap::new(), body })
        })
    }
}

/// Calls a service whose provider gives this body with a 200; returns the response and the virtual time it took.
fn answer(provider: &[u8], request: impl FnOnce(&Handle) -> Request<Body>) -> (StatusCode, Json, Duration) {
    let Played { status, body, took, .. } = play((StatusCode::OK, provider), request);
    (status, body, took)
}

/// Sends a request to a new service whose providers always give the same response.
pub(crate) fn play(answer: (StatusCode, &[u8]), request: impl FnOnce(&Handle) -> Request<Body>) -> Played {
    play_as(deaf::config(), answer, request)
}

/// The same with other settings.
pub(crate) fn play_as(
    config: orchestrator::settings::Config,
    (status, provider): (StatusCode, &[u8]),
    request: impl FnOnce(&Handle) -> Request<Body>,
) -> Played {
    let dice = Dice::new(7);
    let mut executor = Executor::new(dice.split());
    let handle = executor.handle();
    let store = Arc::<Mutex<Store>>::default();
    let answer = (status, Bytes::copy_from_slice(provider));
    let wire = Wire { handle: handle.clone(), store: store.clone(), answer };
    let world = World {
        transport: Arc::new(wire),
        clock: Arc::new(VirtualClock::new(handle.clone(), TimeDelta::zero(), Duration::ZERO)),
        entropy: Arc::new(dice),
        machine: Arc::new(()),
    };
    let service = router(Arc::new(App::new(config, world.clone(), Instance::new(&world))));
    let request = request(&handle);
    let answered = executor.run(async move {
        let response = service.oneshot(request).await.unwrap_or_else(|never| match never {});
        let status = response.status();
        let body = response.into_body().collect().await.expect("the router's bodies do not fail").to_bytes();
        (status, body)
    });
    let (status, body) = answered.expect("an answer");
    let body = serde_json::from_slice(&body).expect("answers are JSON");
    Played { status, body, took: handle.now(), store }
}

pub(crate) fn post(route: &str, body: Body) -> Request<Body> {
    Request::post(route).header("host", "us.test").body(body).expect("a request")
}

/// One route for each kind of record.
pub(crate) const ROUTES: [&str; 7] = [
    "/tiingo/daily-prices",
    "/finnhub/quote-portfolio",
    "/finnhub/company-news-portfolio",
    "/finnhub/fundamentals-earnings",
    "/polygon/news-portfolio",
    "/polygon/news-market",
    "/alphavantage/technical-indicators",
];

/// A request for two tickers, if the route takes any.
pub(crate) fn trigger(route: &str) -> Request<Body> {
    let body = if route.ends_with("market") { json!({}) } else { json!({"tickers": ["AAPL", "T001"]}) };
    post(route, Body::from(body.to_string()))
}

#[test]
fn a_body_that_never_arrives_times_out_after_half_a_minute() {
    let (status, body, took) = answer(b"", |_| {
        post("/tiingo/daily-prices", Body::from_stream(stream::pending::<Result<Bytes, axum::Error>>()))
    });
    assert_eq!((status, took), (StatusCode::REQUEST_TIMEOUT, Duration::from_secs(30)), "{body:#}");
    assert_eq!(body["type"], "/problems/body-late");
    assert_eq!(body["detail"], "the request body did not arrive within 30 s");
}

#[test]
fn a_slowly_dripping_body_times_out_too() {
    let (status, body, took) = answer(b"", |handle| {
        let handle = handle.clone();
        let drops = stream::repeat(()).then(move |()| {
            let pause = handle.sleep(Duration::from_secs(1));
            async move {
                pause.await;
                Ok::<_, axum::Error>(Bytes::from_static(b" "))
            }
        });
        post("/manual/trigger-job", Body::from_stream(drops))
    });
    assert_eq!((status, took), (StatusCode::REQUEST_TIMEOUT, Duration::from_secs(30)), "{body:#}");
}

#[test]
fn a_body_that_breaks_off_is_reported() {
    let (status, body, _) = answer(b"", |_| {
        let broken = [Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("gone"))];
        post("/tiingo/daily-prices", Body::from_stream(stream::iter(broken)))
    });
    assert_eq!((status, &body["type"]), (StatusCode::BAD_REQUEST, &json!("/problems/body-broken")));
}

#[test]
fn a_run_ends_whatever_its_provider_answers() {
    const CASES: u32 = 16;
    let cases = if std::env::var_os("PROPTEST_CASES").is_some() { Config::default().cases } else { CASES };
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let samples = samples::answers().iter().map(Json::to_string).collect();
    let ran = runner.run(&hostile(samples), |bytes| {
        for route in ROUTES {
            let played = play((StatusCode::OK, &bytes.0), |_| trigger(route));
            let (status, body) = (played.status, &played.body);
            assert!([200, 502, 503].contains(&status.as_u16()), "{route}: {status} {body:#}");
            let reason = body["data"]["remarks"].to_string();
            // What could not be stored would be retried forever.
            assert!(!reason.contains("not everything could be stored"), "{route}: {reason}");
            if status == StatusCode::OK {
                assert_counted(&played);
            }
        }
        Ok(())
    });
    ran.unwrap_or_else(|error| panic!("{error}"));
}
