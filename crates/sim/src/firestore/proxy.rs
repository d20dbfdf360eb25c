//! A proxy between the orchestrator and Firestore that can fail as a network or a busy Firestore does.
//!
//! The Firestore behind it carries out what it lets through. The proxy recognises requests by their address and body only.
//! With a gate it requires an access token, which Google's Firestore does and an emulator does not.

mod fault;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::client::client;
use crate::gate::Gate;
use crate::server::{Body, Handler, Reset, Server};
use fault::Effect;
pub use fault::Fault;

/// How a write of a document begins.
const WRITE: &str = "{\"update\":{";

/// A request that was let through and its response.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// `GET`, `POST`.
    pub method: Method,
    /// Path and query.
    pub address: String,
    /// What was sent.
    pub body: Bytes,
    /// What came back.
    pub answer: Bytes,
}

/// A running proxy. It stops when dropped.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    server: Server,
}

impl Proxy {
    /// Starts a proxy to the Firestore at `host` on a free port.
    pub async fn start(host: &str) -> Result<Self> {
        Self::open(host, None).await
    }

    /// Starts a proxy that admits only callers with the right token; the Firestore at `host` treats them as its owner.
    pub async fn guarded(host: &str, gate: Gate) -> Result<Self> {
        Self::open(host, Some(gate)).await
    }

    async fn open(host: &str, gate: Option<Gate>) -> Result<Self> {
        let (target, state) = (host.to_owned(), Mutex::default());
        let shared = Arc::new(Shared { target, client: client(), gate, state });
        let server = Server::start(0, Arc::clone(&shared)).await.context("the proxy cannot listen")?;
        Ok(Self { shared, server })
    }

    /// `127.0.0.1:PORT`, the format of `FIRESTORE_EMULATOR_HOST`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.server.port())
    }

    /// Adds a fault to the script; if several match a request, the first applies.
    pub fn fault(&self, fault: Fault) {
        self.shared.with(|state| state.script.push(fault));
    }

    /// Clears the script: everything is let through.
    pub fn clear(&self) {
        self.shared.with(|state| state.script.clear());
    }

    /// Admits this many writes in a second, as a database under its limit does: a request waits for its writes.
    pub fn admit_writes(&self, per_second: Option<u32>) {
        self.shared.with(|state| state.limit = per_second.map(|rate| (rate, Instant::now())));
    }

    /// Starts a new recording of every exchange.
    pub fn record(&self) {
        self.shared.with(|state| state.recording = Some(Vec::new()));
    }

    /// Stops recording; returns all exchanges since it started, in the order of their responses.
    pub fn recorded(&self) -> Vec<Exchange> {
        self.shared.with(|state| state.recording.take()).unwrap_or_default()
    }

    /// Number of requests received so far.
    pub fn seen(&self) -> usize {
        self.shared.with(|state| state.seen)
    }

    /// Number of requests that the gate has refused so far.
    pub fn turned_away(&self) -> usize {
        self.shared.with(|state| state.turned_away)
    }

    /// Number of requests that a fault was applied to so far.
    pub fn struck(&self) -> usize {
        self.shared.with(|state| state.struck)
    }
}

#[derive(Debug)]
struct Shared {
    target: String,
    client: Client,
    gate: Option<Gate>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    script: Vec<Fault>,
    seen: usize,
    turned_away: usize,
    struck: usize,
    recording: Option<Vec<Exchange>>,
    /// Writes in a second, and when the next may be carried out.
    limit: Option<(u32, Instant)>,
}

impl Shared {
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn draw(&self, path: &str, body: &[u8]) -> Option<Effect> {
        let body = String::from_utf8_lossy(body);
        self.with(|state| {
            let struck = |fault: &mut Fault| fault.strikes(path, &body).then_some(fault.effect);
            let effect = state.script.iter_mut().find_map(struck)?;
            state.struck += 1;
            Some(effect)
        })
    }

    /// When the writes of a request may be carried out, if they are limited.
    fn turn(&self, body: &[u8]) -> Option<Instant> {
        self.with(|state| {
            let (rate, next) = state.limit.as_mut()?;
            let writes = String::from_utf8_lossy(body).matches(WRITE).count();
            let writes = u32::try_from(writes).ok().filter(|writes| *writes > 0)?;
            *next = (*next).max(Instant::now()) + Duration::from_secs(1) * writes / *rate;
            Some(*next)
        })
    }

