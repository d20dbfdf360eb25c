//! A party between the orchestrator and the emulator that can fail as a network and a busy Firestore do.
//!
//! What it lets through is carried out by the real emulator. It tells requests apart by their address and body, as
//! an observer of the wire would.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use reqwest::Client;
use serde_json::json;

use super::Emulator;
use crate::client::client;
use crate::server::{Body, Handler, Reset, Server};

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// It is not carried out, and answered with this status.
    Status(u16),
    /// It is carried out, but nobody learns of it: the connection breaks in place of the answer.
    LoseAnswer,
    /// It is not carried out: the connection breaks.
    Reset,
    /// It is carried out this much later.
    Delay(Duration),
}

/// One fault of a proxy's script: without further conditions it meets every request, for ever.
#[derive(Debug, Clone)]
pub struct Fault {
    effect: Effect,
    operation: Option<&'static str>,
    containing: Option<String>,
    lacking: Option<String>,
    after: u64,
    times: u64,
}

impl Fault {
    /// An error of Firestore in place of the work.
    pub fn status(code: u16) -> Self {
        Self::new(Effect::Status(code))
    }

    /// The work is done, but its answer is lost.
    pub fn lose_answer() -> Self {
        Self::new(Effect::LoseAnswer)
    }

    /// The connection breaks before the work is done.
    pub fn reset() -> Self {
        Self::new(Effect::Reset)
    }

    /// The work is done this much later.
    pub fn delay(delay: Duration) -> Self {
        Self::new(Effect::Delay(delay))
    }

    /// Only requests whose address ends so: `:commit`, `:batchWrite`, `:runQuery`, `/documents/collection`.
    #[must_use]
    pub fn operation(mut self, end: &'static str) -> Self {
        self.operation = Some(end);
        self
    }

    /// Only requests whose body contains this text.
    #[must_use]
    pub fn containing(mut self, text: impl Into<String>) -> Self {
        self.containing = Some(text.into());
        self
    }

    /// Only requests whose body does not contain this text.
    #[must_use]
    pub fn lacking(mut self, text: impl Into<String>) -> Self {
        self.lacking = Some(text.into());
        self
    }

    /// Spares the first `count` requests that meet the other conditions.
    #[must_use]
    pub fn after(mut self, count: u64) -> Self {
        self.after = count;
        self
    }

    /// Strikes `count` times and is spent.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.times = count;
        self
    }

    fn new(effect: Effect) -> Self {
        Self { effect, operation: None, containing: None, lacking: None, after: 0, times: u64::MAX }
    }

    /// Whether it strikes this request; counts the requests that it concerns.
    fn strikes(&mut self, path: &str, body: &str) -> bool {
        let concerned = self.operation.is_none_or(|end| path.ends_with(end))
            && self.containing.as_ref().is_none_or(|text| body.contains(text))
            && self.lacking.as_ref().is_none_or(|text| !body.contains(text));
        if !concerned {
            return false;
        }
        if self.after > 0 {
            self.after -= 1;
            return false;
        }
        let strikes = self.times > 0;
        self.times = self.times.saturating_sub(1);
        strikes
    }
}

/// A running proxy. Dropped, it stops.
#[derive(Debug)]
pub struct Proxy {
    shared: Arc<Shared>,
    server: Server,
}

impl Proxy {
    /// Stands between callers and `emulator`, on a port of its own.
    pub async fn start(emulator: &Emulator) -> Result<Self> {
        let shared = Arc::new(Shared { target: emulator.host(), client: client(), state: Mutex::default() });
        let server = Server::start(0, Arc::clone(&shared)).await.context("the proxy cannot listen")?;
        Ok(Self { shared, server })
    }

    /// `127.0.0.1:PORT`, as `FIRESTORE_EMULATOR_HOST` wants it.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.server.port())
    }

    /// Adds a fault to the script; of several that concern a request, the first strikes.
    pub fn fault(&self, fault: Fault) {
        self.shared.with(|state| state.script.push(fault));
    }

    /// Ends the script: everything is let through.
    pub fn clear(&self) {
        self.shared.with(|state| state.script.clear());
    }

    /// Requests that a fault has struck so far.
    pub fn struck(&self) -> usize {
        self.shared.with(|state| state.struck)
    }
}

#[derive(Debug)]
struct Shared {
    target: String,
    client: Client,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    script: Vec<Fault>,
    struck: usize,
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

    /// Lets the emulator carry out a request; one that it does not answer ends in a reset.
    async fn forward(&self, head: &http::request::Parts, body: Bytes) -> Result<Response<Body>, Reset> {
        let mut request =
            self.client.request(head.method.clone(), format!("http://{}{}", self.target, head.uri));
        for name in [AUTHORIZATION, CONTENT_TYPE] {
            if let Some(value) = head.headers.get(&name) {
                request = request.header(name, value);
            }
        }
        let answer = request.body(body).send().await.map_err(|_| Reset)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|_| Reset)?;
        Ok(respond(status, body))
    }
}

impl Handler for Shared {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Reset> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.map_err(|_| Reset)?.to_bytes();
        match self.draw(head.uri.path(), &body) {
            None => self.forward(&head, body).await,
            Some(Effect::Status(code)) => Ok(refusal(code)),
            Some(Effect::Reset) => Err(Reset),
            Some(Effect::LoseAnswer) => {
                self.forward(&head, body).await?;
                Err(Reset)
            }
            Some(Effect::Delay(delay)) => {
                tokio::time::sleep(delay).await;
                self.forward(&head, body).await
            }
        }
    }
}

/// An error in Firestore's form.
fn refusal(code: u16) -> Response<Body> {
    let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let name = match code {
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "INTERNAL",
    };
    let body = json!({"error": {"code": code, "message": format!("simulated {name}"), "status": name}});
    respond(status, Bytes::from(body.to_string()))
}

fn respond(status: StatusCode, body: Bytes) -> Response<Body> {
    let mut response = Response::new(Full::new(body).map_err(|never| match never {}).boxed_unsync());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
