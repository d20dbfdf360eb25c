//! The program `host`, as a process.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use crate::support::{get, manifest};

fn host() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host"));
    command.arg("serve").stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[tokio::test]
async fn serves_until_told_to_stop() {
    let mut process = host()
        .args(["--listen", "127.0.0.1:0", "--stats", "--manifest"])
        .arg(manifest(&[]))
        .env("SPIN_VARIABLE_NAME", "world")
        .spawn()
        .unwrap();
    let mut stdout = BufReader::new(process.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let addr = line.strip_prefix("listening on http://").and_then(|addr| addr.trim_end().parse().ok());
    let addr = addr.unwrap_or_else(|| panic!("not a ready line: {line:?}"));
    assert_eq!(get(addr, "/variable/greeting", &[]).await.1, "Ok(\"hello world\")");

    let kill = Command::new("kill").args(["-TERM", &process.id().to_string()]).status().unwrap();
    assert!(kill.success());
    assert_eq!(process.wait().unwrap().code(), Some(0));
    let (mut out, mut err) = (String::new(), String::new());
    stdout.read_to_string(&mut out).unwrap();
    process.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(out, "", "only the ready line belongs on standard output");
    let (component, host) = err.split_once('\n').unwrap();
    assert_eq!(component, "GET /variable/greeting");
    assert!(host.starts_with("host: instances_created=1 requests_served=1 memory_bytes_peak="), "{host}");
}

#[test]
fn mistakes_end_it_with_a_message() {
    let output = host().args(["--variable", "nmae=x", "--manifest"]).arg(manifest(&[])).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        message.starts_with("host: the manifest ") && message.contains("no variable \"nmae\""),
        "{message}"
    );
    assert_eq!(message.lines().count(), 1, "{message}");
}
