//! The orchestrator as a process: the built component on its host or on Spin, seen from outside.

mod command;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::client::client;
use crate::process::{Leashed, Log};
use crate::providers::Providers;

/// Compiling a component for the first time takes a second on a quiet machine.
const READY_LIMIT: Duration = Duration::from_mins(1);
/// What the host prints when it is ready.
const READY_LINE: &str = "listening on ";
/// Answered by Spin itself, so it leaves nothing in the component's log.
const SPIN_HEALTH: &str = "/.well-known/spin/health";
/// Spin's own line on stderr, next to the component's output.
const SPIN_WORDS: &str = "Logging component stdio to ";

/// What runs the component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Runtime {
    /// This project's host.
    Host {
        /// The built `host` binary.
        bin: PathBuf,
    },
    /// The `spin` command.
    Spin {
        /// The `spin` binary, 4.1 or later.
        bin: PathBuf,
    },
    /// The container's first process, which starts Spin.
    Container {
        /// The built `entry` binary.
        entry: PathBuf,
        /// The `spin` binary, 4.1 or later.
        spin: PathBuf,
    },
}

/// The `spin` binary: the one named by the environment variable `SPIN`, else the first on the search path.
pub fn spin_program() -> PathBuf {
    std::env::var_os("SPIN").filter(|path| !path.is_empty()).map_or_else(|| "spin".into(), PathBuf::from)
}

/// How to start an orchestrator. A clone starts another one like it.
#[derive(Debug, Clone)]
pub struct Builder {
    runtime: Runtime,
    manifest: PathBuf,
    listen: SocketAddr,
    wasm: Option<PathBuf>,
    cache: Option<PathBuf>,
    args: Vec<String>,
    variables: BTreeMap<String, String>,
    echo: bool,
}

/// A running orchestrator. It is killed when dropped.
#[derive(Debug)]
pub struct Orchestrator {
    url: String,
    log: Log,
    on_spin: bool,
    pid: u32,
    process: Mutex<Leashed>,
}

impl Orchestrator {
    /// Prepares to run the application that `manifest` (a `spin.toml`) describes, on a free port.
    pub fn builder(runtime: Runtime, manifest: impl Into<PathBuf>) -> Builder {
        Builder {
            runtime,
            manifest: manifest.into(),
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            wasm: None,
            cache: None,
            args: Vec::new(),
            variables: BTreeMap::new(),
            echo: false,
        }
    }

    /// The base address, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The lines that component and runtime wrote to stderr.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The same lines without Spin's own startup line.
    pub fn component_lines(&self) -> Vec<String> {
        let lines = self.log.lines().into_iter();
        lines.filter(|line| !(self.on_spin && line.starts_with(SPIN_WORDS))).collect()
    }

    /// The id of the runtime's process.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// How the process ended, if it has.
    pub fn exited(&self) -> Option<ExitStatus> {
        self.process().exited()
    }

    /// Kills the process at once (SIGKILL).
    pub fn kill(&self) {
        self.process().kill();
    }

