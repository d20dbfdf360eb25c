//! The emulator process.

use std::fs::{File, OpenOptions};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;
use tokio::sync::OnceCell;

use super::db::{Db, unique_project};
use super::install::Installation;
use super::kind::Kind;
use crate::client::client;
use crate::ports::free_port;
use crate::process::{Leashed, Program};

/// A JVM on a busy two-core machine took 15 s.
const READY_LIMIT: Duration = Duration::from_mins(1);
/// Writes until a cold emulator reaches its full speed.
const WARM_UP_WRITES: usize = 2_000;

/// A running emulator. When dropped, it is killed along with every process that it started.
#[derive(Debug)]
pub struct Emulator {
    installation: Installation,
    port: u16,
    log: PathBuf,
    process: Mutex<Option<Leashed>>,
}

impl Emulator {
    /// Finds the emulator on this machine; the error says what is missing and how to get it.
    pub fn find() -> Result<Installation> {
        Installation::find()
    }

    /// Starts an emulator on 127.0.0.1 and waits until it answers. Without a port, it uses a free one.
    pub async fn start(port: Option<u16>) -> Result<Self> {
        let port = port.map_or_else(free_port, Ok)?;
        Self::start_on(Self::find()?, port).await
    }

    /// The emulator that all tests of this process share; it ends with the process. Each test uses its own project.
    ///
    /// None on a machine without an emulator, unless the tests are told to use it.
    pub async fn shared() -> Result<Option<Arc<Self>>> {
        static SHARED: OnceCell<Arc<Emulator>> = OnceCell::const_new();
        if Kind::leaves_out_emulator()? {
            return Ok(None);
        }
        let start = async || Self::start(None).await.map(Arc::new);
        SHARED.get_or_try_init(start).await.cloned().map(Some)
    }

    /// `127.0.0.1:PORT`, the format of `FIRESTORE_EMULATOR_HOST`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The port; a restart keeps it.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The id of the process that started it; none after [`kill`](Self::kill).
    pub fn pid(&self) -> Option<u32> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(Leashed::pid)
    }

    /// The emulator's output. The file is deleted when the emulator is dropped.
    pub fn log_path(&self) -> &Path {
        &self.log
    }

    /// A client for the default database of `project`.
    pub fn db(&self, project: &str) -> Db {
        Db::new(&self.host(), project, "(default)")
    }

    /// Kills the emulator and waits until its port is closed. Its data is lost.
    pub async fn kill(&self) -> Result<()> {
        drop(self.take());
        let start = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
            if start.elapsed() > READY_LIMIT {
                bail!("port {} is still open after the emulator was killed", self.port);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }

    /// Starts again, empty, on the same port.
    pub async fn restart(&self) -> Result<()> {
        self.kill().await?;
        self.launch().await
    }

    /// Writes and reads until the emulator reaches its full speed: its first thousand writes take a second.
    pub async fn warm_up(&self) -> Result<()> {
        let db = self.db(&unique_project());
        let doc =
            |number| (format!("warm_up/{number}"), json!({"number": number, "price": 1.5, "name": "warm"}));
        db.seed((0..WARM_UP_WRITES).map(doc).collect()).await?;
        db.list("warm_up").await?;
        db.delete_all().await
    }

    async fn start_on(installation: Installation, port: u16) -> Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let log =
            std::env::temp_dir().join(format!("firestore-emulator-{}-{number}.log", std::process::id()));
        let emulator = Self { installation, port, log, process: Mutex::default() };
        emulator.launch().await?;
        Ok(emulator)
    }

    async fn launch(&self) -> Result<()> {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok() {
            bail!("port {} is taken: stop what is listening there, or choose another port", self.port);
        }
        let log = OpenOptions::new().create(true).append(true).open(&self.log);
        let log = log.with_context(|| format!("cannot write {}", self.log.display()))?;
        let errors = log.try_clone()?;
        let args = ["start".to_owned(), "--host=127.0.0.1".to_owned(), format!("--port={}", self.port)];
        let process = Program::new(&self.installation.program)
            .args(args)
            .litter(&self.log)
            .spawn(Stdio::from(log), Stdio::from(errors))?;
        *self.process.lock().unwrap_or_else(PoisonError::into_inner) = Some(process);
        self.ready().await
    }

    async fn ready(&self) -> Result<()> {
        let client = client();
        let start = Instant::now();
        loop {
            let answer =
                client.get(format!("http://{}/", self.host())).timeout(Duration::from_secs(2)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            if self.has_exited() {
                bail!("the Firestore emulator exited during startup:\n{}", self.log_tail());
            }
            if start.elapsed() > READY_LIMIT {
                bail!("the Firestore emulator is not ready after {READY_LIMIT:?}:\n{}", self.log_tail());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn has_exited(&self) -> bool {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.as_mut().is_none_or(|process| process.exited().is_some())
    }

    fn take(&self) -> Option<Leashed> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn log_tail(&self) -> String {
        let text = File::open(&self.log).and_then(std::io::read_to_string).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}
