//! A tick's run ends before its job's next tick: otherwise Cloud Scheduler would hold that one back.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::TimeDelta;
use http::{HeaderMap, HeaderName, HeaderValue};
use orchestrator::api::request::parse_job;
use orchestrator::app::App;
use orchestrator::base::instance::Instance;
use orchestrator::base::ports::{BoxFuture, InboundResponse, OutboundRequest, Transport, TransportError};
use orchestrator::base::world::World;
use orchestrator::catalogue;
use orchestrator::engine::Answer;
use orchestrator::firestore::value::fields;
use orchestrator::firestore::{DocumentPath, Value, Write};
use orchestrator::settings::Config;

use crate::hostile::deaf;
use crate::world::clock::{EPOCH, VirtualClock, civil};
use crate::world::dice::Dice;
use crate::world::executor::{Executor, Handle};
use sim::firestore::memory::Store;

/// Firestore answers at once, the provider never.
struct Wire {
    handle: Handle,
    store: Mutex<Store>,
}

impl Transport for Wire {
    fn send(&self, request: OutboundRequest) -> BoxFuture<'static, Result<InboundResponse, TransportError>> {
        let Some(path) = request.url.strip_prefix("http://127.0.0.1:8080") else {
            return Box::pin(std::future::pending());
        };
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let reply = store.handle(civil(self.handle.now()), &request.method, path, &request.body);
        let body = Bytes::from(reply.body.to_string());
        Box::pin(std::future::ready(Ok(InboundResponse {
            status: reply.status,
            headers: HeaderMap::new(),
            body,
        })))
    }
}

/// How long after the tick its run ends, if its request arrives this late.
fn end_of_run(job: &'static str, late: Duration, is_tick: bool) -> Duration {
    let mut executor = Executor::new(Dice::new(1));
    let handle = executor.handle();
    let clock = Arc::new(VirtualClock::new(handle.clone(), TimeDelta::zero(), Duration::ZERO));
    let wire = Arc::new(Wire { handle: handle.clone(), store: Mutex::default() });
    let world = World { transport: wire, clock, entropy: Arc::new(Dice::new(2)), machine: Arc::new(()) };
    let config = Config::parse(deaf::setting).expect("the settings are valid");
    let instance = Instance::new(&world);
    let app = App::new(config, world, instance);
    executor
        .run(async move {
            handle.sleep(late).await;
            let collections = &app.config.collections;
            for collection in [&collections.active, &collections.universe] {
                let symbol = Write::overwrite(
                    DocumentPath::new(collection, "AAPL"),
                    fields([("isActive", Value::Boolean(true))]),
                );
                app.engine.firestore.commit(&[symbol]).await.expect("written");
            }
            let name = HeaderName::from_static("x-cloudscheduler-scheduletime");
            let time = HeaderValue::from_str(&EPOCH.to_rfc3339()).expect("a header");
            let headers = if is_tick { HeaderMap::from_iter([(name, time)]) } else { HeaderMap::new() };
            let job = catalogue::find(job).expect("a job");
            let trigger = parse_job(job, &headers, b"", &app.engine.world).expect("a trigger");
            let answer = app.engine.run(trigger).await;
            let Answer::Ended { report, .. } = answer else { panic!("{answer:?}") };
            assert_eq!(report.data.tickers_pending, 1, "{report:?}");
            handle.now()
        })
        .expect("the run ends")
}

const QUOTES: &str = "finnhub-quote-portfolio";
/// Time between two of the job's ticks; the world begins with one of them.
const GAP: Duration = Duration::from_secs(300);

#[test]
fn a_run_of_a_tick_ends_before_the_next_tick() {
    for late in [0, 30, 120, 240] {
        let end = end_of_run(QUOTES, Duration::from_secs(late), true);
        assert!(end < GAP, "{late} s late, the run ends {end:?} after the tick");
    }
    // A run may use the whole request if no tick is due soon, or if it is not a tick.
    for end in [
        end_of_run("finnhub-fundamentals-earnings", Duration::ZERO, true),
        end_of_run(QUOTES, Duration::ZERO, false),
    ] {
        assert!(end > GAP * 2, "{end:?}");
    }
}
