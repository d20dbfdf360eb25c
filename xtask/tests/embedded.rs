//! `cargo xtask up` on a machine that has Rust and nothing else: neither Java, the Cloud SDK nor Node is on its PATH.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What the PATH has. The system is built before its tests, so cargo has nothing to do here.
const PROGRAMS: [&str; 6] = ["rustc", "sh", "cat", "rm", "kill", "true"];

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

#[test]
fn the_embedded_system_needs_neither_java_nor_the_cloud_sdk_nor_node() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    for built in ["target/wasm32-wasip2/release/orchestrator.wasm", "target/debug/host"] {
        assert!(root.join(built).exists(), "{built} is missing; run `cargo xtask test`, which builds it");
    }
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("embedded-path");
    let _absent = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    for name in PROGRAMS {
        if let Some(program) = on_path(name) {
            symlink(program, folder.join(name)).unwrap();
        }
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["up", "--firestore", "embedded", "--data"]).arg(folder.join("data")).current_dir(root);
    command.env("PATH", &folder).env("CARGO", folder.join("true")).env_remove("JAVA_HOME").env_remove("JAVA");
    let mut up = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut shown = String::new();
    for line in BufReader::new(up.stdout.take().unwrap()).lines() {
        shown = shown + &line.unwrap() + "\n";
        if shown.contains("Press Ctrl-C to stop.") {
            let pid = up.id().to_string();
            assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
        }
    }
    let status = up.wait().unwrap();
    assert!(status.success() && shown.contains("Firestore, embedded"), "{status}\n{shown}");
    let data = std::fs::read_to_string(folder.join("data")).unwrap();
    assert!(data.lines().count() > 500, "the watchlist is kept: {} lines", data.lines().count());
}