    /// Forwards a request; resets the connection if there is no answer.
    async fn forward(&self, head: &http::request::Parts, body: Bytes) -> Result<Response<Body>, Reset> {
        let mut request =
            self.client.request(head.method.clone(), format!("http://{}{}", self.target, head.uri));
        for name in [AUTHORIZATION, CONTENT_TYPE] {
            let owner = HeaderValue::from_static("Bearer owner");
            let swap = self.gate.is_some() && name == AUTHORIZATION;
            if let Some(value) = if swap { Some(&owner) } else { head.headers.get(&name) } {
                request = request.header(name, value);
            }
        }
        if let Some(turn) = self.turn(&body) {
            tokio::time::sleep_until(turn).await;
        }
        let answer = request.body(body.clone()).send().await.map_err(|_| Reset)?;
        let status = answer.status();
        let answer = answer.bytes().await.map_err(|_| Reset)?;
        self.with(|state| {
            if let Some(recording) = &mut state.recording {
                let (method, address) = (head.method.clone(), head.uri.to_string());
                recording.push(Exchange { method, address, body, answer: answer.clone() });
            }
        });
        Ok(respond(status, answer))
    }

    /// Forwards the writes that do not contain the text. The response has a status for each write, as if Firestore had
    /// refused the others.
    async fn forward_partly(
        &self,
        head: &http::request::Parts,
        body: &[u8],
        code: i64,
        text: &str,
    ) -> Result<Response<Body>, Reset> {
        let request: Value = serde_json::from_slice(body).map_err(|_| Reset)?;
        let writes = request["writes"].as_array().ok_or(Reset)?;
        let refused = |write: &Value| write.to_string().contains(text);
        let rest: Vec<_> = writes.iter().filter(|write| !refused(write)).collect();
        let mut statuses = Vec::new();
        if !rest.is_empty() {
            let answer = self.forward(head, Bytes::from(json!({"writes": rest}).to_string())).await?;
            let answer = answer.into_body().collect().await.map_err(|_| Reset)?.to_bytes();
            let answer: Value = serde_json::from_slice(&answer).map_err(|_| Reset)?;
            statuses.clone_from(answer["status"].as_array().ok_or(Reset)?);
        }
        let mut statuses = statuses.into_iter();
        let status: Vec<Value> = writes
            .iter()
            .map(|write| {
                if refused(write) {
                    json!({"code": code, "message": format!("simulated code {code}")})
                } else {
                    statuses.next().unwrap_or_default()
                }
            })
            .collect();
        let results = vec![json!({}); writes.len()];
        let body = json!({"writeResults": results, "status": status}).to_string();
        Ok(respond(StatusCode::OK, Bytes::from(body)))
    }
}

impl Handler for Shared {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Reset> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Reset)?.to_bytes();
        self.with(|state| state.seen += 1);
        if let Some(code) = self.gate.as_ref().and_then(|gate| gate.refuses(&head.headers)) {
            self.with(|state| state.turned_away += 1);
            return Ok(refusal(code));
        }
        match self.draw(head.uri.path(), &body) {
            None => self.forward(&head, body).await,
            Some(Effect::Status(code)) => Ok(refusal(code)),
            Some(Effect::Redirect { port }) => Ok(redirect(port, &head.uri)),
            Some(Effect::Reset) => Err(Reset),
            Some(Effect::LoseAnswer) => {
                self.forward(&head, body).await?;
                Err(Reset)
            }
            Some(Effect::Delay(delay)) => {
                tokio::time::sleep(delay).await;
                self.forward(&head, body).await
            }
            Some(Effect::RefuseWrites { code, text }) => self.forward_partly(&head, &body, code, text).await,
        }
    }
}

/// An error in Firestore's form.
fn refusal(code: u16) -> Response<Body> {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let name = match code {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "INTERNAL",
    };
    let body = json!({"error": {"code": code, "message": format!("simulated {name}"), "status": name}});
    respond(status, Bytes::from(body.to_string()))
}

/// Redirects to the same address at another port.
fn redirect(port: u16, uri: &http::Uri) -> Response<Body> {
    let mut response = respond(StatusCode::TEMPORARY_REDIRECT, Bytes::new());
    if let Ok(location) = HeaderValue::try_from(format!("http://127.0.0.1:{port}{uri}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

fn respond(status: StatusCode, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Full::new(body).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
