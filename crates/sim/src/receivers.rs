//! Receivers of notifications: a webhook for CloudEvents, Slack, PagerDuty, and a monitor for heartbeats.
//!
//! Each listens at its own address. They check what they get as strictly as the real ones, keep it, and can be told to
//! refuse messages or to lose their answers.

pub mod shape;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::{Value, json};

use crate::server::{Body, Handler, Reset, Server};
use shape::Refused;

/// What a receiver is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// CloudEvents.
    Webhook,
    /// An incoming webhook of Slack.
    Slack,
    /// PagerDuty's Events API v2.
    PagerDuty,
    /// A monitor that expects to be called regularly.
    Heartbeat,
}

/// The routing key that PagerDuty accepts; a secret.
pub const ROUTING_KEY: &str = "R0utingKeyR0utingKeyR0utingKey32";
/// The secret part of all addresses.
pub const SECRET: &str = "S3cretPartOfTheAddress";

/// A message that a receiver has taken.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Who has taken it.
    pub kind: Kind,
    /// The id of the change; the same in every repetition.
    pub id: String,
    /// What tells alerts apart: the subject, PagerDuty's dedup key, the subject's part of Slack's text.
    pub key: String,
    /// `firing`, `resolved` or `test`.
    pub state: String,
    /// The whole body.
    pub body: Value,
}

/// What a receiver does instead of answering as usual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trick {
    /// Refuses with this status.
    Refuse(u16),
    /// Takes the message and resets the connection.
    Lose,
}

#[derive(Debug, Default)]
struct State {
    taken: Vec<Message>,
    refused: Vec<Refused>,
    tricks: Vec<Trick>,
}

/// One running receiver.
#[derive(Debug)]
pub struct Receiver {
    shared: Arc<Shared>,
    server: Server,
}

#[derive(Debug)]
struct Shared {
    kind: Kind,
    state: Mutex<State>,
}

/// All four of them.
#[derive(Debug)]
pub struct Receivers {
    all: Vec<Receiver>,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Webhook, Self::Slack, Self::PagerDuty, Self::Heartbeat];

    /// The path that it answers.
    pub fn path(self) -> &'static str {
        match self {
            Self::Webhook => "/hooks/S3cretPartOfTheAddress",
            Self::Slack => "/services/T0/B0/S3cretPartOfTheAddress",
            Self::PagerDuty => "/v2/enqueue",
            Self::Heartbeat => "/ping/S3cretPartOfTheAddress",
        }
    }

    /// The orchestrator's settings for a receiver at this origin.
    pub fn settings(self, origin: &str) -> [(String, String); 2] {
        let (name, origin_name) = match self {
            Self::Webhook => ("notify_webhook", "notify_webhook_origin"),
            Self::Slack => ("notify_slack", "notify_slack_origin"),
            Self::PagerDuty => ("notify_pagerduty", "notify_pagerduty_origin"),
            Self::Heartbeat => ("heartbeat_url", "heartbeat_origin"),
        };
        let value =
            if self == Self::PagerDuty { ROUTING_KEY.to_owned() } else { format!("{origin}{}", self.path()) };
        [(name.to_owned(), value), (origin_name.to_owned(), origin.to_owned())]
    }

    /// The body of its answer to a message that it takes, with the status.
    pub fn answer(self, message: &Message) -> (u16, String) {
        match self {
            Self::Webhook => (204, String::new()),
            Self::Slack => (200, "ok".to_owned()),
            Self::PagerDuty => {
                let body =
                    json!({"status": "success", "message": "Event processed", "dedup_key": message.key});
                (202, body.to_string())
            }
            Self::Heartbeat => (200, "OK".to_owned()),
        }
    }
}

impl Receivers {
    /// Starts all of them on free ports.
    pub async fn start() -> Result<Self> {
        let mut all = Vec::new();
        for kind in Kind::ALL {
            let shared = Arc::new(Shared { kind, state: Mutex::default() });
            let server = Server::start(0, Arc::clone(&shared)).await.context("a receiver cannot listen")?;
            all.push(Receiver { shared, server });
        }
        Ok(Self { all })
    }

    /// The orchestrator's settings that make it tell all of them.
    pub fn variables(&self) -> BTreeMap<String, String> {
        self.all.iter().flat_map(|receiver| receiver.shared.kind.settings(&receiver.origin())).collect()
    }

    /// One of them.
    pub fn of(&self, kind: Kind) -> &Receiver {
        let receiver = self.all.iter().find(|receiver| receiver.shared.kind == kind);
        receiver.expect("there is one of each kind")
    }
}

