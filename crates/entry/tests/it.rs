//! The entry point with a fake `spin`, which records its arguments, its environment and when it is told to end.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// Prints `started` when everything is recorded.
const SPIN: &str = include_str!("spin.sh");

struct Entry {
    child: Child,
    lines: Box<dyn Iterator<Item = String>>,
    folder: PathBuf,
}

impl Entry {
    fn start(test: &str, environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        Self::start_with(test, environment, arguments, false)
    }

    /// The same with its standard error closed at the other end.
    fn start_deaf(test: &str, environment: &[(&str, &str)]) -> Self {
        Self::start_with(test, environment, &[], true)
    }

    fn start_with(test: &str, environment: &[(&str, &str)], arguments: &[&str], deaf: bool) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
        let _absent = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let spin = folder.join("spin");
        fs::write(&spin, SPIN).unwrap();
        fs::set_permissions(&spin, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
        let mut command = command();
        command.args(arguments).envs(environment.iter().copied()).env("PATH", path).current_dir(&folder);
        // Both streams go into one pipe, because the tests check the order of the two programs' lines.
        let (read, write) = std::io::pipe().unwrap();
        command.stdout(write.try_clone().unwrap());
        // The other end of the new pipe is closed at once.
        command.stderr(if deaf { std::io::pipe().unwrap().1 } else { write });
        let child = command.spawn().unwrap();
        // The command holds the pipe too.
        drop(command);
        let lines = Box::new(BufReader::new(read).lines().map(Result::unwrap));
        Self { child, lines, folder }
    }

    /// The next lines, up to the one that starts with this.
    fn until(&mut self, start: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for line in self.lines.by_ref() {
            let found = line.starts_with(start);
            lines.push(line);
            if found {
                return lines;
            }
        }
        panic!("no line starts with `{start}`: {lines:#?}");
    }

    fn terminate(&self) {
        let script = format!("kill -TERM {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
    }

    /// The remaining lines and the exit status.
    fn end(&mut self) -> (Vec<String>, ExitStatus) {
        let status = self.child.wait().unwrap();
        (self.lines.by_ref().collect(), status)
    }

    fn noted(&self, file: &str) -> Vec<String> {
        let text = fs::read_to_string(Path::new(&self.folder).join(file)).unwrap();
        text.lines().map(ToOwned::to_owned).collect()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        // Its spin ends with it; it has ended when the pipe is closed.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
        self.lines.by_ref().for_each(drop);
    }
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_entry"));
    command.env_clear().stdin(Stdio::null());
    command
}

/// How long a container keeps an instance according to the deploy files and the guide.
fn idle_seconds() -> String {
    let limits = include_str!("../../../deploy/limits.json");
    let (_, rest) = limits.split_once("\"idle_instance_timeout_seconds\": ").unwrap();
    rest.chars().take_while(char::is_ascii_digit).collect()
}

fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    (listener, port)
}

#[test]
fn plain_names_become_spins_names_and_the_port_comes_from_the_platform() {
    let (_listener, port) = listener();
    let environment = [
        ("PORT", port.as_str()),
        ("GOOGLE_CLOUD_PROJECT", "p"),
        ("FIRESTORE_EMULATOR_HOST", "host.docker.internal:8080"),
        ("TIINGO_SERVICE_URL", "http://tiingo-service:8001"),
        ("LOG_LEVEL", "INFO"),
        ("SPIN_VARIABLE_LOG_LEVEL", "warn"),
    ];
    let mut entry = Entry::start("settings", &environment, &[]);
    entry.until("started");
    assert_eq!(
        entry.noted("variables"),
        [
            "SPIN_VARIABLE_FIRESTORE_EMULATOR_HOST=host.docker.internal:8080",
            "SPIN_VARIABLE_GOOGLE_CLOUD_PROJECT=p",
            "SPIN_VARIABLE_INBOUND_AUTH=none",
            "SPIN_VARIABLE_LOG_LEVEL=warn",
            "SPIN_VARIABLE_TIINGO_SERVICE_URL=http://tiingo-service:8001",
        ]
    );
    let arguments = entry.noted("arguments");
    assert_eq!(arguments[..5], ["up", "--from", "spin.toml", "--listen", &format!("0.0.0.0:{port}")]);
    let has = |option: &str, value: &str| arguments.windows(2).any(|pair| pair == [option, value]);
    assert!(has("--state-dir", ""), "nothing is written: {arguments:?}");
    assert!(has("--idle-instance-timeout", &format!("{}s", idle_seconds())), "{arguments:?}");
    entry.terminate();
    let (lines, status) = entry.end();
    assert_eq!((lines, status.code()), (vec!["told".to_owned()], Some(7)), "spin's own end and code");
}

