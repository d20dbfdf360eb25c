use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::*;
use crate::base::ports::{
    BoxFuture, Clock, Entropy, InboundResponse, Instant, OutboundRequest, Transport, TransportError,
};

const NOW: &str = "2026-11-23T23:00:10Z";
const TICK: &str = "2026-11-23T23:00:00Z";

/// Time stands still, nobody is there, chance counts.
#[derive(Default)]
struct Still(AtomicU64);

impl Clock for Still {
    fn now(&self) -> DateTime<Utc> {
        NOW.parse().unwrap()
    }

    fn instant(&self) -> Instant {
        Instant::from_origin(Duration::ZERO)
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

impl Entropy for Still {
    fn next_u64(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

impl Transport for Still {
    fn send(&self, _: OutboundRequest) -> BoxFuture<'static, Result<InboundResponse, TransportError>> {
        Box::pin(std::future::pending())
    }
}

fn world() -> World {
    let still = Arc::new(Still::default());
    World { transport: still.clone(), clock: still.clone(), entropy: still, machine: Arc::new(()) }
}

fn headers(time: &str) -> HeaderMap {
    HeaderMap::from_iter([(
        http::HeaderName::from_static("x-cloudscheduler-scheduletime"),
        http::HeaderValue::from_str(time).unwrap(),
    )])
}

/// The run of a tick's request to the job's own route.
fn on_route(time: &str, body: &str) -> Trigger {
    let job = catalogue::find("tiingo-daily-prices").unwrap();
    parse_job(job, &headers(time), body.as_bytes(), &world()).unwrap()
}

fn by_name(time: &str, body: &str) -> Trigger {
    parse_manual(&headers(time), body.as_bytes(), &world()).unwrap()
}

fn id(trigger: &Trigger) -> String {
    trigger.run_id.clone()
}

#[test]
fn a_plain_tick_is_known_by_its_job_and_time_whatever_its_body_says() {
    let plain = "tiingo-daily-prices_2026-11-23T23:00:00Z";
    for body in [
        "",
        r#"{"scope": "entire_watchlist"}"#,
        r#"{"job": "tiingo-daily-prices", "run_time": "2026-01-31T18:00:00Z"}"#,
        r#"{"tickers": []}"#,
    ] {
        assert_eq!(id(&on_route(TICK, body)), plain, "{body}");
    }
    assert_eq!(on_route(TICK, "").source, Source::Scheduler);
}

#[test]
fn jobs_of_one_minute_that_ask_for_different_tickers_are_runs_of_their_own() {
    let first = on_route(TICK, r#"{"tickers": ["A", "M"]}"#);
    let second = on_route(TICK, r#"{"tickers": ["N", "Z"]}"#);
    let whole = on_route(TICK, "");
    for (one, other) in [(&first, &second), (&first, &whole), (&second, &whole)] {
        assert_ne!(one.run_id, other.run_id);
    }
    assert!(id(&first).starts_with("tiingo-daily-prices_2026-11-23T23:00:00Z_"), "{}", first.run_id);
    // What makes two tickers of one, or one of two, is another run as well.
    let joined = on_route(TICK, r#"{"tickers": ["A,M"]}"#);
    assert_ne!(first.run_id, joined.run_id);
}

#[test]
fn retries_of_one_tick_are_one_run() {
    let first = on_route(TICK, r#"{"tickers": ["A", "M"]}"#);
    for body in
        [r#"{"tickers": ["A", "M"]}"#, r#"{"tickers": ["M", "A", "M"], "run_time": "2026-01-31T18:00:00Z"}"#]
    {
        assert_eq!(id(&on_route(TICK, body)), first.run_id, "{body}");
    }
    assert_ne!(on_route("2026-11-23T22:00:00Z", r#"{"tickers": ["A", "M"]}"#).run_id, first.run_id);
}

#[test]
fn a_job_of_cloud_scheduler_may_call_the_manual_trigger() {
    let body = r#"{"job": "tiingo-daily-prices"}"#;
    assert_eq!(by_name(TICK, body).run_id, on_route(TICK, "").run_id);
    assert_eq!(by_name(TICK, body).source, Source::Scheduler);
    let indices = r#"{"job": "tiingo-daily-prices", "scope": "indices"}"#;
    assert_eq!(by_name(TICK, indices).run_id, by_name(TICK, indices).run_id);
    assert_ne!(by_name(TICK, indices).run_id, by_name(TICK, body).run_id);
    let some = r#"{"job": "tiingo-daily-prices", "tickers": ["A"]}"#;
    assert_ne!(by_name(TICK, some).run_id, by_name(TICK, body).run_id);
}

#[test]
fn a_time_that_lies_ahead_is_no_tick_on_either_route() {
    let ahead = "2026-11-23T23:05:00Z";
    let body = r#"{"job": "tiingo-daily-prices"}"#;
    for trigger in [on_route(ahead, body), by_name(ahead, body)] {
        assert_eq!(trigger.source, Source::Manual);
        assert!(!trigger.run_id.contains("tiingo"), "{}", trigger.run_id);
    }
}

#[test]
fn a_run_time_far_away_is_refused_with_its_limit() {
    let parse = |time: &str| {
        let job = catalogue::find("tiingo-daily-prices").unwrap();
        let body = format!(r#"{{"run_time": "{time}"}}"#);
        parse_job(job, &HeaderMap::new(), body.as_bytes(), &world())
    };
    for fits in ["2010-01-01T00:00:00Z", "2026-11-24T23:00:10Z", "2026-11-23T23:00:00Z"] {
        assert!(parse(fits).is_ok(), "{fits}");
    }
    for (time, limit) in [
        ("2009-12-31T23:59:59Z", "must not be before 2010-01-01, where the calendar of sessions begins"),
        ("2026-11-24T23:00:11Z", "must not be more than a day ahead: 2026-11-24T23:00:10Z at the latest"),
        ("9999-12-31T23:59:59Z", "must not be more than a day ahead: 2026-11-24T23:00:10Z at the latest"),
    ] {
        let problem = serde_json::to_value(parse(time).unwrap_err()).unwrap();
        let error = &problem["errors"][0];
        assert_eq!(
            (&error["field"], &error["value"], &error["message"]),
            (&"run_time".into(), &time.into(), &limit.into()),
            "{problem:#}"
        );
    }
}

#[test]
fn a_run_time_without_a_zone_is_utc() {
    for text in
        ["2026-01-31T18:00:00", "2026-01-31 18:00:00.000", "2026-01-31T18:00", "2026-01-31T13:00:00-05:00"]
    {
        let body = format!(r#"{{"run_time": "{text}"}}"#);
        assert_eq!(
            on_route(TICK, &body).run_time,
            "2026-01-31T18:00:00Z".parse::<DateTime<Utc>>().unwrap(),
            "{text}"
        );
    }
}
