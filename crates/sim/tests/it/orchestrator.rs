//! The orchestrator's process, replaced by a shell script that follows the host's contract.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use sim::orchestrator::{Builder, Orchestrator, Runtime};

pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// A program in its own folder, deleted after the test.
pub(crate) struct Script(PathBuf);

impl Script {
    pub(crate) fn new(name: &str, lines: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("sim-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let program = folder.join("host");
        fs::write(&program, format!("#!/bin/sh\n{lines}\n")).expect("written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("executable");
        Self(folder)
    }

    pub(crate) fn builder(&self) -> Builder {
        Orchestrator::builder(Runtime::Host { bin: self.0.join("host") }, "spin.toml")
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        // Left behind, it is one small file in the temporary folder.
        let _left = fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn arguments_and_variables_reach_the_host_and_its_lines_reach_us() {
    let script = Script::new(
        "args",
        "echo \"$@\" >&2; echo \"level=$SPIN_VARIABLE_LOG_LEVEL\" >&2\n\
         echo 'listening on http://127.0.0.1:4321'; sleep 60",
    );
    let orchestrator = script
        .builder()
        .cache("/c")
        .variable("log_level", "debug")
        .args(["--reuse-total", "1"])
        .start()
        .await;
    let orchestrator = orchestrator.expect("ready");
    assert_eq!(orchestrator.url(), "http://127.0.0.1:4321");
    orchestrator.log().wait_for("level=debug", LIMIT).await.expect("the variable");
    let expected = "serve --manifest spin.toml --listen 127.0.0.1:0 --cache /c --reuse-total 1";
    orchestrator.log().wait_for(expected, LIMIT).await.expect("the arguments");
}

#[tokio::test]
async fn terminate_lets_the_host_exit_cleanly() {
    let script = Script::new(
        "term",
        "trap 'echo drained >&2; exit 0' TERM; echo 'listening on http://127.0.0.1:1'\n\
         while :; do sleep 0.01; done",
    );
    let orchestrator = script.builder().start().await.expect("ready");
    assert!(orchestrator.terminate(LIMIT).await.expect("ends").success());
    orchestrator.log().wait_for("drained", LIMIT).await.expect("drained");
}

#[tokio::test]
async fn kill_cannot_be_trapped() {
    let script = Script::new("kill", "trap '' TERM; echo 'listening on http://127.0.0.1:1'; sleep 60");
    let orchestrator = script.builder().start().await.expect("ready");
    orchestrator.pause().expect("frozen");
    orchestrator.resume().expect("awake");
    assert!(orchestrator.exited().is_none());
    orchestrator.kill();
    assert!(orchestrator.exited().is_some());
}

#[tokio::test]
async fn a_failed_start_reports_the_hosts_error() {
    let script = Script::new("fail", "echo 'no such manifest' >&2; exit 2");
    let error = script.builder().start().await.expect_err("fails");
    assert!(error.to_string().contains("no such manifest"), "{error}");
}