    /// Asks the process to finish its requests and exit (SIGTERM), and waits for that.
    pub async fn terminate(&self, limit: Duration) -> Result<ExitStatus> {
        self.process().signal("TERM")?;
        let start = Instant::now();
        loop {
            if let Some(status) = self.exited() {
                return Ok(status);
            }
            if start.elapsed() > limit {
                bail!(
                    "the orchestrator is still running {limit:?} after SIGTERM; its last lines:\n{}",
                    self.log.tail()
                );
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Freezes the process (SIGSTOP): it keeps its connections and leases but does nothing.
    pub fn pause(&self) -> Result<()> {
        self.process().signal("STOP")
    }

    /// Lets a frozen process continue (SIGCONT).
    pub fn resume(&self) -> Result<()> {
        self.process().signal("CONT")
    }

    fn process(&self) -> MutexGuard<'_, Leashed> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Builder {
    /// Listens at this address instead of a free port of 127.0.0.1.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Runs this component instead of the one named in the manifest (host only).
    #[must_use]
    pub fn wasm(mut self, path: impl Into<PathBuf>) -> Self {
        self.wasm = Some(path.into());
        self
    }

    /// Keeps compiled components here, so that the next start takes milliseconds (host only).
    #[must_use]
    pub fn cache(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cache = Some(folder.into());
        self
    }

    /// Passes further arguments to the runtime.
    #[must_use]
    pub fn args<A: Into<String>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets one of the application's variables.
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.insert(name.into(), value.into());
        self
    }

    /// Sets several of the application's variables.
    #[must_use]
    pub fn variables<N: Into<String>, V: Into<String>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.variables.extend(variables.into_iter().map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Sets the variables that have no value yet.
    #[must_use]
    pub fn default_variables(mut self, variables: BTreeMap<String, String>) -> Self {
        for (name, value) in variables {
            self.variables.entry(name).or_insert(value);
        }
        self
    }

    /// Keeps an idle instance for this long.
    #[must_use]
    pub fn idle_timeout(self, timeout: Duration) -> Self {
        let millis = timeout.as_millis();
        match self.runtime {
            Runtime::Host { .. } => self.args(["--idle-timeout-ms".to_owned(), millis.to_string()]),
            Runtime::Spin { .. } => self.args(["--idle-instance-timeout".to_owned(), format!("{millis}ms")]),
            // The entry sets it itself.
            Runtime::Container { .. } => self,
        }
    }

    /// Copies the log lines to this process's stderr as they arrive.
    #[must_use]
    pub fn echo(mut self, echo: bool) -> Self {
        self.echo = echo;
        self
    }

    /// Starts the process and waits until it answers.
    pub async fn start(&self) -> Result<Orchestrator> {
        let (program, address) = self.program()?;
        let mut process = program.spawn(Stdio::piped(), Stdio::piped())?;
        let (log, stdout) = (Log::default(), Log::default());
        log.collect(process.child().stderr.take().context("no stderr")?, self.echo);
        stdout.collect(process.child().stdout.take().context("no stdout")?, false);
        let start = Instant::now();
        loop {
            if let Some(url) = ready(&stdout, address).await {
                let pid = process.child().id();
                let on_spin = !matches!(self.runtime, Runtime::Host { .. });
                return Ok(Orchestrator { url, log, on_spin, pid, process: Mutex::new(process) });
            }
            if let Some(status) = process.exited() {
                // The last lines may still be on their way through the pipe.
                tokio::time::sleep(Duration::from_millis(50)).await;
                bail!(
                    "the orchestrator exited during startup ({status}):\n{}\n{}",
                    stdout.tail(),
                    log.tail()
                );
            }
            if start.elapsed() > READY_LIMIT {
                bail!(
                    "the orchestrator is not ready after {READY_LIMIT:?}:\n{}\n{}",
                    stdout.tail(),
                    log.tail()
                );
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// The base address, once requests are answered: printed by the host, else found by polling.
async fn ready(stdout: &Log, address: Option<SocketAddr>) -> Option<String> {
    let Some(address) = address else {
        let line = stdout.find(READY_LINE)?;
        return line.split_once(READY_LINE).map(|(_, url)| url.trim().to_owned());
    };
    let url = format!("http://{address}");
    client().get(format!("{url}{SPIN_HEALTH}")).timeout(Duration::from_secs(5)).send().await.ok().map(|_| url)
}

/// The variables that connect an orchestrator to these parts, without authentication.
pub fn standard_variables(
    firestore_host: &str,
    providers: &Providers,
    project: &str,
) -> BTreeMap<String, String> {
    let mut variables: BTreeMap<String, String> =
        providers.urls().into_iter().map(|(service, url)| (format!("{service}_service_url"), url)).collect();
    for (name, value) in [
        ("firestore_emulator_host", firestore_host.to_owned()),
        ("google_cloud_project", project.to_owned()),
        ("inbound_auth", "none".to_owned()),
    ] {
        variables.insert(name.to_owned(), value);
    }
    variables
}
