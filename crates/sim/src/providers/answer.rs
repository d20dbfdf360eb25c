//! A service's response: an envelope made from the request and the faults, and how it is sent.

use std::convert::Infallible;
use std::io;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::stream;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};

use super::faults::{Effect, RetryAfter};
use super::request::Fetch;
use super::walk::Refused;
use super::{Defect, defects, words};
use crate::data;
use crate::dice::filler;
use crate::endpoint::{Endpoint, Service};
use crate::server::Body;
use crate::spec::Spec;

/// Number of pieces in which a slow body is sent.
const SLOW_PIECES: usize = 10;
/// Time for the first half of a truncated body to reach the caller before the connection breaks.
const TRUNCATION_PAUSE: Duration = Duration::from_millis(20);

/// An answer before it is sent.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
    retry_after: Option<RetryAfter>,
    location: Option<String>,
    delivery: Delivery,
}

#[derive(Debug, Clone, Copy)]
enum Delivery {
    Whole,
    Half,
    Slow(Duration),
}

impl Answer {
    pub(super) fn json(status: StatusCode, body: &Value) -> Self {
        let body = Bytes::from(body.to_string());
        Self { status, body, retry_after: None, location: None, delivery: Delivery::Whole }
    }

    /// An error in the form of the contract.
    pub(super) fn refusal(status: StatusCode, detail: &Value) -> Self {
        Self::json(status, &json!({"detail": detail}))
    }

    /// The answer to a valid fetch under these faults.
    pub(super) fn to_fetch(
        spec: &Spec,
        endpoint: Endpoint,
        fetch: &Fetch,
        refused: &Refused,
        effects: &[Effect],
        start: Instant,
    ) -> Self {
        if let Some(inner) = &refused.call {
            return Self::refusal(StatusCode::BAD_GATEWAY, &json!(words::wrapped(endpoint, "", inner)));
        }
        let fetch = &Fetch {
            days: fetch.days.filter(|_| !effects.contains(&Effect::IgnoredDays)),
            ..Fetch::clone(fetch)
        };
        let mut entries = data::asked(spec, endpoint, fetch);
        refused.apply(endpoint, &mut entries);
        Self::json(StatusCode::OK, &envelope(spec, endpoint, entries, effects, start))
    }

    /// Sets how the answer is sent.
    pub(super) fn deliver(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Truncated => self.delivery = Delivery::Half,
                Effect::SlowBody(duration) => self.delivery = Delivery::Slow(*duration),
                _ => {}
            }
        }
    }

    /// Repeats a header of the request next to the data and in an error message.
    pub(super) fn echo(&mut self, header: &str) {
        let Ok(mut body) = serde_json::from_slice::<Value>(&self.body) else { return };
        body["headers"] = json!({"authorization": header});
        let message = format!("upstream has refused \"Authorization: {header}\"");
        if body.get("detail").is_some() {
            body["detail"] = json!(message);
        } else if let Some(entry) = body["data"].as_array_mut().and_then(|entries| entries.last_mut()) {
            *entry = json!({"ticker": entry["ticker"], "error": message, "data": null});
        }
        self.body = Bytes::from(body.to_string());
    }

    /// The response; its body breaks off if the answer is to be truncated.
    pub(super) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(send(self.body.clone(), self.delivery));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
        headers.insert(CONTENT_LENGTH, self.body.len().into());
        if let Some(value) = self.retry_after.and_then(|when| when.header().parse().ok()) {
            headers.insert(RETRY_AFTER, value);
        }
        if let Some(value) = self.location.and_then(|to| to.parse().ok()) {
            headers.insert(LOCATION, value);
        }
        response
    }
}