#[test]
fn without_an_emulator_callers_still_need_a_token() {
    let mut entry = Entry::start("closed", &[("GOOGLE_CLOUD_PROJECT", "p"), ("DRAIN_SECONDS", "0")], &[]);
    entry.until("started");
    assert_eq!(entry.noted("variables"), ["SPIN_VARIABLE_GOOGLE_CLOUD_PROJECT=p"]);
    assert!(entry.noted("arguments").contains(&"0.0.0.0:8000".to_owned()));
    entry.terminate();
    assert_eq!(entry.end().1.code(), Some(7));
}

#[test]
fn spin_is_told_to_stop_only_when_the_last_connection_is_closed() {
    let (listener, port) = listener();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (served, _) = listener.accept().unwrap();
    let mut entry = Entry::start("drain", &[("PORT", &port), ("DRAIN_SECONDS", "600")], &[]);
    entry.until("started");
    entry.terminate();
    let lines = entry.until("entry: stopping when ");
    assert!(!lines.contains(&"told".to_owned()), "{lines:?}");
    drop((served, client));
    let (lines, _) = entry.end();
    assert_eq!(lines, ["told"]);
}

#[test]
fn an_open_connection_delays_the_stop_only_for_a_limited_time() {
    let (listener, port) = listener();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut entry = Entry::start("limit", &[("PORT", &port), ("DRAIN_SECONDS", "0")], &[]);
    entry.until("started");
    entry.terminate();
    let (lines, _) = entry.end();
    // Not the number: Linux may list a connection twice while its list changes.
    assert!(lines[0].ends_with("connections were still open after 0 s"), "{lines:?}");
    assert_eq!(lines[1..], ["told"]);
}

#[test]
fn spin_is_told_to_stop_however_the_entry_ends() {
    let mut entry = Entry::start("killed", &[("DRAIN_SECONDS", "0")], &[]);
    entry.until("started");
    entry.child.kill().unwrap();
    // The output ends when spin has ended.
    let (lines, _) = entry.end();
    assert_eq!(lines, ["told"]);
}

#[test]
fn a_closed_standard_error_does_not_end_the_entry() {
    let (listener, port) = listener();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut entry = Entry::start_deaf("deaf", &[("PORT", &port), ("DRAIN_SECONDS", "0")]);
    entry.until("started");
    entry.terminate();
    // In between it has written to the closed standard error that a connection is still open.
    let (lines, status) = entry.end();
    assert_eq!((lines, status.code()), (vec!["told".to_owned()], Some(7)));
}

#[test]
fn spins_exit_code_for_invalid_arguments_is_the_entrys() {
    let mut entry = Entry::start("refused", &[], &["up", "--from", "spin.toml", "--log-dir", ""]);
    entry.until("error: a value is required for '--log-dir'");
    assert_eq!(entry.end().1.code(), Some(2));
}

#[test]
fn other_arguments_are_passed_to_spin_unchanged() {
    let mut entry = Entry::start("arguments", &[], &["up", "--listen", "0.0.0.0:80"]);
    entry.until("started");
    assert_eq!(entry.noted("arguments"), ["up", "--listen", "0.0.0.0:80"]);
}

#[test]
fn the_health_check_follows_the_components_response() {
    for (answer, healthy) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", true),
        ("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", false),
    ] {
        let (listener, port) = listener();
        let check = command().arg("health").env("PORT", port).stderr(Stdio::piped()).spawn().unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        // Read all of it: closing with unread data would reset the connection.
        let request: Vec<_> =
            BufReader::new(&stream).lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
        assert_eq!(request[0], "GET /health HTTP/1.1");
        stream.write_all(answer.as_bytes()).unwrap();
        drop(stream);
        assert_eq!(check.wait_with_output().unwrap().status.success(), healthy, "{answer}");
    }
}

#[test]
fn an_invalid_port_is_reported() {
    let output = command().env("PORT", "http").output().unwrap();
    assert!(!output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "entry: PORT is not a valid number: `http`\n");
}
