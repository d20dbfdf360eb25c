//! A stored sample of each kind of log line, written by real requests in virtual time.
//!
//! `UPDATE=1 cargo test --test it logging` updates `tests/it/logging.jsonl`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use chrono::TimeDelta;
use http::header::{AUTHORIZATION, ORIGIN};
use http::{HeaderMap, Request, StatusCode};
use orchestrator::api::router;
use orchestrator::app::App;
use orchestrator::base::instance::Instance;
use orchestrator::base::log::{JsonLog, Origin};
use orchestrator::base::ports::{BoxFuture, InboundResponse, OutboundRequest, Transport, TransportError};
use orchestrator::base::world::World;
use orchestrator::settings::Config;
use serde_json::{Value as Json, json};
use sim::data::{Spec, entries, moment};
use sim::endpoint::Endpoint;
use tower::ServiceExt as _;
use tracing::Level;

use crate::tidy::generated::check_file;
use crate::world::clock::{VirtualClock, civil};
use crate::world::dice::Dice;
use crate::world::executor::{Executor, Handle};
use crate::world::listening::listen;
use sim::firestore::memory::Store;

/// Where the samples are.
const STORED: &str = "tests/it/logging.jsonl";

/// For this test only.
const OPERATOR_TOKEN: &str = "0123456789abcdef-of-the-log";

/// A well-formed token whose verification needs Google's keys.
const SIGNED_TOKEN: &str = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.e30.AAAA";

/// Fields whose value varies with each run, instance, random number or document length: they only have to be present. A
/// name that ends with a dot is a prefix.
const VARYING: [&str; 16] = [
    "time",
    "request.id",
    "run.id",
    "logging.googleapis.com/trace",
    "logging.googleapis.com/spanId",
    "instance",
    "version",
    "responseSize",
    "bytes_in",
    "bytes_out",
    "alerts.fired",
    "alerts.firing",
    "duration_ms",
    "notifications.told",
    "steps_ms.",
    "waits_ms.",
];

/// Which parties are up; read by the transport.
#[derive(Default)]
struct Weather {
    providers: AtomicU8,
    firestore: AtomicU8,
}

const WELL: u8 = 0;
const DOWN: u8 = 1;

/// Firestore and the providers, while they are up.
struct Wire {
    handle: Handle,
    store: Mutex<Store>,
    weather: Arc<Weather>,
}

impl Wire {
    fn answer(&self, request: &OutboundRequest) -> Result<(StatusCode, String), TransportError> {
        if let Some(path) = request.url.strip_prefix("http://firestore.test:8080") {
            if self.weather.firestore.load(Ordering::Relaxed) == DOWN {
                return Err(TransportError::Connect("127.0.0.1:1: connection refused".to_owned()));
            }
            let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
            let reply = store.handle(civil(self.handle.now()), &request.method, path, &request.body);
            return Ok((reply.status, reply.body.to_string()));
        }
        if request.url == "http://webhook.test/hook" {
            return Ok((StatusCode::OK, String::new()));
        }
        if request.url.starts_with("https://hooks.slack.com") {
            return Ok((StatusCode::SERVICE_UNAVAILABLE, String::new()));
        }
        if self.weather.providers.load(Ordering::Relaxed) == DOWN {
            return Ok((StatusCode::SERVICE_UNAVAILABLE, json!({"detail": "in maintenance"}).to_string()));
        }
        let asked: Json = serde_json::from_slice(&request.body).expect("JSON");
        let tickers = asked["tickers"].as_array().expect("tickers").iter();
        let tickers: Vec<_> = tickers.map(|ticker| ticker.as_str().expect("a string").to_owned()).collect();
        let spec = Spec { seed: 1, records_per_ticker: 2, market_articles: 1 };
        let data = entries(&spec, Endpoint::TIINGO_PRICES, &tickers, moment(asked["run_time"].as_str()));
        Ok((StatusCode::OK, json!({"status": "ok", "fetched": data.len(), "data": data}).to_string()))
    }
}

impl Transport for Wire {
    fn send(&self, request: OutboundRequest) -> BoxFuture<'static, Result<InboundResponse, TransportError>> {
        let answer = self.answer(&request);
        let travel = self.handle.sleep(Duration::from_millis(20));
        Box::pin(async move {
            travel.await;
            let (status, body) = answer?;
            Ok(InboundResponse { status, headers: HeaderMap::new(), body: Bytes::from(body) })
        })
    }
}

fn config() -> Config {
    let setting = |name: &str| {
        let value = match name {
            "google_cloud_project" => "world",
            "firestore_emulator_host" => "firestore.test:8080",
            "tiingo_service_url" => "http://tiingo.test",
            "inbound_auth" => "oidc",
            "scheduler_service_account" => "scheduler@example.com",
            "oidc_audience" => "https://orchestrator.test",
            "operator_token" => OPERATOR_TOKEN,
            // The lines of one run are enough.
            "heal_sessions" | "refetch_history_sessions" => "0",
            "breaker_min_calls" => "3",
            "breaker_open_seconds" => "5",
            "notify_webhook" | "heartbeat_url" => "http://webhook.test/hook",
            "notify_webhook_origin" | "heartbeat_origin" => "http://webhook.test",
            "notify_slack" => "https://hooks.slack.com/services/down",
            _ => return None,
        };
        Some(value.to_owned())
    };
    Config::parse(setting).expect("the settings are valid")
}

