//! Shared by the tests: the guest, manifests for it, a small HTTP client and a misbehaving server.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock};

use host::Host;
use host::log::Log;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Where Cargo builds this workspace.
pub(crate) fn target_dir() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("Cargo's folder for tests lies in its target folder")
}

/// The component in `tests/guest`, built on first use.
pub(crate) fn guest() -> &'static Path {
    static GUEST: OnceLock<PathBuf> = OnceLock::new();
    GUEST.get_or_init(|| {
        let status = Command::new(env!("CARGO"))
            .args([
                "build",
                "--quiet",
                "--release",
                "--package",
                "guest",
                "--target",
                "wasm32-wasip2",
                "--target-dir",
            ])
            .arg(target_dir())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .expect("cannot run cargo");
        assert!(
            status.success(),
            "cannot build the guest: `cargo xtask setup` installs the target wasm32-wasip2"
        );
        target_dir().join("wasm32-wasip2/release/guest.wasm")
    })
}

/// A new folder for one test.
pub(crate) fn folder() -> PathBuf {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Relaxed));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("cannot create a folder for the test");
    folder
}

/// Writes a manifest that runs the guest with these `allowed_outbound_hosts`.
pub(crate) fn manifest(allowed: &[String]) -> PathBuf {
    let path = folder().join("spin.toml");
    let guest = guest().display();
    let text = format!(
        r#"
spin_manifest_version = 2
[application]
name = "test"
[variables]
name = {{ default = "nobody" }}
[[trigger.http]]
route = "/..."
component = "guest"
[component.guest]
source = "{guest}"
allowed_outbound_hosts = {allowed:?}
[component.guest.variables]
greeting = "hello {{{{ name }}}}"
"#
    );
    std::fs::write(&path, text).expect("cannot write the manifest");
    path
}

/// A host without log output for a manifest; the tests share the compiled component.
pub(crate) fn host_of(manifest: PathBuf) -> Host {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache");
    Host::builder(manifest).cache(Some(cache)).log(Log::to(|_| ()))
}

/// A host without log output for the guest, with no hosts allowed.
pub(crate) fn host() -> Host {
    host_of(manifest(&[]))
}

/// A log that a test can read.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<String>>);

impl Lines {
    pub(crate) fn log(&self) -> Log {
        let lines = self.clone();
        Log::to(move |line| lines.push(line))
    }

    pub(crate) fn push(&self, line: &[u8]) {
        self.0.lock().unwrap().push_str(&String::from_utf8_lossy(line));
    }

    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

/// Sends a GET and returns status and body.
pub(crate) async fn get(addr: SocketAddr, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let headers: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    // HTTP/1.0 ends the response with the connection, so the test needs no parser for chunks.
    let text =
        exchange(addr, &format!("GET {path} HTTP/1.0\r\nhost: {addr}\r\n{}\r\n", headers.concat())).await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no HTTP response: {text:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("no status");
    (status, body.to_owned())
}

/// Sends the bytes of a request and returns all that comes back.
pub(crate) async fn exchange(addr: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(addr).await.expect("cannot connect");
    stream.write_all(request.as_bytes()).await.expect("cannot send");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("cannot receive");
    text
}

/// Makes the guest fetch from `url` and returns the result.
pub(crate) async fn fetch(addr: SocketAddr, url: &str, timeouts: &[(&str, &str)]) -> String {
    let headers = [&[("x-url", url)], timeouts].concat();
    let (status, body) = get(addr, "/fetch", &headers).await;
    assert_eq!(status, 200, "{body}");
    body
}

/// A server that answers every request with fixed bytes and then keeps the connection open, or closes it.
pub(crate) struct Upstream {
    pub(crate) addr: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Upstream {
    pub(crate) async fn start(answer: &'static str, close: bool) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("cannot listen");
        let addr = listener.local_addr().expect("no address");
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Relaxed);
                tokio::spawn(serve(stream, answer, close));
            }
        });
        Self { addr, connections }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Relaxed)
    }
}

async fn serve(mut stream: TcpStream, answer: &str, close: bool) {
    let mut buffer = [0; 4096];
    // One read is one request: they are small and arrive whole.
    while stream.read(&mut buffer).await.is_ok_and(|bytes| bytes > 0) {
        if stream.write_all(answer.as_bytes()).await.is_err() || close {
            return;
        }
    }
}
