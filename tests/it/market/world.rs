//! The world: one provider of prices, Firestore, instances that die, a scheduler and a watch.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use futures::channel::oneshot;
use futures::future::{Either, select};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use orchestrator::api::request::parse_job;
use orchestrator::app::App;
use orchestrator::base::instance::Instance;
use orchestrator::base::ports::{BoxFuture, InboundResponse, OutboundRequest, Transport, TransportError};
use orchestrator::base::world::World as Ports;
use orchestrator::calendar::new_york::from_new_york;
use orchestrator::catalogue;
use orchestrator::engine::Answer;
use orchestrator::firestore::value::fields;
use orchestrator::firestore::{DocumentPath, Value, Write};
use orchestrator::settings::Config;
use serde_json::{Value as Json, json};
use sim::data::{Spec, entries, entries_of, moment};
use sim::endpoint::Endpoint;

use super::plan::{Kind, Plan, first_day, last_day, names};
use crate::hostile::deaf;
use crate::world::clock::{VirtualClock, civil};
use crate::world::dice::Dice;
use crate::world::executor::{Executor, Handle, WORLD};
use sim::firestore::memory::Store;

pub(super) const JOB: &str = "tiingo-daily-prices";
/// Sessions of a history that are requested again.
pub(super) const HISTORY: usize = 60;
/// Days that a world lasts: a month of faults and a quiet week.
pub(super) const DAYS: u32 = 37;
pub(super) const QUIET_DAYS: u32 = 6;
/// Time between two watches: a minute in real life, longer here to keep worlds short.
const WATCH: Duration = Duration::from_secs(3_600);
/// How often the scheduler tries again, and after how long.
const RETRIES: usize = 3;
const RETRY_WAIT: Duration = Duration::from_secs(60);
/// How long a caller waits.
const PATIENCE: Duration = Duration::from_secs(900);

/// A world that has ended, or goes on.
#[derive(Clone)]
pub(super) struct Market {
    pub(super) plan: Plan,
    handle: Handle,
    dice: Dice,
    store: Arc<Mutex<Store>>,
    lives: Arc<Mutex<u32>>,
    database: Arc<Mutex<String>>,
    calls: Arc<Mutex<Vec<Call>>>,
    /// Until when the provider works on what it was sent.
    busy_until: Arc<Mutex<Duration>>,
}

/// A request to the provider.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) tickers: Vec<String>,
    pub(super) days: Option<(NaiveDate, NaiveDate)>,
    pub(super) records: usize,
}

impl Market {
    /// Plays a world to its end.
    pub(super) fn play(dice: Dice, plan: &Plan) -> Self {
        Self::stage(dice, plan, Self::live)
    }

