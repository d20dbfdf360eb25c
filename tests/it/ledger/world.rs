//! Instances in virtual time, one Firestore whose responses a test controls, and a provider that knows every ticker.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use http::{HeaderMap, StatusCode};
use orchestrator::api::request::parse_job;
use orchestrator::app::App;
use orchestrator::base::instance::Instance;
use orchestrator::base::ports::{BoxFuture, InboundResponse, OutboundRequest, Transport, TransportError};
use orchestrator::base::world::World as Ports;
use orchestrator::catalogue;
use orchestrator::engine::Answer;
use orchestrator::firestore::value::fields;
use orchestrator::firestore::{DocumentPath, Value, Write};
use orchestrator::run::RunState;
use orchestrator::run::Trigger;
use orchestrator::settings::Config;
use serde_json::{Value as Json, json};

use crate::hostile::deaf;
use crate::world::clock::{VirtualClock, civil};
use crate::world::dice::Dice;
use crate::world::executor::{Executor, Handle};
use sim::firestore::memory::Store;

pub(super) const JOB: &str = "tiingo-daily-prices";
/// The lease in the settings.
pub(super) const LEASE: Duration = Duration::from_secs(60);

/// What happens to a request to Firestore.
pub(super) enum Way {
    Usual,
    /// The response takes this long.
    Slow(Duration),
    /// It is carried out, but the connection breaks.
    Lost,
    /// There is never a response.
    Never,
    /// The response is changed.
    Changed(fn(Json) -> Json),
}

/// Decides by the method (such as `runQuery`) and its number of earlier requests.
type Script = Arc<dyn Fn(&str, usize) -> Way + Send + Sync>;

/// What all instances share.
#[derive(Clone)]
pub(super) struct World {
    pub(super) handle: Handle,
    store: Arc<Mutex<Store>>,
    script: Script,
    /// Tickers that the provider does not know.
    unknown: Arc<Mutex<BTreeSet<String>>>,
    /// The day of the provider's newest prices.
    published: Arc<Mutex<&'static str>>,
    /// The closing price, if it is not the usual one.
    restated: Arc<Mutex<Option<f64>>>,
    asked: Arc<Mutex<BTreeMap<String, usize>>>,
}

/// Runs a test in virtual time.
pub(super) fn play<F: Future<Output = ()> + Send + 'static>(
    script: impl Fn(&str, usize) -> Way + Send + Sync + 'static,
    test: impl FnOnce(World) -> F,
) {
    let mut executor = Executor::new(Dice::new(1));
    let (store, unknown, asked) = (Arc::default(), Arc::default(), Arc::default());
    let published = Arc::new(Mutex::new("2026-11-20"));
    let world = World {
        handle: executor.handle(),
        store,
        script: Arc::new(script),
        unknown,
        published,
        restated: Arc::default(),
        asked,
    };
    executor.run(test(world)).expect("the test ends");
}

pub(super) fn usual(_: &str, _: usize) -> Way {
    Way::Usual
}

impl World {
    /// An instance whose clock is wrong by `skew`.
    pub(super) fn instance(&self, skew: TimeDelta) -> Arc<App> {
        self.instance_with(skew, |_| None)
    }

    /// The same with additional settings.
    pub(super) fn instance_with(&self, skew: TimeDelta, own: fn(&str) -> Option<&'static str>) -> Arc<App> {
        let ports = Ports {
            transport: Arc::new(self.clone()),
            clock: Arc::new(VirtualClock::new(self.handle.clone(), skew, Duration::ZERO)),
            entropy: Arc::new(Dice::new(u64::try_from(skew.num_seconds().abs()).expect("a number") + 7)),
            machine: Arc::new(()),
        };
        let setting = |name: &str| match name {
            "batch_size_tiingo" => Some("1000".to_owned()),
            "job_deadline_seconds" => Some("240".to_owned()),
            _ => own(name).map(str::to_owned).or_else(|| deaf::setting(name)),
        };
        let instance = Instance::new(&ports);
        Arc::new(App::new(Config::parse(setting).expect("the settings are valid"), ports, instance))
    }

