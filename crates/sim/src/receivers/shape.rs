//! What the real receivers accept, checked as strictly as they do.
//!
//! - CloudEvents 1.0, structured JSON: <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md>
//! - Slack's incoming webhooks: <https://docs.slack.dev/reference/block-kit/blocks>
//! - PagerDuty's Events API v2: <https://developer.pagerduty.com/docs/send-alert-event>

use chrono::DateTime;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method};
use serde_json::{Map, Value, json};

use super::{Kind, Message};

/// A message that was not taken: the status and the body of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// Reads a message: the id of its change, what tells alerts apart, the state. The error says what is wrong.
type Read = fn(&Map<String, Value>) -> Result<[String; 3], String>;

/// Reads a request as a receiver of this kind does.
pub fn read(
    kind: Kind,
    method: &Method,
    path: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Message, Refused> {
    let refused = |status, body: &str| Refused { status, body: body.to_owned() };
    if path != kind.path() {
        return Err(refused(404, "no_service"));
    }
    if kind == Kind::Heartbeat {
        let takes = [Method::GET, Method::HEAD, Method::POST].contains(method);
        let message =
            Message { kind, id: String::new(), key: String::new(), state: String::new(), body: Value::Null };
        return if takes { Ok(message) } else { Err(refused(405, "method not allowed")) };
    }
    if *method != Method::POST {
        return Err(refused(405, "method not allowed"));
    }
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let content_type = content_type.split(';').next().unwrap_or_default().trim();
    let body: Value = serde_json::from_slice(body).map_err(|_| refused(400, "invalid_payload"))?;
    let Value::Object(members) = &body else { return Err(refused(400, "invalid_payload")) };
    let (expected, read): (_, Read) = match kind {
        Kind::Webhook => ("application/cloudevents+json", cloud_event),
        Kind::Slack => ("application/json", slack),
        Kind::PagerDuty | Kind::Heartbeat => ("application/json", pagerduty),
    };
    if content_type != expected {
        return Err(refused(415, "unsupported media type"));
    }
    match read(members) {
        Ok([id, key, state]) => Ok(Message { kind, id, key, state, body }),
        Err(reason) if kind == Kind::PagerDuty => {
            let body =
                json!({"status": "invalid event", "message": "Event object is invalid", "errors": [reason]});
            Err(refused(400, &body.to_string()))
        }
        Err(reason) => Err(refused(400, &reason)),
    }
}

fn text<'a>(members: &'a Map<String, Value>, name: &str, chars_max: usize) -> Result<&'a str, String> {
    let text = members.get(name).and_then(Value::as_str).unwrap_or_default();
    let length = text.chars().count();
    if (1..=chars_max).contains(&length) { Ok(text) } else { Err(format!("{name} has {length} characters")) }
}

fn time(members: &Map<String, Value>, name: &str) -> Result<(), String> {
    match members.get(name) {
        None => Ok(()),
        Some(value) => {
            let is_time = value.as_str().is_some_and(|text| DateTime::parse_from_rfc3339(text).is_ok());
            if is_time { Ok(()) } else { Err(format!("{name} is not a time")) }
        }
    }
}

fn cloud_event(event: &Map<String, Value>) -> Result<[String; 3], String> {
    for (name, value) in event {
        let is_name = name.len() <= 20 && name.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
        if !is_name {
            return Err(format!("{name} is not the name of an attribute"));
        }
        if name != "data" && !value.is_string() {
            return Err(format!("the attribute {name} is not a string"));
        }
    }
    if text(event, "specversion", 3)? != "1.0" {
        return Err("not version 1.0".to_owned());
    }
    let (id, kind) = (text(event, "id", 256)?, text(event, "type", 256)?);
    text(event, "source", 256)?;
    time(event, "time")?;
    let Some(Value::Object(data)) = event.get("data") else { return Err("data is not an object".to_owned()) };
    let state = kind.rsplit('.').next().unwrap_or_default();
    if state != "test" {
        for name in ["alert", "severity", "message", "action", "runbook"] {
            text(data, name, 10_000)?;
        }
        if text(data, "state", 10)? != state {
            return Err("type and data.state differ".to_owned());
        }
    }
    Ok([id.to_owned(), text(event, "subject", 256)?.to_owned(), state.to_owned()])
}

fn slack(message: &Map<String, Value>) -> Result<[String; 3], String> {
    let whole = text(message, "text", 40_000)?;
    let blocks = message.get("blocks").and_then(Value::as_array).ok_or("no_blocks")?;
    if !(1..=50).contains(&blocks.len()) {
        return Err("invalid_blocks".to_owned());
    }
    let mrkdwn = |object: Option<&Value>| {
        let object = object.and_then(Value::as_object).ok_or("invalid_blocks")?;
        if object.get("type").and_then(Value::as_str) != Some("mrkdwn") {
            return Err("invalid_blocks".to_owned());
        }
        text(object, "text", 3_000).map(|_| ())
    };
    let mut id = String::new();
    for block in blocks.iter().filter_map(Value::as_object) {
        if block.contains_key("block_id") {
            text(block, "block_id", 255)?.clone_into(&mut id);
        }
        match block.get("type").and_then(Value::as_str) {
            Some("section") => mrkdwn(block.get("text"))?,
            Some("context") => {
                let elements = block.get("elements").and_then(Value::as_array).ok_or("invalid_blocks")?;
                if !(1..=10).contains(&elements.len()) {
                    return Err("invalid_blocks".to_owned());
                }
                elements.iter().try_for_each(|element| mrkdwn(Some(element)))?;
            }
            _ => return Err("invalid_blocks".to_owned()),
        }
    }
    let state = match whole {
        _ if whole.starts_with("Test message") => "test",
        _ if whole.starts_with("Resolved: ") => "resolved",
        _ => "firing",
    };
    // Slack's messages have no key: the subject's part of the text stands for it.
    let whole = whole.trim_start_matches("Resolved: ");
    let key = whole.split([',', ' ']).take(2).collect::<Vec<_>>().join("_").replace(':', "");
    Ok([id, key, state.to_owned()])
}

fn pagerduty(event: &Map<String, Value>) -> Result<[String; 3], String> {
    let key = text(event, "routing_key", 32)?;
    if key.len() != 32 || !key.bytes().all(|c| c.is_ascii_alphanumeric()) {
        return Err("'routing_key' is not a key".to_owned());
    }
    let action = text(event, "event_action", 20)?;
    let dedup_key = text(event, "dedup_key", 255)?;
    let empty = Map::new();
    let payload = event.get("payload").and_then(Value::as_object).unwrap_or(&empty);
    let severity = payload.get("severity").and_then(Value::as_str).unwrap_or_default();
    let state = match action {
        "resolve" => "resolved",
        "trigger" => {
            text(payload, "summary", 1_024)?;
            text(payload, "source", 1_024)?;
            time(payload, "timestamp")?;
            if !["critical", "error", "warning", "info"].contains(&severity) {
                return Err("'payload.severity' is invalid".to_owned());
            }
            "firing"
        }
        _ => return Err("'event_action' is invalid".to_owned()),
    };
    let links = event.get("links").and_then(Value::as_array).into_iter().flatten();
    for link in links {
        text(link.as_object().unwrap_or(&empty), "href", 1_024)?;
    }
    let id = payload.get("custom_details").and_then(|details| details.get("event_id"));
    let id = id.and_then(Value::as_str).unwrap_or(dedup_key);
    Ok([id.to_owned(), dedup_key.to_owned(), state.to_owned()])
}
