//! Connects a case to one of the Firestores.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant as RealInstant, SystemTime};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use orchestrator::app::App;
use orchestrator::base::instance::Instance;
use orchestrator::base::ports::{
    BoxFuture, Clock, InboundResponse, Instant, OutboundRequest, Transport, TransportError,
};
use orchestrator::base::world::World;
use orchestrator::firestore::Firestore;
use orchestrator::settings::Config;
use sim::firestore::memory::{Store, Strictness};
use sim::firestore::{Embedded, Emulator, unique_project};

use crate::world::clock::{VirtualClock, civil};
use crate::world::dice::Dice;
use crate::world::executor::{Executor, Handle};

/// Runs a case against the in-memory store, which refuses what the emulator refuses.
pub(super) fn in_memory<F: Future<Output = ()> + Send + 'static>(case: fn(Firestore) -> F) {
    in_store(Strictness::Emulator, case);
}

/// Runs a case against the in-memory store.
pub(super) fn in_store<F: Future<Output = ()> + Send + 'static>(
    strictness: Strictness,
    case: fn(Firestore) -> F,
) {
    let dice = Dice::new(1);
    let mut executor = Executor::new(dice.split());
    let handle = executor.handle();
    let world = World {
        transport: Arc::new(Direct {
            handle: handle.clone(),
            store: Arc::new(Mutex::new(Store::new(strictness))),
        }),
        clock: Arc::new(VirtualClock::new(handle, chrono::TimeDelta::zero(), Duration::ZERO)),
        entropy: Arc::new(dice),
        machine: Arc::new(()),
    };
    executor.run(case(client("memory.test:1", "conformance", world))).expect("the case ends");
}

/// The in-memory store in its server, and a client for it.
pub(super) async fn embedded() -> (Embedded, Firestore) {
    let embedded = Embedded::start(None, Strictness::Emulator).await.expect("it starts");
    let db = over_http(&embedded.host());
    (embedded, db)
}

/// A client for a separate database in the emulator that all tests share. None, and a note, on a machine without one.
pub(super) async fn emulator() -> Option<Firestore> {
    let emulator = Emulator::shared().await.expect("the emulator starts");
    if emulator.is_none() {
        println!("skipped: there is no Firestore emulator here");
    }
    emulator.map(|emulator| over_http(&emulator.host()))
}

fn over_http(host: &str) -> Firestore {
    let world = World {
        transport: Arc::new(Http(reqwest::Client::new())),
        clock: Arc::new(RealClock(RealInstant::now())),
        entropy: Arc::new(Dice::new(1)),
        machine: Arc::new(()),
    };
    client(host, &unique_project(), world)
}

fn client(host: &str, project: &str, world: World) -> Firestore {
    let setting = |name: &str| match name {
        "google_cloud_project" => Some(project.to_owned()),
        "firestore_emulator_host" => Some(host.to_owned()),
        "inbound_auth" => Some("platform".to_owned()),
        _ => None,
    };
    let instance = Instance::new(&world);
    App::new(Config::parse(setting).expect("valid settings"), world, instance).engine.firestore
}

/// Passes requests directly to the store.
struct Direct {
    handle: Handle,
    store: Arc<Mutex<Store>>,
}

impl Transport for Direct {
    fn send(&self, request: OutboundRequest) -> BoxFuture<'static, Result<InboundResponse, TransportError>> {
        let (handle, store) = (self.handle.clone(), self.store.clone());
        Box::pin(async move {
            handle.sleep(Duration::from_millis(1)).await;
            let (_, rest) = request.url.split_once("://").expect("an absolute URL");
            let path = &rest[rest.find('/').expect("a path")..];
            let mut store = store.lock().expect("no case has panicked");
            let reply = store.handle(civil(handle.now()), &request.method, path, &request.body);
            let body = Bytes::from(reply.body.to_string());
            Ok(InboundResponse { status: reply.status, headers: http::HeaderMap::new(), body })
        })
    }
}

/// The real network.
struct Http(reqwest::Client);

impl Transport for Http {
    fn send(&self, request: OutboundRequest) -> BoxFuture<'static, Result<InboundResponse, TransportError>> {
        let sent = self
            .0
            .request(request.method, request.url)
            .headers(request.headers)
            .body(request.body)
            .timeout(request.timeout)
            .send();
        Box::pin(async move {
            let broken = |error: reqwest::Error| TransportError::Connection(error.to_string());
            let answer = sent.await.map_err(broken)?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            Ok(InboundResponse { status, headers, body: answer.bytes().await.map_err(broken)? })
        })
    }
}

/// The machine's clock.
struct RealClock(RealInstant);

impl Clock for RealClock {
    fn now(&self) -> DateTime<Utc> {
        SystemTime::now().into()
    }

    fn instant(&self) -> Instant {
        Instant::from_origin(self.0.elapsed())
    }

    fn sleep(&self, length: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(length))
    }
}