    /// Writes a watchlist, bypassing all faults.
    pub(super) fn seed(&self, app: &App, tickers: usize) {
        let symbol = |number| {
            let path = DocumentPath::new(&app.config.collections.universe, &format!("T{number:05}"));
            Write::overwrite(path, fields([("isActive", Value::Boolean(true))]))
                .encode(app.engine.firestore.database())
        };
        for from in (0..tickers).step_by(500) {
            let writes: Vec<Json> = (from..tickers.min(from + 500))
                .map(|number| serde_json::from_slice(&symbol(number).json).expect("JSON"))
                .collect();
            let path = format!("/v1/{}/documents:batchWrite", app.engine.firestore.database());
            let body = json!({"writes": writes}).to_string();
            let reply = self.handle_now(&http::Method::POST, &path, body.as_bytes());
            assert!(reply.0.is_success(), "{}", reply.1);
        }
    }

    fn handle_now(&self, method: &http::Method, path: &str, body: &[u8]) -> (StatusCode, Json) {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let reply = store.handle(civil(self.handle.now()), method, path, body);
        (reply.status, reply.body)
    }

    /// Makes these tickers unknown to the provider.
    pub(super) fn unknown(&self, tickers: &[&str]) {
        let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        *unknown = tickers.iter().map(ToString::to_string).collect();
    }

    /// Sets the day of the provider's newest prices.
    pub(super) fn publish(&self, day: &'static str) {
        *self.published.lock().unwrap_or_else(PoisonError::into_inner) = day;
    }

    /// Sets the closing price; the usual one if there is none.
    pub(super) fn restate(&self, close: Option<f64>) {
        *self.restated.lock().unwrap_or_else(PoisonError::into_inner) = close;
    }

    /// Deletes a document, bypassing all faults.
    pub(super) fn delete(&self, app: &App, document: &DocumentPath) {
        let name = format!("{}/documents/{document}", app.engine.firestore.database());
        self.store.lock().unwrap_or_else(PoisonError::into_inner).remove(&name);
    }

    /// Writes a document, bypassing all faults.
    pub(super) fn store(&self, app: &App, write: &Write) {
        let write: Json =
            serde_json::from_slice(&write.encode(app.engine.firestore.database()).json).expect("JSON");
        let path = format!("/v1/{}/documents:commit", app.engine.firestore.database());
        let (status, body) =
            self.handle_now(&http::Method::POST, &path, json!({"writes": [write]}).to_string().as_bytes());
        assert!(status.is_success(), "{body}");
    }

    /// Waits until this time of the world.
    pub(super) async fn until(&self, time: Duration) {
        self.handle.sleep(time.saturating_sub(self.handle.now())).await;
    }

    /// Number of requests with a method.
    pub(super) fn asked(&self, method: &str) -> usize {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.get(method).copied().unwrap_or_default()
    }

    fn way(&self, method: &str) -> Way {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let count = asked.entry(method.to_owned()).or_default();
        *count += 1;
        (self.script)(method, *count - 1)
    }
}

impl World {
    /// The responses of everything other than Firestore.
    async fn elsewhere(&self, request: &OutboundRequest) -> InboundResponse {
        if request.url.contains("/computeMetadata/") {
            let token = Bytes::from_static(b"e.eyJleHAiOjk5OTk5OTk5OTl9.s");
            let status = match self.way("identity") {
                Way::Usual => StatusCode::OK,
                _ => StatusCode::SERVICE_UNAVAILABLE,
            };
            return InboundResponse { status, headers: HeaderMap::new(), body: token };
        }
        if request.method == http::Method::GET {
            return response(StatusCode::OK, &json!({"status": "healthy"}));
        }
        match self.way("call") {
            Way::Slow(delay) => self.handle.sleep(delay).await,
            Way::Never => std::future::pending().await,
            _ => {}
        }
        let unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        let day = *self.published.lock().unwrap_or_else(PoisonError::into_inner);
        let close = self.restated.lock().unwrap_or_else(PoisonError::into_inner).unwrap_or(1.0);
        response(StatusCode::OK, &prices(&request.body, &unknown, day, close))
    }
}

