//! The way of one request: which part it is for, whether that part works, what it answers.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::oauth;
use super::state::Shared;
use crate::server::{Body, Handler, Reset};

const KEYS: &str = "/oauth2/v3/certs";
const TOKEN: &str = "/token";
const METADATA: &str = "/computeMetadata/v1/instance/service-accounts/default/";

/// A part of Google.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Desk {
    /// `GET /oauth2/v3/certs`: the published keys.
    Keys,
    /// `POST /token`: tokens for an assertion.
    Token,
    /// The metadata server.
    Metadata,
}

/// What a part does in place of its work.
#[derive(Debug, Clone)]
pub enum Outage {
    /// Answers so.
    Status(u16),
    /// Never answers.
    Hang,
    /// Sends the caller to this address.
    Redirect(String),
    /// Answers 200 with something else.
    Garbage,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The part; none where there is no such address.
    pub desk: Option<Desk>,
    /// The path without the query.
    pub path: String,
    /// The fields of the query and of the form.
    pub fields: BTreeMap<String, String>,
    /// The status of the answer; 0 while there is none.
    pub status: u16,
}

/// An answer before it is sent.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
    header: Option<(http::HeaderName, String)>,
}

impl Answer {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::text(status, body.to_string())
    }

    pub(super) fn text(status: u16, body: impl Into<String>) -> Self {
        Self { status, body: body.into(), header: None }
    }
}

impl Handler for Shared {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Reset> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Reset)?.to_bytes();
        let path = head.uri.path().to_owned();
        let desk = desk(&head.method, &path);
        let mut fields = pairs(head.uri.query().unwrap_or_default().as_bytes());
        fields.extend(pairs(&body));
        let asked = Asked { desk, path: path.clone(), fields: fields.clone(), status: 0 };
        let (place, outage, latency) = self.with(|state| {
            state.journal.push(asked);
            let outage = desk.and_then(|desk| state.outages.get(&desk).cloned());
            let latency = desk.and_then(|desk| state.latencies.get(&desk).copied()).unwrap_or_default();
            (state.journal.len() - 1, outage, latency)
        });
        tokio::time::sleep(latency).await;
        let answer = match (outage, desk) {
            (Some(outage), _) => fail(outage).await,
            (None, Some(Desk::Keys)) => keys(self),
            (None, Some(Desk::Token)) => self.with(|state| oauth::exchange(state, &fields)),
            (None, Some(Desk::Metadata)) => {
                let flavor = head.headers.get("metadata-flavor").is_some_and(|value| value == "Google");
                metadata(self, path.trim_start_matches(METADATA), flavor, &fields)
            }
            (None, None) => Answer::text(404, "no such address"),
        };
        self.with(|state| state.journal[place].status = answer.status);
        Ok(send(answer))
    }
}

fn desk(method: &Method, path: &str) -> Option<Desk> {
    match (method, path) {
        (&Method::GET, KEYS) => Some(Desk::Keys),
        (&Method::POST, TOKEN) => Some(Desk::Token),
        (&Method::GET, path) if path.starts_with(METADATA) => Some(Desk::Metadata),
        _ => None,
    }
}

async fn fail(outage: Outage) -> Answer {
    match outage {
        Outage::Status(status) => Answer::text(status, format!("simulated status {status}")),
        Outage::Hang => std::future::pending().await,
        Outage::Redirect(to) => Answer { header: Some((LOCATION, to)), ..Answer::text(307, "") },
        Outage::Garbage => Answer::text(200, "<html>welcome to the hotel's network</html>"),
    }
}

fn keys(shared: &Shared) -> Answer {
    let (key, max_age) = shared.with(|state| (state.key(), state.keys_max_age));
    let control = format!("public, max-age={max_age}, must-revalidate, no-transform");
    let answer = Answer::json(200, &json!({"keys": [key.jwk()]}));
    Answer { header: Some((CACHE_CONTROL, control)), ..answer }
}

fn metadata(shared: &Shared, what: &str, flavor: bool, fields: &BTreeMap<String, String>) -> Answer {
    // Keeps pages that a program inside was tricked into asking for from reading tokens.
    if !flavor {
        return Answer::text(403, "Missing Metadata-Flavor:Google header.");
    }
    match (what, fields.get("audience")) {
        ("token", _) => Answer::json(200, &shared.with(super::state::State::give_access_token)),
        ("identity", Some(audience)) => {
            // Without `full` the token has no e-mail.
            if fields.get("format").is_none_or(|format| format != "full") {
                return Answer::text(400, "format is not full");
            }
            Answer::text(200, shared.with(|state| state.give_id_token(audience)))
        }
        ("identity", None) => Answer::text(400, "non-empty audience parameter required"),
        _ => Answer::text(404, "not found"),
    }
}

fn pairs(text: &[u8]) -> BTreeMap<String, String> {
    form_urlencoded::parse(text).into_owned().collect()
}

fn send(answer: Answer) -> Response<Body> {
    let body = Full::new(Bytes::from(answer.body)).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some((name, value)) = answer.header
        && let Ok(value) = HeaderValue::try_from(value)
    {
        response.headers_mut().insert(name, value);
    }
    response
}
