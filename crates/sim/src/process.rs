//! Child processes that cannot outlive this one, and their log lines.

mod log;

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

use anyhow::{Context, Result};

pub use log::Log;

/// Replaces the shell with the program, next to a watcher in the same process group.
///
/// The watcher reads the names of signals for the program from a pipe, the leash. The pipe closes when we drop it or
/// die for any reason. Then the watcher deletes the process's temporary files and kills the group, so that even a
/// killed test run leaves nothing behind. If the program works in a child that is the same program, as `spin up` does,
/// that child is frozen and continued with it.
const LEASH: &str = r#"
exec 3<&0
(
    while read -r signal; do
        kill -s "$signal" $$
        case "$signal" in STOP|CONT)
            for child in $(cat /proc/$$/task/*/children); do
                if [ "/proc/$child/exe" -ef "/proc/$$/exe" ]; then kill -s "$signal" "$child"; fi
            done
        esac
    done
    rm -f "$LEASH_LITTER"
    kill -s KILL 0
) <&3 >/dev/null 2>&1 &
exec "$0" "$@" 3<&- </dev/null
"#;

/// A child process in its own process group. The whole group is killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Leashed {
    child: Child,
    leash: Option<ChildStdin>,
}

/// Program, arguments and environment of a child.
#[derive(Debug)]
pub(crate) struct Program {
    command: Command,
    name: String,
}

impl Program {
    pub(crate) fn new(path: &Path) -> Self {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(LEASH).arg(path);
        Self { command, name: path.display().to_string() }
    }

    pub(crate) fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.command.args(args.into_iter().map(Into::into));
        self
    }

    /// Changes the environment or the directory.
    pub(crate) fn configure(mut self, change: impl FnOnce(&mut Command)) -> Self {
        change(&mut self.command);
        self
    }

    /// Deletes this file when the process or this one has ended.
    pub(crate) fn litter(mut self, file: &Path) -> Self {
        self.command.env("LEASH_LITTER", file);
        self
    }

    pub(crate) fn spawn(mut self, stdout: Stdio, stderr: Stdio) -> Result<Leashed> {
        let mut child = self
            .command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .with_context(|| format!("cannot start {}", self.name))?;
        let leash = child.stdin.take();
        Ok(Leashed { child, leash })
    }
}

impl Leashed {
    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, named as for `kill -s`, to the program only.
    pub(crate) fn signal(&mut self, name: &str) -> Result<()> {
        let leash = self.leash.as_mut().context("the process has been killed")?;
        writeln!(leash, "{name}").with_context(|| format!("cannot send SIG{name}"))
    }

    /// How the program ended, if it has.
    pub(crate) fn exited(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Kills the program at once, and soon after everything that it started.
    pub(crate) fn kill(&mut self) {
        // Both fail only if the process has already ended.
        let _ended = self.child.kill();
        self.leash = None;
        let _reaped = self.child.wait();
    }
}

impl Drop for Leashed {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    fn shell(script: &str) -> (Leashed, Log) {
        let program = Program::new(Path::new("/bin/sh")).args(["-c", script]);
        let mut leashed = program.spawn(Stdio::piped(), Stdio::null()).expect("sh starts");
        let log = Log::default();
        log.collect(leashed.child().stdout.take().expect("a pipe"), false);
        (leashed, log)
    }

    async fn ended(leashed: &mut Leashed) -> Option<i32> {
        let start = Instant::now();
        while leashed.exited().is_none() && start.elapsed() < LIMIT {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        leashed.exited().and_then(|status| status.code())
    }

    fn runs(pid: &str) -> bool {
        // A zombie still has a directory, but no command line.
        std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
    }

    #[tokio::test]
    async fn an_exit_status_comes_through() {
        let (mut leashed, _) = shell("exit 7");
        assert_eq!(ended(&mut leashed).await, Some(7));
    }

    #[tokio::test]
    async fn a_signal_reaches_the_program() {
        let (mut leashed, log) =
            shell("trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.01; done");
        log.wait_for("ready", LIMIT).await.expect("ready");
        leashed.signal("TERM").expect("sent");
        assert_eq!(ended(&mut leashed).await, Some(3));
        log.wait_for("bye", LIMIT).await.expect("said");
    }

    #[tokio::test]
    async fn killing_ends_grandchildren_too() {
        let (mut leashed, log) = shell("sleep 600 & echo $!; wait");
        let start = Instant::now();
        while log.lines().is_empty() && start.elapsed() < LIMIT {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let pid = log.lines().first().cloned().expect("the pid");
        // Between its fork and its exec it has no command line for a moment.
        while !runs(&pid) && start.elapsed() < LIMIT {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert!(runs(&pid));
        leashed.kill();
        while runs(&pid) && start.elapsed() < LIMIT {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert!(!runs(&pid));
    }
}
