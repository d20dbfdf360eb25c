//! Starts and stops a host.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use wasmtime::component::Linker;
use wasmtime_wasi_http::handler::ProxyHandler;
use wasmtime_wasi_http::p3::bindings::ServicePre;

use crate::app::App;
use crate::client::Client;
use crate::instances::{CloseOnDrop, Closed, Instances, Reuse};
use crate::log::Log;
use crate::manifest::Manifest;
use crate::runtime_config::RuntimeConfig;
use crate::server::Server;
use crate::stats::{Counters, Stats};
use crate::variables::Sources;
use crate::{engine, guest};

/// Serves one component; see [`Host::builder`].
pub struct Host {
    manifest: PathBuf,
    component: Option<String>,
    wasm: Option<PathBuf>,
    listen: SocketAddr,
    sources: Sources,
    runtime_config: Option<PathBuf>,
    cache: Option<PathBuf>,
    reuse: Reuse,
    log: Log,
}

impl Host {
    /// Prepares to serve a component of the manifest at `manifest`, on a free port of the local machine.
    pub fn builder(manifest: impl Into<PathBuf>) -> Self {
        Self {
            manifest: manifest.into(),
            component: None,
            wasm: None,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            sources: Sources::default(),
            runtime_config: None,
            cache: None,
            reuse: Reuse::default(),
            log: Log::stderr(),
        }
    }

    /// Chooses the component by its id; required if the manifest has several.
    #[must_use]
    pub fn component(mut self, id: Option<String>) -> Self {
        self.component = id;
        self
    }

    /// Runs this file instead of the component's source.
    #[must_use]
    pub fn wasm(mut self, path: Option<PathBuf>) -> Self {
        self.wasm = path;
        self
    }

    /// Listens on this address; port 0 picks a free one.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Sets a variable; overrides all other sources.
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.sources.overrides.insert(name.into(), value.into());
        self
    }

    /// Takes `SPIN_VARIABLE_<NAME>` from these names and values, normally the process environment.
    #[must_use]
    pub fn environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        self.sources.environment.extend(variables);
        self
    }

    /// Reads a runtime configuration.
    #[must_use]
    pub fn runtime_config(mut self, path: Option<PathBuf>) -> Self {
        self.runtime_config = path;
        self
    }

    /// Keeps the compiled component in this folder, for a quick start the next time.
    #[must_use]
    pub fn cache(mut self, folder: Option<PathBuf>) -> Self {
        self.cache = folder;
        self
    }

    /// Sets the limits for reusing an instance.
    #[must_use]
    pub fn reuse(mut self, reuse: Reuse) -> Self {
        self.reuse = reuse;
        self
    }

    /// Sends the component's output and the host's messages to this log instead of standard error.
    #[must_use]
    pub fn log(mut self, log: Log) -> Self {
        self.log = log;
        self
    }

    /// Loads the component and serves it until [`RunningHost::stop`].
    pub async fn start(mut self) -> anyhow::Result<RunningHost> {
        let (app, pooling) = self.configure()?;
        let engine = engine::engine()?;
        let component = {
            let (engine, wasm, cache) = (engine.clone(), app.wasm.clone(), self.cache.take());
            // Compiling takes seconds; other hosts in this process must keep serving.
            tokio::task::spawn_blocking(move || engine::load(&engine, &wasm, cache.as_deref())).await??
        };
        let mut linker = Linker::new(&engine);
        guest::link(&mut linker)?;
        let component = linker
            .instantiate_pre(&component)
            .and_then(ServicePre::new)
            .map_err(anyhow::Error::from)
            .with_context(|| format!("{} does not match the world in wit/", app.wasm.display()))?;

        let listener = TcpListener::bind(self.listen)
            .await
            .with_context(|| format!("cannot listen on {}", self.listen))?;
        let addr = listener.local_addr()?;
        let counters = Arc::new(Counters::default());
        let closed = Closed::default();
        let handler = ProxyHandler::new(Instances {
            component,
            app: Arc::new(app),
            client: Client::new(pooling),
            log: self.log.clone(),
            counters: Arc::clone(&counters),
            reuse: self.reuse,
            closed: closed.clone(),
        });
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(Server { handler, log: self.log }.run(listener, stopped));
        Ok(RunningHost { addr, stop, server, counters, _close: CloseOnDrop(closed) })
    }

    /// Reads the configuration files and resolves the app; also returns whether to pool connections.
    fn configure(&mut self) -> anyhow::Result<(App, bool)> {
        let manifest = Manifest::read(&self.manifest)?;
        let config = self.runtime_config.as_deref().map(RuntimeConfig::read).transpose()?.unwrap_or_default();
        self.sources.runtime_config = config.stronger;
        self.sources.fallback = config.weaker;
        for warning in config.warnings {
            self.log.host(&format!("runtime configuration: {warning}"));
        }
        for name in self.sources.undeclared(&manifest.variables) {
            self.log.host(&format!("the variable {name} has no effect: the manifest does not declare it"));
        }
        let folder = self.manifest.parent().unwrap_or(Path::new("."));
        let mut app = App::resolve(&manifest, folder, self.component.as_deref(), &self.sources)
            .with_context(|| format!("the manifest {} is invalid", self.manifest.display()))?;
        if let Some(wasm) = self.wasm.take() {
            app.wasm = wasm;
        }
        Ok((app, config.connection_pooling))
    }
}

/// A running host.
pub struct RunningHost {
    /// The address it listens on.
    pub addr: SocketAddr,
    stop: oneshot::Sender<()>,
    server: JoinHandle<bool>,
    counters: Arc<Counters>,
    _close: CloseOnDrop,
}

impl RunningHost {
    /// The base URL, without a trailing slash.
    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// Its statistics so far.
    pub fn stats(&self) -> Stats {
        self.counters.snapshot()
    }

    /// Stops accepting connections, waits for the requests in progress (at most
    /// [`DRAIN_TIMEOUT`](crate::server::DRAIN_TIMEOUT)) and returns the statistics. Fails if requests were cut off.
    pub async fn stop(self) -> anyhow::Result<Stats> {
        // The server may have ended already; awaiting it then gives the reason.
        let _ = self.stop.send(());
        let drained = self.server.await.context("the server failed")?;
        anyhow::ensure!(
            drained,
            "requests were still in progress after {} s",
            crate::server::DRAIN_TIMEOUT.as_secs()
        );
        Ok(self.counters.snapshot())
    }
}