fn get(path: &str, authorization: &str) -> Request<Body> {
    Request::get(path).header(AUTHORIZATION, authorization).body(Body::empty()).expect("a request")
}

fn post(path: &str) -> Request<Body> {
    let request = Request::post(path).header(AUTHORIZATION, format!("Bearer {OPERATOR_TOKEN}"));
    request.body(Body::empty()).expect("a request")
}

fn run(key: &str) -> Request<Body> {
    let request = Request::post("/tiingo/daily-prices").header("idempotency-key", key);
    let request = request.header(AUTHORIZATION, format!("Bearer {OPERATOR_TOKEN}"));
    request
        .body(Body::from(r#"{"tickers": ["AAPL", "AMZN", "GOOG", "META", "MSFT", "NVDA"]}"#))
        .expect("a request")
}

/// Sends requests that together write each kind of line.
async fn story(service: Router, handle: Handle, weather: Arc<Weather>) {
    let operator = format!("Bearer {OPERATOR_TOKEN}");
    let send = async |request: Request<Body>| {
        let response = service.clone().oneshot(request).await;
        response.unwrap_or_else(|never| match never {}).status().as_u16()
    };
    assert_eq!(send(get("/jobs", &operator)).await, 200);
    assert_eq!(send(Request::get("/jobs").body(Body::empty()).expect("a request")).await, 401);
    assert_eq!(send(get("/jobs", "Bearer made-up")).await, 401);
    weather.providers.store(DOWN, Ordering::Relaxed);
    assert_eq!(send(get("/jobs", &format!("Bearer {SIGNED_TOKEN}"))).await, 503);
    // `operator:` and the token, in Base64.
    let basic = "Basic b3BlcmF0b3I6MDEyMzQ1Njc4OWFiY2RlZi1vZi10aGUtbG9n";
    let mut foreign = run("foreign");
    foreign.headers_mut().insert(AUTHORIZATION, basic.parse().expect("a value"));
    foreign.headers_mut().insert(ORIGIN, "https://elsewhere.test".parse().expect("a value"));
    assert_eq!(send(foreign).await, 403);
    assert_eq!(send(run("bad")).await, 503);
    weather.providers.store(WELL, Ordering::Relaxed);
    handle.sleep(Duration::from_secs(60)).await;
    assert_eq!(send(run("good")).await, 200);
    assert_eq!(send(post("/watch")).await, 200);
    assert_eq!(send(post("/notify/test")).await, 200);
    weather.firestore.store(DOWN, Ordering::Relaxed);
    assert_eq!(send(run("lost")).await, 503);
    assert_eq!(send(get("/runs", &operator)).await, 503);
}

/// All lines written, in order.
fn lines() -> Vec<Json> {
    let dice = Dice::new(7);
    let mut executor = Executor::new(dice.split());
    let handle = executor.handle();
    let weather = Arc::new(Weather::default());
    let wire = Wire { handle: handle.clone(), store: Mutex::default(), weather: weather.clone() };
    let clock = Arc::new(VirtualClock::new(handle.clone(), TimeDelta::zero(), Duration::ZERO));
    let world = World {
        transport: Arc::new(wire),
        clock: clock.clone(),
        entropy: Arc::new(dice),
        machine: Arc::new(()),
    };
    let instance = Instance::new(&world);
    let written = Arc::new(Mutex::new(Vec::new()));
    let into = written.clone();
    let sink = Box::new(move |line: &str| into.lock().expect("lines").push(line.to_owned()));
    let origin = Origin { project: "world".to_owned(), instance: instance.id.clone() };
    let log = JsonLog::new(Level::DEBUG, clock, origin, sink);
    let service = router(Arc::new(App::new(config(), world, instance)));
    listen(log, || executor.run(story(service, handle, weather))).expect("the story comes to its end");
    let written = written.lock().expect("lines");
    written.iter().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

/// Replaces varying values with a placeholder of the same type.
fn redact(line: &mut Json) {
    let Json::Object(members) = line else { return };
    for (name, value) in members {
        let varies = |field: &&str| name == field || field.ends_with('.') && name.starts_with(*field);
        if VARYING.iter().any(varies) {
            *value = if value.is_number() { 0.into() } else { "…".into() };
        } else {
            redact(value);
        }
    }
}

#[test]
fn each_kind_of_line_is_as_stored() {
    let mut seen = BTreeSet::new();
    let mut samples = String::new();
    for mut line in lines() {
        let kind = (line["message"].to_string(), line["severity"].to_string());
        if seen.insert(kind) {
            redact(&mut line);
            let _ = writeln!(samples, "{line}");
        }
    }
    check_file(STORED, &samples);
}

#[test]
fn every_line_names_its_request_and_a_runs_lines_name_their_run() {
    let lines = lines();
    assert!(lines.len() > 15, "only {} lines", lines.len());
    for line in lines {
        for field in ["request.id", "logging.googleapis.com/trace", "logging.googleapis.com/spanId"] {
            assert!(line[field].is_string(), "no {field}: {line}");
        }
        let of_run = ["run ended", "provider call", "circuit breaker opened", "circuit breaker closed"];
        if of_run.iter().any(|message| line["message"] == *message) {
            assert_eq!(line["job.name"], "tiingo-daily-prices", "{line}");
            assert!(line["run.id"].is_string(), "{line}");
        }
    }
}
