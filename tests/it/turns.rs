//! Requests of one instance take turns: a run yields regularly, even if it never has to wait.

use std::future::{pending, ready};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode};
use orchestrator::api::request::parse_job;
use orchestrator::app::App;
use orchestrator::base::instance::Instance;
use orchestrator::base::ports::{
    BoxFuture, Clock, Entropy, InboundResponse, Instant, OutboundRequest, Transport, TransportError,
};
use orchestrator::base::world::World;
use orchestrator::catalogue;
use orchestrator::engine::Answer;
use orchestrator::firestore::value::fields;
use orchestrator::firestore::{DocumentPath, Value, Write};
use orchestrator::settings::Config;
use serde_json::{Value as Json, json};

use crate::hostile::deaf;
use sim::firestore::memory::Store;

const TICKERS: usize = 40;
/// More polls than any run here takes.
const POLLS_MAX: usize = 10_000;

/// Firestore and a provider that answer at once.
#[derive(Default)]
struct Prompt {
    store: Mutex<Store>,
}

impl Transport for Prompt {
    fn send(&self, request: OutboundRequest) -> BoxFuture<'static, Result<InboundResponse, TransportError>> {
        let (status, body) = match request.url.split_once("/v1/projects") {
            Some((_, rest)) => {
                let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
                let path = format!("/v1/projects{rest}");
                let reply = store.handle(deaf::now(), &request.method, &path, &request.body);
                (reply.status, reply.body)
            }
            None => (StatusCode::OK, answer(&request.body)),
        };
        let body = Bytes::from(body.to_string());
        Box::pin(ready(Ok(InboundResponse { status, headers: HeaderMap::new(), body })))
    }
}

/// A response with one price for every ticker, of the last session.
fn answer(request: &[u8]) -> Json {
    let request: Json = serde_json::from_slice(request).expect("a call is JSON");
    let tickers = request["tickers"].as_array().expect("tickers");
    let price = json!({"date": "2026-11-20", "open": 1, "high": 1, "low": 1, "close": 1, "volume": 1});
    let entries: Vec<_> = tickers.iter().map(|ticker| json!({"ticker": ticker, "data": [price]})).collect();
    json!({"status": "ok", "data": entries, "errors": []})
}

/// Time stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        deaf::now()
    }

    fn instant(&self) -> Instant {
        Instant::from_origin(Duration::ZERO)
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(pending())
    }
}

impl Entropy for Still {
    fn next_u64(&self) -> u64 {
        7
    }
}

fn app() -> App {
    let world = World {
        transport: Arc::new(Prompt::default()),
        clock: Arc::new(Still),
        entropy: Arc::new(Still),
        machine: Arc::new(()),
    };
    let setting = |name: &str| match name {
        "batch_size_tiingo" => Some("1".to_owned()),
        _ => deaf::setting(name),
    };
    let instance = Instance::new(&world);
    App::new(Config::parse(setting).expect("the settings are valid"), world, instance)
}

#[test]
fn a_run_yields_after_every_response() {
    let app = app();
    let symbol = |number| {
        let path = DocumentPath::new(&app.config.collections.universe, &format!("T{number}"));
        Write::overwrite(path, fields([("isActive", Value::Boolean(true))]))
    };
    let watchlist: Vec<_> = (0..TICKERS).map(symbol).collect();
    deaf::wait(app.engine.firestore.commit(&watchlist)).expect("written");
    let job = catalogue::find("tiingo-daily-prices").expect("a job");
    let trigger = parse_job(job, &HeaderMap::new(), b"{}", &app.engine.world).expect("a trigger");

    let mut run = pin!(app.engine.run(trigger));
    let mut task = Context::from_waker(Waker::noop());
    let mut polls = 0;
    let answer = loop {
        polls += 1;
        assert!(polls < POLLS_MAX, "the run waits although every response has arrived");
        if let Poll::Ready(answer) = run.as_mut().poll(&mut task) {
            break answer;
        }
    };
    let Answer::Ended { report, .. } = answer else { panic!("{answer:?}") };
    let report = serde_json::to_value(report).expect("a report is JSON");
    assert_eq!(report["data"]["tickers_processed"], TICKERS, "{report:#}");
    assert!(polls > TICKERS, "{TICKERS} responses were read in {polls} turns");
}
