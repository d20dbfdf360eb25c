//! The fake `spin` of the tests refuses the same arguments as the real one. The real one is tested too if it is
//! installed: the binary that SPIN names, else the first on the path.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

/// clap's messages for invalid arguments.
const REFUSALS: [&str; 4] =
    ["a value is required for", "invalid value", "unexpected argument", "cannot be used multiple times"];

/// Arguments of `spin up`, and whether they are refused.
const CASES: &[(&[&str], bool)] = &[
    (&["--state-dir", ""], false),
    (&["--state-dir="], false),
    (&["--log-dir", ""], true),
    (&["--log-dir="], true),
    (&["--log-dir", "/tmp/logs"], false),
    (&["--listen", "0.0.0.0:8000"], false),
    (&["--listen", "8000"], true),
    (&["--listen"], true),
    (&["--idle-instance-timeout", "600s"], false),
    (&["--idle-instance-timeout", "10m"], true),
    (&["--idle-timeout-ms", "600000"], true),
    (&["--disable-cache"], false),
    (&["--disable-cache", "--disable-cache"], true),
    (&["--listen", "0.0.0.0:1", "--listen", "0.0.0.0:2"], true),
    (&["--runtime-config-file", ""], true),
    (&["--no-such-option"], true),
    (&["--cache-dir", ""], true),
    (&["--cache-dir", "/tmp/spin"], false),
];

/// Options of `spin up` itself; all others belong to its HTTP trigger, which is a separate command.
const OF_UP: [&str; 1] = ["--cache-dir"];

/// Checks the exit code and whether the arguments are the reason.
fn judged(arguments: &[&str], refused: bool, output: &Output) {
    let message = String::from_utf8_lossy(&output.stderr);
    let found = REFUSALS.iter().any(|refusal| message.contains(refusal));
    assert_eq!(found, refused, "{arguments:?}: {output:?}");
    if refused {
        // clap's exit code, which `spin up` does not pass on for its own options.
        let code = if is_of_up(arguments) { 1 } else { 2 };
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {output:?}");
    }
}

fn is_of_up(arguments: &[&str]) -> bool {
    arguments.first().is_some_and(|option| OF_UP.contains(option))
}

fn folder(test: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _absent = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[test]
fn the_fake_spin_follows_the_rules() {
    let folder = folder("rules-fake");
    // Exits as soon as it has accepted the arguments.
    let script = include_str!("spin.sh").replace("echo started", "exit 0");
    let spin = folder.join("spin");
    fs::write(&spin, script).unwrap();
    fs::set_permissions(&spin, fs::Permissions::from_mode(0o755)).unwrap();
    for (arguments, refused) in CASES {
        let output = Command::new(&spin).arg("up").args(*arguments).current_dir(&folder).output().unwrap();
        judged(arguments, *refused, &output);
        assert_eq!(output.status.success(), !refused, "{arguments:?}: {output:?}");
    }
}

#[test]
fn spin_follows_the_rules() {
    let named = std::env::var_os("SPIN").filter(|path| !path.is_empty());
    let spin = named.map_or_else(|| PathBuf::from("spin"), PathBuf::from);
    if Command::new(&spin).arg("--version").stdout(Stdio::null()).status().is_err() {
        println!("skipped: spin is not on the path, and SPIN is not set");
        return;
    }
    // There is no application, so accepted arguments fail later for another reason.
    let folder = folder("rules-spin");
    for (arguments, refused) in CASES {
        let mut command = Command::new(&spin);
        command.args(if is_of_up(arguments) {
            &["up", "--from", "none.toml"][..]
        } else {
            &["trigger", "http"]
        });
        let output = command.args(*arguments).current_dir(&folder).output().unwrap();
        assert!(!output.status.success(), "{arguments:?}: nothing can run here");
        judged(arguments, *refused, &output);
    }
}
