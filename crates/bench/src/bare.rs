//! The same exchanges with a bare client: what the machine, the emulator and the simulators can do.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bytes::Bytes;
use futures::channel::mpsc;
use futures::future;
use futures::stream::{self, StreamExt, TryStreamExt};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method};

use crate::recording::{Call, Recording};

/// Concurrent provider calls, for both the orchestrator and the bare client: the services have no limits here.
pub const CALLS: usize = 4;
/// Concurrent write requests, as in the orchestrator's bulk writer.
const LANES: usize = 4;

/// A client that shares no code with the orchestrator.
#[derive(Clone, Debug)]
pub struct Bare {
    client: Client,
    /// `http://127.0.0.1:PORT` of the emulator.
    firestore: String,
}

impl Bare {
    pub fn new(firestore_host: &str) -> Result<Self> {
        let client = Client::builder().no_proxy().build()?;
        Ok(Self { client, firestore: format!("http://{firestore_host}") })
    }

    /// Sends one request and reads its whole response.
    pub async fn send(&self, method: Method, address: &str, body: Bytes) -> Result<Bytes> {
        let request = self.client.request(method, address).bearer_auth("owner");
        let answer = request.header(CONTENT_TYPE, "application/json").body(body).send().await?;
        let status = answer.status();
        let body = answer.bytes().await?;
        if !status.is_success() {
            bail!("{address} returned {status}: {}", String::from_utf8_lossy(&body));
        }
        Ok(body)
    }

    /// One request to Firestore.
    pub async fn firestore(&self, method: Method, address: &str, body: Bytes) -> Result<Bytes> {
        self.send(method, &format!("{}{address}", self.firestore), body).await
    }

    /// One provider call.
    pub async fn call(&self, call: &Call) -> Result<Bytes> {
        self.send(Method::POST, &call.address, call.body.clone()).await
    }

    /// Time for a run's provider calls, with the orchestrator's concurrency.
    pub async fn calls(&self, recording: &Recording) -> Result<Duration> {
        let start = Instant::now();
        let sent = stream::iter(&recording.calls).map(|call| self.call(call)).buffer_unordered(CALLS);
        sent.try_for_each(|_| async { Ok(()) }).await?;
        Ok(start.elapsed())
    }

    /// Time for writing a run's documents into an empty project.
    pub async fn writes(&self, recording: &Recording, project: &str) -> Result<Duration> {
        let bodies = recording.writes_for(project)?;
        let address = format!("/v1/projects/{project}/databases/(default)/documents:batchWrite");
        let start = Instant::now();
        let sent = stream::iter(bodies)
            .map(|body| self.firestore(Method::POST, &address, body))
            .buffer_unordered(LANES);
        sent.try_for_each(|_| async { Ok(()) }).await?;
        Ok(start.elapsed())
    }

    /// Time for all exchanges of a run, in a project with its watchlist: those before its calls, then calls and writes
    /// concurrently, the writes as their calls are answered, and those at the end.
    pub async fn whole(&self, recording: &Recording, project: &str) -> Result<Duration> {
        let (before, last) = recording.around_for(project)?;
        let bodies = recording.writes_for(project)?;
        let (calls, requests) = (recording.calls.len(), bodies.len());
        let address = format!("/v1/projects/{project}/databases/(default)/documents:batchWrite");
        let start = Instant::now();
        for exchange in before {
            self.firestore(exchange.method, &exchange.address, exchange.body).await?;
        }
        let (answered, to_write) = mpsc::unbounded();
        let mut bodies = bodies.into_iter();
        let sent = stream::iter(&recording.calls).map(|call| self.call(call)).buffer_unordered(CALLS);
        let call = sent.enumerate().map(|(at, answer)| answer.map(|_| at + 1)).try_for_each(move |done| {
            // The same fraction of the requests as of the calls.
            let due = bodies.len().saturating_sub(requests - requests * done / calls);
            let ready: Vec<_> = bodies.by_ref().take(due).collect();
            future::ready(
                ready.into_iter().try_for_each(|body| answered.unbounded_send(body)).map_err(Into::into),
            )
        });
        let write = to_write
            .map(|body| self.firestore(Method::POST, &address, body))
            .buffer_unordered(LANES)
            .try_for_each(|_| async { Ok(()) });
        future::try_join(call, write).await?;
        for exchange in last {
            self.firestore(exchange.method, &exchange.address, exchange.body).await?;
        }
        Ok(start.elapsed())
    }
}