    /// Plays one scene of a world, which has a watchlist.
    pub(super) fn stage<F: Future<Output = ()> + Send + 'static>(
        dice: Dice,
        plan: &Plan,
        scene: impl FnOnce(Self) -> F,
    ) -> Self {
        let mut executor = Executor::new(dice.split());
        let market = Self {
            plan: plan.clone(),
            handle: executor.handle(),
            dice,
            store: Arc::default(),
            lives: Arc::new(Mutex::new(WORLD)),
            database: Arc::default(),
            calls: Arc::default(),
            busy_until: Arc::default(),
        };
        market.begin();
        executor.run(scene(market.clone())).expect("the world ends");
        market
    }

    fn begin(&self) {
        let (app, _) = self.instance();
        let mut database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        app.engine.firestore.database().clone_into(&mut database);
        drop(database);
        self.seed(&app);
    }

    async fn live(self) {
        let ticks = self.clone();
        self.handle.spawn(WORLD, async move { ticks.schedule().await });
        let end = Duration::from_secs(u64::from(DAYS) * 24 * 3_600);
        while self.handle.now() < end {
            self.handle.sleep(WATCH).await;
            if !self.plan.is_watched {
                continue;
            }
            // Now and then the scheduler sends a second watch while the first is at work.
            for _ in 0..self.dice.between(1, 2) {
                let world = self.clone();
                self.handle.spawn(WORLD, async move {
                    let watch = |app: Arc<App>| async move {
                        app.engine.watch(app.engine.world.clock.instant()).await.is_ok()
                    };
                    world.request(watch).await;
                });
            }
        }
    }

    /// Sends every tick of the job, and tries again as Cloud Scheduler does.
    async fn schedule(self) {
        for day in first_day().iter_days().take_while(|day| *day <= last_day()) {
            let tick = day.and_hms_opt(18, 0, 0).and_then(from_new_york).expect("a time");
            let weekend =
                matches!(chrono::Datelike::weekday(&day), chrono::Weekday::Sat | chrono::Weekday::Sun);
            let Ok(wait) = (tick - civil(self.handle.now())).to_std() else { continue };
            if weekend {
                continue;
            }
            self.handle.sleep(wait).await;
            let world = self.clone();
            self.handle.spawn(WORLD, async move {
                for _ in 0..=RETRIES {
                    if world.plan.is(Kind::Silent, world.handle.now()) {
                        return;
                    }
                    if world.request(move |app| tick_of(app, tick)).await == Some(true) {
                        return;
                    }
                    world.handle.sleep(RETRY_WAIT).await;
                }
            });
        }
    }

    /// Sends a request to an instance; whether it succeeded, if there is an answer.
    async fn request<F: Future<Output = bool> + Send + 'static>(
        &self,
        work: impl FnOnce(Arc<App>) -> F + Send + 'static,
    ) -> Option<bool> {
        let (app, owner) = self.instance();
        if self.dice.chance(self.plan.mortality) && !self.is_quiet() {
            self.handle.kill_after(owner, self.dice.between(1, 400));
        }
        let (sender, receiver) = oneshot::channel();
        self.handle.spawn(owner, async move {
            // The caller may have hung up.
            let _ = sender.send(work(app).await);
        });
        match select(receiver, self.handle.sleep(PATIENCE)).await {
            Either::Left((answer, _)) => answer.ok(),
            Either::Right(_) => None,
        }
    }

    fn is_quiet(&self) -> bool {
        self.handle.now() >= Duration::from_secs(u64::from(DAYS - QUIET_DAYS) * 24 * 3_600)
    }

    /// A fresh instance: nothing is remembered from one request to the next.
    pub(super) fn instance(&self) -> (Arc<App>, u32) {
        let owner = {
            let mut lives = self.lives.lock().unwrap_or_else(PoisonError::into_inner);
            *lives += 1;
            *lives
        };
        let ports = Ports {
            transport: Arc::new(self.clone()),
            clock: Arc::new(VirtualClock::new(self.handle.clone(), TimeDelta::zero(), Duration::ZERO)),
            entropy: Arc::new(self.dice.split()),
            machine: Arc::new(()),
        };
        let setting = |name: &str| match name {
            "batch_size_tiingo" => Some(self.plan.batch.to_string()),
            "heal_sessions" => Some("5".to_owned()),
            "refetch_history_sessions" => Some(HISTORY.to_string()),
            _ => deaf::setting(name),
        };
        let instance = Instance::new(&ports);
        let config = Config::parse(setting).expect("the settings are valid");
        (Arc::new(App::new(config, ports, instance)), owner)
    }

    fn seed(&self, app: &App) {
        let symbol = |name: &String| {
            let path = DocumentPath::new(&app.config.collections.universe, name);
            let write = Write::overwrite(path, fields([("isActive", Value::Boolean(true))]));
            let write = write.encode(app.engine.firestore.database());
            serde_json::from_slice::<Json>(&write.json).expect("JSON")
        };
        let writes: Vec<Json> = names(self.plan.tickers).iter().map(symbol).collect();
        let path = format!("/v1/{}/documents:batchWrite", app.engine.firestore.database());
        let body = json!({"writes": writes}).to_string();
        let reply = self.store().handle(self.now(), &http::Method::POST, &path, body.as_bytes());
        assert!(reply.status.is_success(), "{}", reply.body);
    }

    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn database(&self) -> String {
        self.database.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        civil(self.handle.now())
    }

    /// Somebody deletes all prices.
    pub(super) fn forget_prices(&self) {
        let folder = format!("{}/documents/prices_daily/", self.database());
        let names: Vec<_> =
            self.store().documents().keys().filter(|name| name.starts_with(&folder)).cloned().collect();
        for name in names {
            self.store().remove(&name);
        }
    }

    /// What the provider's data is made of.
    pub(super) fn spec() -> Spec {
        Spec { seed: 3, records_per_ticker: 2, market_articles: 1 }
    }

    /// The requests that the provider has answered.
    pub(super) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Waits as long as the provider works on this request, after those before it.
    async fn wait(&self, request: &OutboundRequest) {
        let tickers = serde_json::from_slice::<Json>(&request.body).unwrap_or_default();
        let count = tickers["tickers"].as_array().map_or(0, Vec::len);
        let work = self.plan.pace * u32::try_from(count).expect("few");
        let until = {
            let mut busy_until = self.busy_until.lock().unwrap_or_else(PoisonError::into_inner);
            *busy_until = busy_until.max(self.handle.now()) + work;
            *busy_until
        };
        self.handle.sleep(until.saturating_sub(self.handle.now())).await;
    }

    /// The answer to a request for prices.
    fn prices(&self, body: &[u8]) -> Json {
        let now = self.handle.now();
        let body: Json = serde_json::from_slice(body).expect("a call is JSON");
        let at = moment(body["run_time"].as_str()).max(civil(now));
        let tickers: Vec<String> = serde_json::from_value(body["tickers"].clone()).expect("tickers");
        let endpoint = Endpoint::TIINGO_PRICES;
        let days = endpoint.days(&body, at).expect("days");
        let mut entries = match days.filter(|_| !self.plan.is(Kind::Ignorant, now)) {
            Some(days) => entries_of(&Self::spec(), endpoint, &tickers, days, None, at),
            None => entries(&Self::spec(), endpoint, &tickers, at),
        };
        for entry in &mut entries {
            let ticker = entry["ticker"].as_str().expect("a ticker").to_owned();
            let is_empty = self.plan.is(Kind::Empty, now) && self.dice.chance(70);
            let records = entry["data"].as_array_mut().expect("records");
            let date =
                |record: &Json| record["date"].as_str().and_then(|date| date.parse().ok()).expect("a date");
            records.retain(|record| !is_empty && !self.plan.never.contains(&(ticker.clone(), date(record))));
        }
        let records = entries.iter().filter_map(|entry| entry["data"].as_array()).map(Vec::len).sum();
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).push(Call { tickers, days, records });
        json!({"status": "ok", "fetched": entries.len(), "data": entries, "errors": null, "duration_ms": 1})
    }

    fn answer(&self, request: &OutboundRequest) -> InboundResponse {
        let now = self.handle.now();
        let unavailable = || response(StatusCode::SERVICE_UNAVAILABLE, &json!({"detail": "down"}));
        if let Some((_, rest)) = request.url.split_once("/v1/projects") {
            if self.plan.is(Kind::Firestore, now) && self.dice.chance(90) {
                let error = json!({"error": {"code": 503, "status": "UNAVAILABLE", "message": "down"}});
                return response(StatusCode::SERVICE_UNAVAILABLE, &error);
            }
            let path = format!("/v1/projects{rest}");
            let reply = self.store().handle(civil(now), &request.method, &path, &request.body);
            return response(reply.status, &reply.body);
        }
        if self.plan.is(Kind::Down, now) {
            return unavailable();
        }
        if request.method == http::Method::GET {
            return response(StatusCode::OK, &json!({"status": "healthy"}));
        }
        response(StatusCode::OK, &self.prices(&request.body))
    }
}

