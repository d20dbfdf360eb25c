//! The entry point with a `spin` of our own, which notes what it is given and when it is told to end.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// Says `started` when everything is noted, so that nobody needs to wait.
const SPIN: &str = r#"#!/bin/sh
printf '%s\n' "$@" > arguments
env | grep '^SPIN_VARIABLE_' | sort > variables
trap 'echo told; exit 7' TERM
echo started
while :; do sleep 0.05; done
"#;

struct Entry {
    child: Child,
    lines: Box<dyn Iterator<Item = String>>,
    folder: PathBuf,
}

impl Entry {
    fn start(test: &str, environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
        let _absent = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let spin = folder.join("spin");
        fs::write(&spin, SPIN).unwrap();
        fs::set_permissions(&spin, fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
        let mut command = command();
        command.args(arguments).envs(environment.iter().copied()).env("PATH", path).current_dir(&folder);
        // Both streams into one pipe: the order of what the two programs say is what the tests look at.
        let (read, write) = std::io::pipe().unwrap();
        command.stdout(write.try_clone().unwrap()).stderr(write);
        let child = command.spawn().unwrap();
        drop(command);
        let lines = Box::new(BufReader::new(read).lines().map(Result::unwrap));
        Self { child, lines, folder }
    }

    /// The next lines, up to the one that starts so.
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
        // Where a test failed before the end; told to, it ends its own child too.
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            self.terminate();
            self.terminate();
        }
    }
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_entry"));
    command.env_clear().stdin(Stdio::null());
    command
}

fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    (listener, port)
}

#[test]
fn plain_names_become_spins_and_the_port_is_the_platforms() {
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
    entry.terminate();
    let (lines, status) = entry.end();
    assert_eq!((lines, status.code()), (vec!["told".to_owned()], Some(7)), "spin's own end and code");
}

#[test]
fn without_an_emulator_callers_still_need_a_token() {
    let mut entry = Entry::start("closed", &[("GOOGLE_CLOUD_PROJECT", "p")], &[]);
    entry.until("started");
    assert_eq!(entry.noted("variables"), ["SPIN_VARIABLE_GOOGLE_CLOUD_PROJECT=p"]);
    assert!(entry.noted("arguments").contains(&"0.0.0.0:8000".to_owned()));
}

#[test]
fn spin_is_told_to_end_only_when_the_last_connection_is_closed() {
    let (listener, port) = listener();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (served, _) = listener.accept().unwrap();
    let mut entry = Entry::start("drain", &[("PORT", &port), ("DRAIN_SECONDS", "600")], &[]);
    entry.until("started");
    entry.terminate();
    let lines = entry.until("entry: ending when ");
    assert!(!lines.contains(&"told".to_owned()), "{lines:?}");
    drop((served, client));
    let (lines, _) = entry.end();
    assert_eq!(lines, ["told"]);
}

#[test]
fn a_connection_that_stays_open_does_not_hold_the_end_up_for_ever() {
    let (listener, port) = listener();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut entry = Entry::start("limit", &[("PORT", &port), ("DRAIN_SECONDS", "0")], &[]);
    entry.until("started");
    entry.terminate();
    let (lines, _) = entry.end();
    // Not how many: Linux may list a connection twice while its list changes.
    assert!(lines[0].ends_with("connections were still open after 0 s"), "{lines:?}");
    assert_eq!(lines[1..], ["told"]);
}

#[test]
fn other_arguments_go_to_spin_as_they_are() {
    let mut entry = Entry::start("arguments", &[], &["up", "--listen", "0.0.0.0:80"]);
    entry.until("started");
    assert_eq!(entry.noted("arguments"), ["up", "--listen", "0.0.0.0:80"]);
}

#[test]
fn the_health_check_follows_the_components_answer() {
    for (answer, healthy) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", true),
        ("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", false),
    ] {
        let (listener, port) = listener();
        let check = command().arg("health").env("PORT", port).stderr(Stdio::piped()).spawn().unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        // All of it: closing with something unread would reset the connection.
        let request: Vec<_> =
            BufReader::new(&stream).lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
        assert_eq!(request[0], "GET /health HTTP/1.1");
        stream.write_all(answer.as_bytes()).unwrap();
        drop(stream);
        assert_eq!(check.wait_with_output().unwrap().status.success(), healthy, "{answer}");
    }
}

#[test]
fn a_port_that_is_none_is_named() {
    let output = command().env("PORT", "http").output().unwrap();
    assert!(!output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "entry: PORT is no such number: `http`\n");
}
