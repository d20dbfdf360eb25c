//! The same exchanges with a bare client: what the machine, the emulator and the simulators can do.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bytes::Bytes;
use futures::channel::mpsc;
use futures::future;
use futures::stream::{self, StreamExt, TryStreamExt};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Method};
use sim::firestore::proxy::Exchange;

use crate::recording::{Around, Call, Recording};

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

    /// Time for all exchanges of a run, in a project with its watchlist: those before its calls, then calls, reads and
    /// writes concurrently, the reads and writes as the calls are answered, and the commits at the end.
    pub async fn whole(&self, recording: &Recording, project: &str) -> Result<Duration> {
        let Around { before, reads, commits } = recording.around_for(project)?;
        let address = format!("/v1/projects/{project}/databases/(default)/documents:batchWrite");
        let writes = recording.writes_for(project)?.into_iter().map(|body| (address.clone(), body));
        let reads = reads.into_iter().map(|read| (read.address, read.body));
        let start = Instant::now();
        self.in_order(before).await?;
        let (read, to_read) = mpsc::unbounded();
        let (written, to_write) = mpsc::unbounded();
        let calls = recording.calls.len();
        let mut due = [Due::new(reads, calls, read), Due::new(writes, calls, written)];
        let sent = stream::iter(&recording.calls).map(|call| self.call(call)).buffer_unordered(CALLS);
        let call = sent
            .enumerate()
            .map(|(at, answer)| answer.map(|_| at + 1))
            .try_for_each(move |done| future::ready(due.iter_mut().try_for_each(|due| due.release(done))));
        future::try_join3(call, self.lanes(to_read), self.lanes(to_write)).await?;
        self.in_order(commits).await?;
        Ok(start.elapsed())
    }

    /// Requests to Firestore, one after the other.
    async fn in_order(&self, exchanges: Vec<Exchange>) -> Result<()> {
        for exchange in exchanges {
            self.firestore(exchange.method, &exchange.address, exchange.body).await?;
        }
        Ok(())
    }

    /// Sends what comes, a few at once, until no more can come.
    async fn lanes(&self, requests: mpsc::UnboundedReceiver<(String, Bytes)>) -> Result<()> {
        let sent = requests.map(async |(address, body)| self.firestore(Method::POST, &address, body).await);
        sent.buffer_unordered(LANES).try_for_each(|_| async { Ok(()) }).await
    }
}

/// Requests that may be sent as calls are answered: always the same fraction of them as of the calls.
struct Due {
    all: usize,
    calls: usize,
    waiting: std::vec::IntoIter<(String, Bytes)>,
    lanes: mpsc::UnboundedSender<(String, Bytes)>,
}

impl Due {
    fn new(
        requests: impl Iterator<Item = (String, Bytes)>,
        calls: usize,
        lanes: mpsc::UnboundedSender<(String, Bytes)>,
    ) -> Self {
        let waiting = requests.collect::<Vec<_>>().into_iter();
        Self { all: waiting.len(), calls, waiting, lanes }
    }

    fn release(&mut self, answered: usize) -> Result<()> {
        let due = self.waiting.len().saturating_sub(self.all - self.all * answered / self.calls);
        self.waiting.by_ref().take(due).try_for_each(|request| Ok(self.lanes.unbounded_send(request)?))
    }
}
