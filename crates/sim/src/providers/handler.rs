//! Handles one request to a service.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Instant, SystemTime};

use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::{Value, json};

use super::answer::Answer;
use super::faults::Effect;
use super::request::Fetch;
use super::{Call, Outcome, Shared, lock, walk, words};
use crate::endpoint::Endpoint;
use crate::server::{Body, Handler, Reset};
use crate::spec::naive;

/// Maximum request body: far more than any list of tickers needs.
const REQUEST_BYTES_MAX: usize = 8 << 20;

impl Handler for Shared {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Reset> {
        answer(self, request).await
    }
}

async fn answer(shared: &Shared, request: Request<Incoming>) -> Result<Response<Body>, Reset> {
    let start = Instant::now();
    let (head, body) = request.into_parts();
    let _in_flight = (head.method == Method::POST).then(|| shared.enter());
    let read = Limited::new(body, REQUEST_BYTES_MAX).collect().await.map(http_body_util::Collected::to_bytes);
    let bytes = read.as_ref().cloned().unwrap_or_default();
    let body: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let tickers = tickers(&body);
    let path = head.uri.path();
    let entry = shared.journal.open(Call {
        service: shared.service,
        method: head.method.to_string(),
        path: path.to_owned(),
        headers: headers(&head.headers),
        body: body.clone(),
        tickers: tickers.clone(),
        received: start,
        received_at: SystemTime::now(),
        latency: None,
        outcome: Outcome::Pending,
        response_bytes: 0,
        response: None,
    });

    let effects = lock(&shared.script).draw(path, &tickers);
    let Ok(()) = delay(shared, &head.method, tickers.len(), &effects).await else {
        entry.close(Outcome::Reset, &Bytes::new());
        return Err(Reset);
    };
    let refused = lock(&shared.gate).as_ref().and_then(|gate| gate.refuses(&head.headers));
    let mut answer = if let Some(code) = refused {
        let status = StatusCode::from_u16(code).unwrap_or(StatusCode::UNAUTHORIZED);
        Answer::refusal(status, &json!("not for this caller"))
    } else if read.is_err() {
        Answer::refusal(StatusCode::PAYLOAD_TOO_LARGE, &json!("Request body too large"))
    } else {
        route(shared, &head, &body, &effects, start).await
    };
    if effects.contains(&Effect::Echo) {
        let header = head.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        answer.echo(header.unwrap_or_default());
    }
    answer.deliver(&effects);
    entry.close(Outcome::Answered(answer.status.as_u16()), &answer.body);
    Ok(answer.into_response())
}

/// Waits for the latency and the faults; for a hang, until the caller gives up.
async fn delay(shared: &Shared, method: &Method, tickers: usize, effects: &[Effect]) -> Result<(), Reset> {
    if *method == Method::POST {
        let (per_call, per_ticker) = shared.settings().latency;
        let whole = per_call + per_ticker * u32::try_from(tickers).unwrap_or(u32::MAX);
        if !whole.is_zero() {
            tokio::time::sleep(whole).await;
        }
    }
    for effect in effects {
        match effect {
            Effect::Slow(duration) => tokio::time::sleep(*duration).await,
            Effect::Hang => std::future::pending().await,
            Effect::Reset => return Err(Reset),
            _ => {}
        }
    }
    Ok(())
}

async fn route(
    shared: &Shared,
    head: &http::request::Parts,
    body: &Value,
    effects: &[Effect],
    start: Instant,
) -> Answer {
    if let Some(answer) = effects.iter().find_map(super::answer::replacement) {
        return answer;
    }
    let service = shared.service;
    match (Endpoint::find(service, head.uri.path()), &head.method) {
        (Some(endpoint), &Method::POST) => match Fetch::parse(endpoint, &head.headers, body) {
            Ok(fetch) => {
                let walk = walk::through(
                    shared.meter.walk(),
                    endpoint,
                    fetch.tickers.len(),
                    fetch.indicators.clone(),
                );
                let refused = to_the_end(walk).await;
                Answer::to_fetch(&shared.settings().spec, endpoint, &fetch, &refused, effects, start)
            }
            Err(detail) => Answer::refusal(StatusCode::UNPROCESSABLE_ENTITY, &detail),
        },
        (None, &Method::GET) if head.uri.path() == "/health" => health(shared).await,
        (Some(_), _) => Answer::refusal(StatusCode::METHOD_NOT_ALLOWED, &json!("Method Not Allowed")),
        (None, _) => Answer::refusal(StatusCode::NOT_FOUND, &json!("Not Found")),
    }
}

/// Continues even if the caller hangs up: the services do not notice it, and their upstream requests count.
async fn to_the_end<T: Default + Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    tokio::spawn(work).await.unwrap_or_default()
}

/// Asks upstream, which costs one request of the limit and takes as long as any other.
async fn health(shared: &Shared) -> Answer {
    let mut walk = shared.meter.walk();
    let asked = if shared.healthy.load(Ordering::Relaxed) {
        walk.send()
    } else {
        Err(words::server_error(shared.service))
    };
    if shared.service.spec().is_slow_to_tell_health && asked.is_ok() {
        to_the_end(async move { walk.wait().await }).await;
    }
    match asked {
        Ok(()) => Answer::json(
            StatusCode::OK,
            &json!({
                "status": "healthy",
                "service": format!("{}-service", shared.service),
                "version": "1.0.0",
                "timestamp": naive(SystemTime::now().into()),
            }),
        ),
        Err(message) => {
            let detail = format!("Service unhealthy: Health check failed: {message}");
            Answer::refusal(StatusCode::SERVICE_UNAVAILABLE, &json!(detail))
        }
    }
}

fn tickers(body: &Value) -> Vec<String> {
    let list = body.get("tickers").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

fn headers(map: &HeaderMap) -> BTreeMap<String, String> {
    map.iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}