impl Transport for World {
    fn send(&self, request: OutboundRequest) -> BoxFuture<'static, Result<InboundResponse, TransportError>> {
        let world = self.clone();
        Box::pin(async move {
            world.handle.sleep(Duration::from_millis(1)).await;
            let Some((_, rest)) = request.url.split_once("/v1/projects") else {
                return Ok(world.elsewhere(&request).await);
            };
            let path = format!("/v1/projects{rest}");
            let method = path.rsplit_once(':').map_or("", |(_, method)| method);
            let way = world.way(method);
            let (status, body) = match way {
                Way::Never => {
                    world.handle.sleep(request.timeout).await;
                    return Err(TransportError::Timeout(request.timeout));
                }
                _ => world.handle_now(&request.method, &path, &request.body),
            };
            match way {
                Way::Slow(delay) => world.handle.sleep(delay).await,
                Way::Lost => return Err(TransportError::Connection("the answer is lost".to_owned())),
                Way::Changed(change) => return Ok(response(status, &change(body))),
                Way::Usual | Way::Never => {}
            }
            Ok(response(status, &body))
        })
    }
}

fn response(status: StatusCode, body: &Json) -> InboundResponse {
    InboundResponse { status, headers: HeaderMap::new(), body: Bytes::from(body.to_string()) }
}

/// One price for each known ticker.
fn prices(request: &[u8], unknown: &BTreeSet<String>, day: &str, close: f64) -> Json {
    let request: Json = serde_json::from_slice(request).expect("a call is JSON");
    let price = json!({"date": day, "open": 1.0, "high": 2.0, "low": 1.0, "close": close, "volume": 1});
    let entry = |ticker: &Json| {
        if unknown.contains(ticker.as_str().expect("a string")) {
            json!({"ticker": ticker, "error": "no such symbol", "data": null})
        } else {
            json!({"ticker": ticker, "data": [price], "count": 1})
        }
    };
    let entries: Vec<_> = request["tickers"].as_array().expect("tickers").iter().map(entry).collect();
    json!({"status": "ok", "data": entries, "errors": null})
}

/// A tick of the job, in the past for every instance: a future one would not count as a tick.
pub(super) fn tick(app: &App) -> Trigger {
    tick_at(app, "2026-11-23T12:00:00Z")
}

/// A tick of the job at a time in the past.
pub(super) fn tick_at(app: &App, time: &'static str) -> Trigger {
    let name = http::HeaderName::from_static("x-cloudscheduler-scheduletime");
    let headers = HeaderMap::from_iter([(name, http::HeaderValue::from_static(time))]);
    trigger(app, &headers)
}

/// A run of the job that somebody wants now.
pub(super) fn by_hand(app: &App) -> Trigger {
    trigger(app, &HeaderMap::new())
}

fn trigger(app: &App, headers: &HeaderMap) -> Trigger {
    parse_job(catalogue::find(JOB).expect("a job"), headers, b"{}", &app.engine.world).expect("a trigger")
}

/// The caller's response: its kind, the report and the status.
pub(super) fn reported(answer: Answer) -> (&'static str, Json, u16) {
    let (kind, report) = match answer {
        Answer::Ended { report, .. } => ("ended", report),
        Answer::Finished(report) => ("finished", report),
        Answer::Running { report, .. } => ("running", report),
        Answer::TooLarge(reason) => panic!("too large: {reason}"),
        Answer::Different => panic!("another request"),
        Answer::Unavailable(error) => return ("unavailable", json!(error.to_string()), 503),
    };
    let status = report.http_status().as_u16();
    (kind, serde_json::to_value(report).expect("a report is JSON"), status)
}

/// No writes in addition to a claim.
pub(super) fn alone(_: &RunState, _: &str) -> Vec<Write> {
    Vec::new()
}
