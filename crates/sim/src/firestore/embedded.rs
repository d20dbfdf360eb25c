//! The embedded Firestore: the store in memory, served over HTTP, so that a machine needs neither Java nor the emulator.
//!
//! It runs on a thread of its own. A test's runtime ends with the test, and the server that all tests share must not.

mod file;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use serde_json::Value as Json;
use tokio::sync::oneshot;

use self::file::DataFile;
use super::db::Db;
use super::memory::{Refusal, Reply, Store, Strictness};
use crate::server::{Body, Handler, Reset, Server};

/// Maximum bytes that are read of a request: enough to tell how far it is above either limit.
const BODY_BYTES_MAX: usize = 64 << 20;
/// Interval at which changed data is saved.
const SAVE_INTERVAL: Duration = Duration::from_secs(5);
/// Methods that only the owner of an emulator may use, and what others are told.
const OWNERS_METHODS: [(&str, &str); 2] = [
    (":batchWrite", "Batch writes require admin authentication."),
    (":listCollectionIds", "Metadata operations require admin authentication."),
];

/// A running Firestore. It stops when dropped; [`close`](Self::close) saves its data first.
#[derive(Debug)]
pub struct Embedded {
    port: u16,
    shared: Arc<Shared>,
    running: Mutex<Option<Running>>,
}

#[derive(Debug)]
struct Shared {
    strictness: Strictness,
    store: Mutex<Store>,
    file: Option<DataFile>,
}

/// The thread that serves.
#[derive(Debug)]
struct Running {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Embedded {
    /// Starts an empty Firestore on 127.0.0.1. Without a port, it uses a free one.
    pub async fn start(port: Option<u16>, strictness: Strictness) -> Result<Self> {
        Self::open(port, Store::new(strictness), None, strictness).await
    }

    /// Starts with the data of a file, which is created if it does not exist. Changes are saved to it every few seconds
    /// and by [`close`](Self::close).
    pub async fn with_data(port: Option<u16>, strictness: Strictness, path: PathBuf) -> Result<Self> {
        let (file, store) = DataFile::open(path, strictness)?;
        Self::open(port, store, Some(file), strictness).await
    }

    async fn open(
        port: Option<u16>,
        store: Store,
        file: Option<DataFile>,
        strictness: Strictness,
    ) -> Result<Self> {
        let shared = Arc::new(Shared { strictness, store: Mutex::new(store), file });
        let (port, running) = serve(port.unwrap_or_default(), Arc::clone(&shared)).await?;
        Ok(Self { port, shared, running: Mutex::new(Some(running)) })
    }

    /// `127.0.0.1:PORT`, the format of `FIRESTORE_EMULATOR_HOST`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// A client for the default database of `project`.
    pub fn db(&self, project: &str) -> Db {
        Db::new(&self.host(), project, "(default)")
    }

    /// Whether nothing is stored.
    pub fn is_empty(&self) -> bool {
        self.shared.store().documents().is_empty()
    }

    /// Stops and forgets what is not in a file. The port is closed afterwards.
    pub async fn kill(&self) {
        self.stop().await;
        *self.shared.store() = Store::new(self.shared.strictness);
    }

    /// Starts again, empty, on the same port.
    pub async fn restart(&self) -> Result<()> {
        self.kill().await;
        let (_, running) = serve(self.port, Arc::clone(&self.shared)).await?;
        *self.running() = Some(running);
        Ok(())
    }

    /// Stops and saves the data if it has a file.
    pub async fn close(&self) -> Result<()> {
        self.stop().await;
        self.shared.save()
    }

    async fn stop(&self) {
        let Some(Running { stop, thread }) = self.running().take() else { return };
        // The only error is that it has already stopped.
        let _stopped = stop.send(());
        let _joined = tokio::task::spawn_blocking(move || thread.join()).await;
    }

    fn running(&self) -> MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the thread; returns once the port is open.
async fn serve(port: u16, shared: Arc<Shared>) -> Result<(u16, Running)> {
    let (stop, stopped) = oneshot::channel();
    let (started, start) = oneshot::channel();
    let work = move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(started.send(Err(anyhow!(error)))),
        };
        runtime.block_on(async {
            match Server::start(port, Arc::clone(&shared)).await {
                Ok(server) => {
                    let _waiting = started.send(Ok(server.port()));
                    tokio::select! {
                        _ = stopped => {}
                        () = shared.save_regularly() => {}
                    }
                    server.stop().await;
                }
                Err(error) => drop(started.send(Err(anyhow!(error)))),
            }
        });
    };
    let thread = std::thread::Builder::new().name("embedded-firestore".to_owned()).spawn(work)?;
    let opened = start.await.context("the embedded Firestore ended")?;
    let port = opened
        .with_context(|| format!("the embedded Firestore cannot listen on port {port} of 127.0.0.1"))?;
    Ok((port, Running { stop, thread }))
}

impl Shared {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Saves changes as they come; never ends.
    async fn save_regularly(&self) {
        loop {
            tokio::time::sleep(SAVE_INTERVAL).await;
            if let Err(error) = self.save() {
                eprintln!("{error:#}; trying again in {} s", SAVE_INTERVAL.as_secs());
            }
        }
    }

    fn save(&self) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let changed = {
            let store = self.store();
            file.needs(store.revision()).then(|| (store.revision(), store.snapshot()))
        };
        changed.map_or(Ok(()), |(revision, snapshot)| file.save(revision, &snapshot))
    }

    fn carry_out(&self, head: &http::request::Parts, body: &[u8]) -> Reply {
        let path = head.uri.path();
        let refused = OWNERS_METHODS.iter().find(|(method, _)| path.ends_with(method) && !is_owner(head));
        if let Some((_, message)) = refused {
            return Refusal::new("PERMISSION_DENIED", *message).into_reply();
        }
        let address = head.uri.path_and_query().map_or(path, |address| address.as_str());
        let mut store = self.store();
        let reply = store.handle(SystemTime::now().into(), &head.method, address, body);
        // Only tests in this process ask for it.
        store.take_written();
        reply
    }
}

impl Handler for Shared {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Reset> {
        let (head, body) = request.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await.map_err(|_| Reset)?.to_bytes();
        if head.method == Method::GET && head.uri.path() == "/" {
            return Ok(respond(StatusCode::OK, "text/plain", "Ok\n".to_owned()));
        }
        let reply = self.carry_out(&head, &body);
        Ok(respond(reply.status, "application/json", text(&reply.body)))
    }
}

fn is_owner(head: &http::request::Parts) -> bool {
    head.headers.get(AUTHORIZATION).is_some_and(|value| value == "Bearer owner")
}

/// A response's text. A streamed one has its elements in lines of their own, as the emulator's.
fn text(body: &Json) -> String {
    match body.as_array() {
        None => body.to_string(),
        Some(elements) => {
            let elements: Vec<String> = elements.iter().map(Json::to_string).collect();
            format!("[\n{}\n]\n", elements.join(",\n"))
        }
    }
}

fn respond(status: StatusCode, kind: &'static str, body: String) -> Response<Body> {
    let body = Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