impl Transport for Market {
    fn send(&self, request: OutboundRequest) -> BoxFuture<'static, Result<InboundResponse, TransportError>> {
        let market = self.clone();
        Box::pin(async move {
            market.handle.sleep(market.dice.millis(1, 40)).await;
            if !market.plan.pace.is_zero() && !request.url.contains("/v1/projects") {
                market.wait(&request).await;
            }
            let answer = market.answer(&request);
            market.handle.sleep(market.dice.millis(1, 40)).await;
            Ok(answer)
        })
    }
}

pub(super) async fn tick_of(app: Arc<App>, tick: DateTime<Utc>) -> bool {
    let name = HeaderName::from_static("x-cloudscheduler-scheduletime");
    let value = HeaderValue::try_from(tick.to_rfc3339()).expect("a header");
    let headers = HeaderMap::from_iter([(name, value)]);
    let job = catalogue::find(JOB).expect("a job");
    let trigger = parse_job(job, &headers, b"{}", &app.engine.world).expect("a trigger");
    match app.engine.run(trigger).await {
        Answer::Ended { report, .. } => report.http_status().is_success(),
        Answer::Finished(_) => true,
        _ => false,
    }
}

fn response(status: StatusCode, body: &Json) -> InboundResponse {
    InboundResponse { status, headers: HeaderMap::new(), body: Bytes::from(body.to_string()) }
}
