//! No credential of a provider is stored, reported or logged, wherever it appears in a response.

use std::io::Read as _;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use http::{Request, StatusCode};
use orchestrator::base::log::{JsonLog, Origin};
use orchestrator::settings::Config;
use serde_json::{Map, Value as Json, json};
use tracing::Level;

use super::service::{Played, ROUTES, play, play_as, post, trigger};
use super::{deaf, samples};
use crate::world::executor::Handle;
use crate::world::listening::listen;
use sim::firestore::memory::Store;

/// The key of an upstream. It has no characters that JSON or a URL would escape.
const MARK: &str = "Kp7Zq04MarkedKey19xW";

/// Adds members with keys to every map, in the names and forms that providers use.
fn members(json: &mut Json) {
    match json {
        Json::Array(items) => items.iter_mut().for_each(members),
        Json::Object(map) => {
            map.values_mut().for_each(members);
            map.extend(keys());
        }
        _ => {}
    }
}

fn keys() -> Map<String, Json> {
    let keys = json!({
        "apikey": MARK,
        "api_key": {"value": MARK, "of": ["}", MARK]},
        "X-Api-Key": [MARK],
        "accessToken": format!("Bearer {MARK} \"\\"),
        "Authorization": format!("Basic {MARK}"),
        "parameters": {"function": "SMA", "apikey": MARK, "inner": [{"token": MARK}]},
        "headers": [["Authorization", format!("Token {MARK}")], {"name": "X-Finnhub-Token", "value": MARK}],
        "link": format!("https://api.test/query?function=SMA&apikey={MARK}&symbol=A"),
        "printed": format!("{{'params': {{'token': '{MARK}'}}}}"),
        "nested": json!({"client_secret": MARK, "again": json!({"password": MARK}).to_string()}).to_string(),
    });
    keys.as_object().cloned().unwrap_or_default()
}

/// Puts the address of an upstream call into every string.
fn texts(json: &mut Json) {
    match json {
        Json::String(text) => {
            *text = format!(
                "{text} (401 for url: https://x.test/q?symbol=A&token={MARK}, sent X-Api-Key: {MARK})"
            );
        }
        Json::Array(items) => items.iter_mut().for_each(texts),
        Json::Object(map) => map.values_mut().for_each(texts),
        _ => {}
    }
}