/// The answer that replaces the envelope, if the effect has one.
pub(super) fn replacement(effect: &Effect) -> Option<Answer> {
    match effect {
        Effect::Status { code, retry_after, detail } => {
            let status = StatusCode::from_u16(*code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Some(Answer { retry_after: *retry_after, ..Answer::refusal(status, &json!(detail)) })
        }
        Effect::Redirect(to) => {
            let status = StatusCode::TEMPORARY_REDIRECT;
            Some(Answer { location: Some(to.clone()), ..Answer::json(status, &Value::Null) })
        }
        Effect::Garbage => {
            let body = Bytes::from_static(b"<html><body>upstream says {\"status\": \"ok\", </body>");
            Some(Answer { body, ..Answer::json(StatusCode::OK, &Value::Null) })
        }
        Effect::Body(text) => {
            Some(Answer { body: Bytes::from(text.clone()), ..Answer::json(StatusCode::OK, &Value::Null) })
        }
        Effect::WrongShape => {
            Some(Answer::json(StatusCode::OK, &json!({"results": {"AAPL": [1, 2, 3]}, "next": null})))
        }
        _ => None,
    }
}

fn envelope(
    spec: &Spec,
    endpoint: Endpoint,
    mut entries: Vec<Value>,
    effects: &[Effect],
    start: Instant,
) -> Value {
    let mut padding = 0;
    for effect in effects {
        match effect {
            Effect::TickerErrors { tickers, message } => fail(&mut entries, tickers, message),
            Effect::IndicatorErrors { indicators, message } => {
                fail_indicators(&mut entries, indicators, message.as_deref());
            }
            Effect::Leak => leak(endpoint.service(), &mut entries),
            Effect::DropTickers(tickers) => entries.retain(|entry| !names_one_of(entry, tickers)),
            Effect::BadRecords { ticker, defects } => defects::add(&mut entries, ticker.as_deref(), defects),
            Effect::HugeRecords(bytes) => pad(&mut entries, *bytes),
            Effect::HugeBody(bytes) => padding = padding.max(*bytes),
            _ => {}
        }
    }
    let failed: Vec<Value> = entries.iter().filter(|entry| entry.get("error").is_some()).map(named).collect();
    let mut envelope = json!({
        "status": "ok",
        "fetched": entries.len().saturating_sub(failed.len()),
        "data": entries,
        "errors": if failed.is_empty() { Value::Null } else { Value::Array(failed) },
        "duration_ms": u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
    });
    if padding > 0 {
        envelope["padding"] = json!(filler(spec.seed, padding));
    }
    envelope
}

/// The services use different forms for the `data` of a failed ticker: all of them occur, in turn.
fn fail(entries: &mut [Value], tickers: &[String], message: &str) {
    let struck =
        entries.iter_mut().filter(|entry| entry.get("error").is_none() && names_one_of(entry, tickers));
    for (place, entry) in struck.enumerate() {
        let nothing = [Value::Null, json!([]), json!({})].into_iter().nth(place % 3);
        *entry = json!({"ticker": entry["ticker"], "error": message, "data": nothing});
    }
}

/// An indicator that failed is `{"error": …}` in its place, and its ticker counts as fetched.
fn fail_indicators(entries: &mut [Value], indicators: &[String], message: Option<&str>) {
    for entry in entries {
        for name in indicators {
            if let Some(indicator) = entry.get_mut("data").and_then(|data| data.get_mut(name)) {
                let message = message.map_or_else(|| words::no_series(name), str::to_owned);
                *indicator = json!({"error": message});
            }
        }
    }
}

/// Puts the service's API key wherever one has been seen, and also next to the data, in every record and in error
/// messages.
fn leak(service: Service, entries: &mut [Value]) {
    let key = words::api_key(service);
    let address = format!("https://upstream.example/query?symbol=X&apikey={key}&interval=daily");
    for entry in entries.iter_mut() {
        if let Some(text) = entry["error"].as_str() {
            entry["error"] = json!(format!("{text}, url=URL('{address}')"));
        }
        if let Some(data) = entry.get_mut("data") {
            leak_into(data, &address, key);
        }
        if let Some(entry) = entry.as_object_mut() {
            entry.insert("request".to_owned(), json!({"url": address, "headers": {"X-Api-Key": key}}));
        }
    }
}

fn leak_into(data: &mut Value, address: &str, key: &str) {
    match data {
        Value::Array(records) => {
            for record in records {
                leak_into(record, address, key);
            }
        }
        Value::Object(fields) if fields.contains_key("ticker") => {
            fields.insert("upstream".to_owned(), json!(address));
            let note = format!("your API key as {key}");
            let nested = json!({"apikey": key, "more": [{"api_key": key, "note": note}]});
            fields.insert("parameters".to_owned(), nested);
        }
        Value::Object(records) => {
            for record in records.values_mut() {
                leak_into(record, address, key);
            }
        }
        _ => {}
    }
}

fn named(entry: &Value) -> Value {
    json!(format!("Failed: {}", entry["ticker"].as_str().unwrap_or_default()))
}

fn names_one_of(entry: &Value, tickers: &[String]) -> bool {
    entry["ticker"].as_str().is_some_and(|ticker| tickers.iter().any(|wanted| wanted == ticker))
}

/// Spreads `bytes` of text over one record of each entry; a list of records gets an additional one.
fn pad(entries: &mut Vec<Value>, bytes: usize) {
    let share = bytes.div_ceil(entries.len().max(1));
    let tickers: Vec<Option<String>> =
        entries.iter().map(|entry| entry["ticker"].as_str().map(str::to_owned)).collect();
    if tickers.iter().all(Option::is_none) {
        defects::add(entries, None, &[Defect::HugeField(bytes)]);
    }
    for ticker in tickers.iter().flatten() {
        defects::add(entries, Some(ticker), &[Defect::HugeField(share)]);
    }
}

fn send(body: Bytes, delivery: Delivery) -> Body {
    match delivery {
        Delivery::Whole => Full::new(body).map_err(|never: Infallible| match never {}).boxed_unsync(),
        Delivery::Half => {
            let half = body.slice(..body.len() / 2);
            let pieces = stream::unfold(Some(half), |rest| async {
                match rest {
                    Some(half) if !half.is_empty() => Some((Ok(Frame::data(half)), Some(Bytes::new()))),
                    Some(_) => {
                        tokio::time::sleep(TRUNCATION_PAUSE).await;
                        Some((Err(io::Error::other("scripted end of the body")), None))
                    }
                    None => None,
                }
            });
            StreamBody::new(pieces).boxed_unsync()
        }
        Delivery::Slow(duration) => {
            let piece_bytes = body.len().div_ceil(SLOW_PIECES).max(1);
            let pause = duration / u32::try_from(SLOW_PIECES).unwrap_or(u32::MAX);
            let pieces = stream::unfold(body, move |mut rest| async move {
                if rest.is_empty() {
                    return None;
                }
                tokio::time::sleep(pause).await;
                let piece = rest.split_to(piece_bytes.min(rest.len()));
                Some((Ok(Frame::data(piece)), rest))
            });
            StreamBody::new(pieces).boxed_unsync()
        }
    }
}