impl Receiver {
    /// Its scheme, host and port.
    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }

    /// What it has taken so far, also where its answer was lost.
    pub fn taken(&self) -> Vec<Message> {
        self.shared.lock().taken.clone()
    }

    /// What it has refused because of its shape.
    pub fn refused(&self) -> Vec<Refused> {
        self.shared.lock().refused.clone()
    }

    /// Refuses the next messages with this status.
    pub fn refuse(&self, status: u16, times: usize) {
        self.shared.lock().tricks.extend(std::iter::repeat_n(Trick::Refuse(status), times));
    }

    /// Takes the next messages and loses the answers.
    pub fn lose(&self, times: usize) {
        self.shared.lock().tricks.extend(std::iter::repeat_n(Trick::Lose, times));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What becomes of a message; none if the answer is lost.
    fn take(&self, read: Result<Message, Refused>) -> Option<(u16, String)> {
        let mut state = self.lock();
        let trick = if state.tricks.is_empty() { None } else { Some(state.tricks.remove(0)) };
        match (trick, read) {
            // As a proxy in front may do, with whatever it was asked in the answer.
            (Some(Trick::Refuse(status)), _) => Some((status, format!("refused: {}", self.kind.path()))),
            (_, Err(refused)) => {
                state.refused.push(refused.clone());
                Some((refused.status, refused.body))
            }
            (trick, Ok(message)) => {
                let answer = self.kind.answer(&message);
                state.taken.push(message);
                trick.is_none().then_some(answer)
            }
        }
    }
}

impl Handler for Shared {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Reset> {
        let (head, body) = request.into_parts();
        let Ok(body) = body.collect().await else { return Err(Reset) };
        let read = shape::read(self.kind, &head.method, head.uri.path(), &head.headers, &body.to_bytes());
        let Some((status, body)) = self.take(read) else { return Err(Reset) };
        let body = Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync();
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use http::header::CONTENT_TYPE;
    use http::{HeaderMap, HeaderValue, Method};

    use super::*;

    fn read(kind: Kind, content_type: &'static str, body: &Value) -> Result<Message, u16> {
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(content_type))]);
        let body = body.to_string();
        shape::read(kind, &Method::POST, kind.path(), &headers, body.as_bytes())
            .map_err(|refused| refused.status)
    }

    #[test]
    fn what_the_real_ones_refuse_is_refused() {
        let event = json!({"specversion": "1.0", "id": "i", "source": "/s", "type": "t.test", "subject": "s", "data": {}});
        let structured = "application/cloudevents+json; charset=utf-8";
        assert_eq!(read(Kind::Webhook, structured, &event).unwrap().state, "test");
        assert_eq!(read(Kind::Webhook, "application/json", &event), Err(415));
        let without = |name: &str| {
            let mut event = event.clone();
            event.as_object_mut().unwrap().remove(name);
            event
        };
        for name in ["specversion", "id", "source", "type", "subject", "data"] {
            assert_eq!(read(Kind::Webhook, structured, &without(name)), Err(400), "{name}");
        }
        let with = |name: &str, value: Value| {
            let mut event = event.clone();
            event[name] = value;
            event
        };
        assert_eq!(read(Kind::Webhook, structured, &with("time", json!("noon"))), Err(400));
        assert_eq!(read(Kind::Webhook, structured, &with("Odd_Name", json!("x"))), Err(400));
        assert_eq!(read(Kind::Webhook, structured, &with("number", json!(1))), Err(400));

        let section = |text: &str| json!({"type": "section", "block_id": "b", "text": {"type": "mrkdwn", "text": text}});
        let message = |block: Value| json!({"text": "JobFailing: x, critical: m", "blocks": [block]});
        let taken = read(Kind::Slack, "application/json", &message(section("m"))).unwrap();
        assert_eq!(
            (taken.id.as_str(), taken.key.as_str(), taken.state.as_str()),
            ("b", "JobFailing_x", "firing")
        );
        for block in
            [section(""), section(&"x".repeat(3_001)), json!({"type": "section"}), json!({"type": "odd"})]
        {
            assert_eq!(read(Kind::Slack, "application/json", &message(block)), Err(400));
        }

        let event = |action: &str, severity: &str| json!({"routing_key": ROUTING_KEY, "event_action": action, "dedup_key": "k", "payload": {"summary": "s", "source": "o", "severity": severity}});
        assert_eq!(read(Kind::PagerDuty, "application/json", &event("trigger", "info")).unwrap().key, "k");
        assert_eq!(read(Kind::PagerDuty, "application/json", &event("trigger", "fatal")), Err(400));
        assert_eq!(read(Kind::PagerDuty, "application/json", &event("open", "info")), Err(400));
        let other = json!({"routing_key": "short", "event_action": "resolve", "dedup_key": "k"});
        assert_eq!(read(Kind::PagerDuty, "application/json", &other), Err(400));
    }

    #[test]
    fn tricks_are_played_once_each_and_in_order() {
        let shared = Shared { kind: Kind::Heartbeat, state: Mutex::default() };
        let read =
            || shape::read(Kind::Heartbeat, &Method::GET, Kind::Heartbeat.path(), &HeaderMap::new(), b"");
        shared.lock().tricks.extend([Trick::Refuse(503), Trick::Lose]);
        assert_eq!(shared.take(read()).unwrap().0, 503);
        assert_eq!(shared.lock().taken.len(), 0);
        assert_eq!(shared.take(read()), None);
        assert_eq!(shared.take(read()).unwrap().0, 200);
        assert_eq!(shared.lock().taken.len(), 2);
    }
}