/// A whole document as text, including compressed parts.
fn unpacked(json: &Json, all: &mut String) {
    match json {
        Json::Object(map) => {
            if let Some(bytes) = map.get("bytesValue").and_then(Json::as_str) {
                let bytes = STANDARD.decode(bytes).expect("base64");
                let mut whole = Vec::new();
                // A later part of a stream cannot be decompressed.
                let _ = GzDecoder::new(bytes.as_slice()).read_to_end(&mut whole);
                all.push_str(&String::from_utf8_lossy(&whole));
            }
            for (name, value) in map {
                all.push_str(name);
                unpacked(value, all);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| unpacked(item, all)),
        other => all.push_str(&other.to_string()),
    }
}

/// Asserts that the mark appears nowhere after each route got this response; returns how many documents were redacted.
fn check(status: StatusCode, body: &[u8]) -> usize {
    let mut redacted = 0;
    for route in ROUTES {
        let log = Arc::new(Mutex::new(String::new()));
        let Played { body: report, store, .. } = logged(&log, || play((status, body), |_| trigger(route)));
        assert!(!report.to_string().contains(MARK), "{route} reports it: {report:#}");
        let log = log.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(log.contains("provider call") && !log.contains(MARK), "{route} logs it: {log}");
        redacted += stored(route, &store.lock().unwrap_or_else(PoisonError::into_inner));
    }
    redacted
}

fn stored(route: &str, store: &Store) -> usize {
    let mut redacted = 0;
    for (name, document) in store.documents() {
        let mut all = name.clone();
        unpacked(&Json::Object(document.fields.clone()), &mut all);
        assert!(
            !all.contains(MARK),
            "{route} stores it in {name}: {:#}",
            Json::Object(document.fields.clone())
        );
        redacted += usize::from(all.contains("[redacted]"));
    }
    redacted
}

fn logged<T>(lines: &Arc<Mutex<String>>, work: impl FnOnce() -> T) -> T {
    let sink = lines.clone();
    let sink = move |line: &str| sink.lock().unwrap_or_else(PoisonError::into_inner).push_str(line);
    let clock = deaf::world(deaf::Deaf::silent()).clock;
    let origin = Origin { project: "p".to_owned(), instance: "i".to_owned() };
    listen(JsonLog::new(Level::DEBUG, clock, origin, Box::new(sink)), work)
}

#[test]
fn no_key_next_to_data_is_stored_reported_or_logged() {
    for mut sample in samples::answers() {
        members(&mut sample);
        let redacted = check(StatusCode::OK, sample.to_string().as_bytes());
        // At least the raw logs: without any, the test would prove nothing.
        assert!(redacted >= ROUTES.len(), "{redacted} documents");
    }
}

#[test]
fn no_key_in_a_string_is_stored_reported_or_logged() {
    for mut sample in samples::answers() {
        texts(&mut sample);
        members(&mut sample);
        check(StatusCode::OK, serde_json::to_string_pretty(&sample).expect("JSON").as_bytes());
    }
}

#[test]
fn no_key_in_an_error_message_is_stored_reported_or_logged() {
    let url = format!("https://x.test/q?symbol=A&token={MARK}");
    let entry =
        |error: Json| json!({"status": "ok", "data": [{"ticker": "AAPL", "error": error, "data": null}]});
    for body in [
        entry(json!(format!("401 for url: {url}"))),
        entry(keys().into()),
        json!({"status": "error", "data": null, "errors": [format!("AAPL: {url}"), keys()]}),
        json!({"status": "ok", "data": keys()}),
        json!({"status": "ok", "data": [{"ticker": "AAPL", "data": {"Information": format!("your API key as {MARK}")}}]}),
        json!({"status": "ok", "data": [{"ticker": "AAPL", "data": {"SMA": {"error": url}, "RSI": {"data": keys()}}}]}),
        json!({"detail": keys()}),
    ] {
        for status in [StatusCode::OK, StatusCode::UNPROCESSABLE_ENTITY, StatusCode::INTERNAL_SERVER_ERROR] {
            check(status, body.to_string().as_bytes());
        }
    }
}

#[test]
fn no_key_in_an_invalid_body_is_stored_reported_or_logged() {
    let odd = json!({"ticker": "AAPL", "data": [{"odd": 99999, "keys": keys()}, keys()]}).to_string();
    for broken in ["1e999", "NaN", "\u{1}", "\"\\ud800\""] {
        let body = format!("\u{feff}{{\"status\":\"ok\",\"data\":[{},{odd}]}}", odd.replace("99999", broken));
        check(StatusCode::OK, body.as_bytes());
    }
    let body = format!("{{\"status\":\"ok\",\"data\":[{odd}");
    check(StatusCode::OK, body.as_bytes());
    check(StatusCode::BAD_GATEWAY, format!("<html>{odd}</html>").as_bytes());
    check(
        StatusCode::OK,
        &[b"{\"data\":[{\"ticker\":\"AAPL\",\"data\":[\"\xff\",", keys_of_json().as_bytes(), b"]}]}"]
            .concat(),
    );
}

/// Settings whose addresses and key contain the mark.
fn notified() -> Config {
    let setting = |name: &str| match name {
        "notify_webhook" | "heartbeat_url" => Some(format!("http://hook.test/{MARK}?token={MARK}")),
        "notify_webhook_origin" | "heartbeat_origin" => Some("http://hook.test".to_owned()),
        "notify_slack" => Some(format!("https://hooks.slack.com/services/{MARK}")),
        "notify_pagerduty" => Some(MARK.to_owned()),
        _ => deaf::setting(name),
    };
    Config::parse(setting).expect("the settings are valid")
}

#[test]
fn no_address_or_key_of_a_receiver_is_stored_reported_or_logged() {
    assert!(!format!("{:?}", notified()).contains(MARK));
    // A receiver repeats what it was sent, as proxies do.
    let body = format!("not found: /{MARK}?token={MARK} {MARK}");
    for status in [StatusCode::OK, StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND, StatusCode::BAD_GATEWAY] {
        for route in ["/watch", "/notify/test", "/status"] {
            let log = Arc::new(Mutex::new(String::new()));
            let request = |_: &Handle| match route {
                "/status" => Request::get(route).body(Body::empty()).expect("a request"),
                _ => post(route, Body::empty()),
            };
            let played = logged(&log, || play_as(notified(), (status, body.as_bytes()), request));
            assert_eq!(played.status, StatusCode::OK, "{:#}", played.body);
            assert!(!played.body.to_string().contains(MARK), "{route} reports it: {:#}", played.body);
            let log = log.lock().unwrap_or_else(PoisonError::into_inner);
            assert!(!log.contains(MARK), "{route} logs it: {log}");
            assert!(route == "/status" || log.contains("notification "), "nobody was told: {log}");
            let store = played.store.lock().unwrap_or_else(PoisonError::into_inner);
            stored(route, &store);
            let told = store.documents().keys().filter(|name| name.contains("/ingestion_alerts/")).count();
            assert_eq!(told > 0, route == "/watch", "{route}");
        }
    }
}

fn keys_of_json() -> String {
    Json::Object(keys()).to_string()
}
