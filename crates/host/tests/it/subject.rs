//! The runtimes on which parity is tested: this host, and the `spin` binary named by the environment variable SPIN.

use std::io::{BufRead as _, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use host::RunningHost;

use crate::support::{Lines, get, host_of, manifest};

/// Spin compiles the component at each start.
const START_POLLS_MAX: usize = 1_000;
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// What runs the guest.
pub(crate) enum Subject {
    Host,
    Spin(PathBuf),
}

/// The running guest.
pub(crate) struct Running {
    pub(crate) addr: SocketAddr,
    /// What runtime and component have written to standard output and standard error.
    pub(crate) lines: Lines,
    _kept: Kept,
}

enum Kept {
    Host { _host: RunningHost },
    Spin { _process: Group },
}

impl Subject {
    /// The binary that SPIN names; without it, prints that the test is skipped.
    pub(crate) fn spin() -> Option<Self> {
        let named = std::env::var_os("SPIN").filter(|path| !path.is_empty());
        if named.is_none() {
            println!("skipped: SPIN names no binary");
        }
        named.map(|path| Self::Spin(path.into()))
    }

    /// Serves the application of a manifest, or returns why it cannot.
    pub(crate) async fn start(&self, manifest: &Path, variables: &[(&str, &str)]) -> Result<Running, String> {
        let lines = Lines::default();
        match self {
            Self::Host => {
                let mut host = host_of(manifest.to_owned()).log(lines.log());
                for (name, value) in variables {
                    host = host.variable(*name, *value);
                }
                let host = host.start().await.map_err(|error| format!("{error:#}"))?;
                Ok(Running { addr: host.addr, lines, _kept: Kept::Host { _host: host } })
            }
            Self::Spin(binary) => {
                let addr = free_address();
                let process = Group::start(spin(binary, manifest, addr, variables), &lines);
                Self::ready(addr, process, &lines).await
            }
        }
    }

    async fn ready(addr: SocketAddr, mut process: Group, lines: &Lines) -> Result<Running, String> {
        for _ in 0..START_POLLS_MAX {
            if process.ended() {
                return Err(lines.text());
            }
            if tokio::net::TcpStream::connect(addr).await.is_ok() {
                let health = get(addr, "/.well-known/spin/health", &[]).await;
                assert_eq!(health, (200, "OK".into()));
                return Ok(Running { addr, lines: lines.clone(), _kept: Kept::Spin { _process: process } });
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        panic!("spin serves nothing at {addr}: {}", lines.text());
    }
}

fn spin(binary: &Path, manifest: &Path, addr: SocketAddr, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(binary);
    command.args(["up", "--listen", &addr.to_string(), "--from"]).arg(manifest);
    for (name, value) in variables {
        command.env(format!("SPIN_VARIABLE_{}", name.to_ascii_uppercase()), value);
    }
    command
}

/// Spin does not take port 0.
fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("cannot listen");
    listener.local_addr().expect("no address")
}

/// A process and its children: `spin up` serves in a child process.
struct Group(Child);

impl Group {
    fn start(mut command: Command, lines: &Lines) -> Self {
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        collect(child.stdout.take().expect("no stdout"), lines);
        collect(child.stderr.take().expect("no stderr"), lines);
        Self(child)
    }

    fn ended(&mut self) -> bool {
        self.0.try_wait().expect("cannot wait").is_some()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The group's number is the process's own, negated.
        let group = format!("-{}", self.0.id());
        let _ended = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _reaped = self.0.wait();
    }
}

fn collect(from: impl Read + Send + 'static, lines: &Lines) {
    let lines = lines.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            lines.push(&[&line, &b"\n"[..]].concat());
        }
    });
}

/// Makes two tests of each point, which is a function of a [`Subject`].
macro_rules! points {
    ($($name:ident),* $(,)?) => {
        /// The names of the points.
        pub(crate) const NAMES: &[&str] = &[$(stringify!($name)),*];
        mod on_the_host {
            $(#[tokio::test] async fn $name() { super::$name(&crate::subject::Subject::Host).await })*
        }
        mod on_spin {
            $(
                #[tokio::test]
                async fn $name() {
                    if let Some(spin) = crate::subject::Subject::spin() {
                        super::$name(&spin).await;
                    }
                }
            )*
        }
    };
}
pub(crate) use points;

/// Serves the guest, allowing it to send requests to these addresses.
pub(crate) async fn serve(subject: &Subject, allowed: &[&str]) -> Running {
    let allowed: Vec<_> = allowed.iter().map(ToString::to_string).collect();
    subject.start(&manifest(&allowed), &[]).await.unwrap_or_else(|error| panic!("does not start: {error}"))
}
