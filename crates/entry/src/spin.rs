//! Spin as the child of this process.

use std::io;

use tokio::process::{Child, Command};

use crate::{Result, say, settings};

/// How long Spin keeps an idle instance of the component; its own default is 1 s. With this, what an instance caches
/// (tokens, Google's keys, the latest calls to each provider) outlives the five minutes between the ticks of the
/// busiest jobs. A test checks it against `deploy/limits.json`.
const IDLE_INSTANCE_TIMEOUT: &str = "600s";

/// Starts Spin: the binary that SPIN names, or the first one on the PATH. It gets SIGTERM when this process ends,
/// however that happens.
pub fn start(arguments: Vec<String>) -> Result<Child> {
    let get = |name: &str| std::env::var(name).ok();
    let program = std::env::var_os("SPIN").filter(|path| !path.is_empty());
    let mut command = Command::new(program.unwrap_or_else(|| "spin".into()));
    command.args(arguments).envs(settings::settings(get));
    if let Some((name, value)) = settings::local_authentication(get) {
        say(format_args!("{name}={value}, because a Firestore emulator is set"));
        command.env(name, value);
    }
    let parent = std::process::id();
    // SAFETY: prctl and getppid may be called between fork and exec, and neither takes pointers.
    unsafe { command.pre_exec(move || end_with_parent(parent)) };
    command.spawn().map_err(|error| format!("cannot start spin: {error}"))
}

/// Makes the kernel end this process, which becomes Spin, together with its parent; fails if the parent is already
/// gone.
fn end_with_parent(parent: u32) -> io::Result<()> {
    let signal = libc::c_ulong::from(libc::SIGTERM.unsigned_abs());
    // SAFETY: this option of prctl takes only a number.
    if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, signal) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if std::os::unix::process::parent_id() == parent {
        Ok(())
    } else {
        Err(io::Error::from(io::ErrorKind::BrokenPipe))
    }
}

/// Spin's arguments for the application in the working directory.
pub fn application(port: u16) -> Vec<String> {
    let address = std::env::var("LISTEN_ADDRESS").ok().filter(|address| !address.is_empty());
    let listen = format!("{}:{port}", address.as_deref().unwrap_or("0.0.0.0"));
    // The root file system is read-only: no compilation cache, scratch files below /tmp.
    let words =
        ["up", "--from", "spin.toml", "--listen", &listen, "--cache-dir", "/tmp/spin", "--disable-cache"];
    // Without a state directory there are no log files either. (`--log-dir ""` would be clearer, but Spin's argument
    // parser refuses an empty path.)
    let further = ["--state-dir", "", "--idle-instance-timeout", IDLE_INSTANCE_TIMEOUT];
    words.into_iter().chain(further).map(ToOwned::to_owned).collect()
}

/// Asks Spin to stop. The standard library can only kill.
pub fn terminate(spin: &Child) {
    let Some(Ok(id)) = spin.id().map(i32::try_from) else { return };
    // SAFETY: kill takes no pointers. The child has not been waited for, so its id cannot belong to another process.
    unsafe { libc::kill(id, libc::SIGTERM) };
}
