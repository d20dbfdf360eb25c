//! One whole system per test, on an emulator that all tests share.

use std::fmt::Debug;
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::{Client, Method};
use sim::orchestrator::{Builder, Orchestrator};
use sim::providers::Pace;
use sim::scheduler::{Job, Reply, Tick};
use sim::stack::{Parts, Stack};
use sim::watchlist::Watchlist;

use crate::runtime::builder;

/// How long a test waits for something that must happen. Only a broken system takes this long.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Settings that make tests quick; they would prove no more with the delays of production.
const QUICK: [(&str, &str); 5] = [
    ("retry_base_ms", "1"),
    ("retry_max_ms", "20"),
    ("log_level", "debug"),
    // Runs that the service makes by itself: tests of them turn them on.
    ("heal_sessions", "0"),
    ("refetch_history_sessions", "0"),
];

/// Starts a system with these tickers; the settings override the quick ones.
pub async fn start(watchlist: Watchlist, settings: &[(&str, &str)]) -> Stack {
    let parts = Parts { watchlist: Some(watchlist), ..Parts::default() };
    start_with(parts, builder().variables(settings.iter().copied())).await
}

/// Starts a system of the given parts and orchestrator.
///
/// By default the providers have neither limits nor pauses: most tests count calls, and how many of them fall into a
/// minute depends on the machine. The tests in `limits` use the limits of the deployed services.
pub async fn start_with(parts: Parts, builder: Builder) -> Stack {
    let parts = Parts { pace: parts.pace.or(Some(Pace::Unlimited)), ..parts };
    Stack::start(parts, quick(builder)).await.expect("the system starts")
}

/// Starts another instance of the orchestrator on the parts of a running system.
pub async fn another(stack: &Stack, settings: &[(&str, &str)]) -> Orchestrator {
    let builder = quick(builder().variables(settings.iter().copied())).default_variables(stack.variables());
    builder.start().await.expect("a second orchestrator starts")
}

fn quick(builder: Builder) -> Builder {
    let quick = QUICK.map(|(name, value)| (name.to_owned(), value.to_owned()));
    builder.default_variables(quick.into())
}

/// A job by its name.
pub fn job(name: &str) -> &'static Job {
    Job::find(name).unwrap_or_else(|| panic!("no job {name}"))
}

/// The time of a test's tick: in the past, some minutes after a fixed time.
pub fn at(minutes: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_763_650_800, 0).expect("a time") + TimeDelta::minutes(minutes)
}

/// The current time.
pub fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}

/// The first tick of a job.
pub fn tick(name: &str) -> Tick {
    Tick::new(job(name), at(0))
}

/// A request for the route of a job that is not a tick of Cloud Scheduler.
pub fn by_hand(name: &str) -> Tick {
    // A future schedule time makes it a manual run.
    Tick::new(job(name), now() + TimeDelta::days(1))
}

/// Sends a tick and expects a response of any kind.
pub async fn send(orchestrator: &Orchestrator, tick: &Tick) -> Reply {
    tick.send(orchestrator.url())
        .await
        .unwrap_or_else(|error| panic!("{error:#}\nthe log ends:\n{}", orchestrator.log().tail()))
}

/// Sends a tick and expects this status.
pub async fn expect(orchestrator: &Orchestrator, tick: &Tick, status: u16) -> Reply {
    let reply = send(orchestrator, tick).await;
    assert_eq!(reply.status, status, "{:#}\nthe log ends:\n{}", reply.body, orchestrator.log().tail());
    reply
}

/// Gets a path.
pub async fn get(orchestrator: &Orchestrator, path: &str) -> Reply {
    ask(orchestrator, Method::GET, path).await
}

/// Posts to a path without a body.
pub async fn post(orchestrator: &Orchestrator, path: &str) -> Reply {
    ask(orchestrator, Method::POST, path).await
}

/// Gives an order.
pub async fn order(orchestrator: &Orchestrator, path: &str, body: serde_json::Value) -> Reply {
    request(orchestrator, Method::POST, path, Some(body)).await
}

/// Sends a request without a body.
pub async fn ask(orchestrator: &Orchestrator, method: Method, path: &str) -> Reply {
    request(orchestrator, method, path, None).await
}

async fn request(
    orchestrator: &Orchestrator,
    method: Method,
    path: &str,
    body: Option<serde_json::Value>,
) -> Reply {
    let client = Client::builder().no_proxy().build().expect("a client");
    let url = format!("{}{path}", orchestrator.url());
    let start = Instant::now();
    let mut request = client.request(method, &url).timeout(PATIENCE);
    if let Some(body) = body {
        request = request.header("content-type", "application/json").body(body.to_string());
    }
    let answer = request.send().await.expect("an answer");
    let text = |value: &reqwest::header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let status = answer.status().as_u16();
    let headers = answer.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    let body = answer.text().await.expect("a whole answer");
    let body = serde_json::from_str(&body).unwrap_or_else(|_| body.into());
    Reply { status, headers, body, duration: start.elapsed() }
}

/// Waits until a condition holds.
pub async fn wait_until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The value of `Retry-After`, in seconds.
pub fn retry_after(reply: &Reply) -> u64 {
    let value = reply.headers.get("retry-after");
    let seconds = value.and_then(|value| value.parse().ok()).filter(|seconds| *seconds > 0);
    seconds.unwrap_or_else(|| panic!("no whole seconds in Retry-After {value:?} of {:#}", reply.body))
}

/// Compares lists whose order does not matter.
pub fn assert_same<T: Ord + Debug>(left: impl IntoIterator<Item = T>, right: impl IntoIterator<Item = T>) {
    let sorted = |items: Vec<T>| {
        let mut items = items;
        items.sort();
        items
    };
    assert_eq!(sorted(left.into_iter().collect()), sorted(right.into_iter().collect()));
}
