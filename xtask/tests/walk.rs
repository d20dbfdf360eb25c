//! The newcomer's walk: every command of the guides is run as it is written, or is listed here with the reason why not.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

const GUIDES: [&str; 3] = ["README.md", "CONTRIBUTING.md", "docs/deploy.md"];

/// What the test does with a command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Here {
    /// Runs it. It must succeed, and print this.
    Runs(&'static str),
    /// Starts it and keeps it running until the end.
    Stays,
    /// Starts it with Spin, if there is one, and ends it after the commands for Spin.
    Spin,
    /// Runs it on each Spin.
    OnSpin(&'static str),
    /// Only checks its syntax, for this reason.
    Elsewhere(&'static str),
}
use Here::{Elsewhere, OnSpin, Runs, Spin, Stays};

const IS_THE_SUITE: &str = "this test is a part of it";
const CHANGES_SOURCES: &str = "it changes the sources; `cargo test` checks that it would change nothing";
const NEEDS_DOCKER: &str = "it needs Docker and the internet; tests/it/deploy/container.rs reads the files";
const NEEDS_CLOUD: &str =
    "it needs a project of Google Cloud; tests/it/deploy runs the script with a fake gcloud";
const IN_GUIDE: &str = "tests/guide.rs runs this section with programs that record their calls";

/// The end of the demo, as the README shows it.
const KILLED: &str = "\nKilled after 6 of 11 calls and resumed: 2,540 prices stored, each once. \
                      Only the 4 calls without an answer were made twice.\n";

/// The beginnings of all commands. The first one that fits counts.
const COMMANDS: &[(&str, Here)] = &[
    ("cargo xtask demo", Runs(KILLED)),
    ("cargo xtask test", Elsewhere(IS_THE_SUITE)),
    ("cargo xtask up --mission-ports", Stays),
    (
        "cargo xtask trigger finnhub-quote-portfolio --url http://localhost:3000",
        OnSpin("50 of 50 tickers processed"),
    ),
    ("cargo xtask trigger finnhub-quote-portfolio", Runs("50 of 50 tickers processed")),
    ("curl -X POST http://localhost:8000/", Runs(r#""status":"ok""#)),
    ("cargo xtask scheduler --dry-run", Runs("gcloud scheduler jobs create http orchestrator-watch")),
    ("cargo xtask indexes --dry-run", Runs("gcloud firestore indexes composite create")),
    ("cargo test", Elsewhere(IS_THE_SUITE)),
    ("UPDATE=1 cargo test", Elsewhere(CHANGES_SOURCES)),
    ("spin up --build --profile debug", Elsewhere("it builds the component once more, for minutes")),
    ("spin up", Spin),
    ("SPIN_VARIABLE_LOG_LEVEL=debug spin up", Spin),
    ("curl -X POST http://localhost:3000/", OnSpin(r#""status":"ok""#)),
    ("spin watch", Elsewhere("it is `spin up` after each change, and not every build of Spin has it")),
    ("docker", Elsewhere(NEEDS_DOCKER)),
    ("export", Elsewhere(NEEDS_CLOUD)),
    ("deploy/cloud-run/deploy.sh", Elsewhere(NEEDS_CLOUD)),
    ("cd deploy/terraform && terraform init", Elsewhere(NEEDS_CLOUD)),
    ("terraform apply", Elsewhere(NEEDS_CLOUD)),
    ("head -c 32 /dev/urandom | base64 | gcloud", Elsewhere(NEEDS_CLOUD)),
    ("spin registry", Elsewhere(IN_GUIDE)),
    ("kubectl", Elsewhere(IN_GUIDE)),
    ("cargo xtask scheduler --apply", Elsewhere(IN_GUIDE)),
    ("audience=", Elsewhere(IN_GUIDE)),
    ("account=", Elsewhere(IN_GUIDE)),
    ("variables=", Elsewhere(IN_GUIDE)),
    ("spin aka deploy", Elsewhere(IN_GUIDE)),
];

/// `cargo xtask` is the binary under test. The system is built before its tests, so cargo has nothing else to do.
const CARGO: &str = "#!/bin/sh\n[ \"$1\" = xtask ] || exit 0\nshift\nexec \"$XTASK\" \"$@\"\n";

/// As on a machine that is not logged in.
const GCLOUD: &str = "#!/bin/sh\nexit 1\n";

/// What `up --mission-ports` uses, and Spin.
const PORTS: [u16; 7] = [8000, 8001, 8002, 8003, 8004, 8080, SPIN_PORT];

const SPIN_PORT: u16 = 3000;

/// Only a broken system takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn read(guide: &str) -> String {
    fs::read_to_string(root().join(guide)).unwrap()
}

/// The shell blocks of a guide.
fn blocks(text: &str) -> impl Iterator<Item = &str> {
    text.split("```bash\n").skip(1).map(|block| block.split("```").next().unwrap())
}

/// The commands of a guide, each on one line and without its comment.
fn commands(text: &str) -> Vec<String> {
    let whole = blocks(text).map(|block| block.replace("\\\n", " ")).collect::<String>();
    let lines = whole.lines().map(|line| line.split(" #").next().unwrap_or_default());
    let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    words.filter(|command| !command.is_empty() && !command.starts_with('#')).collect()
}

/// The commands of all guides, each once.
fn all() -> Vec<(String, Option<Here>)> {
    let mut all: Vec<(String, Option<Here>)> = Vec::new();
    for command in GUIDES.iter().flat_map(|guide| commands(&read(guide))) {
        if all.iter().all(|(known, _)| *known != command) {
            let row = COMMANDS.iter().find(|(start, _)| command.starts_with(start));
            all.push((command, row.map(|(_, here)| *here)));
        }
    }
    all
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn spin() -> Option<PathBuf> {
    std::env::var_os("SPIN").filter(|path| !path.is_empty()).map(PathBuf::from).or_else(|| on_path("spin"))
}

fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// A reader's shell, with programs of its own before those of the machine.
struct Shell(PathBuf);

impl Shell {
    fn new() -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("walk");
        let _absent = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        for (name, script) in [("cargo", CARGO), ("gcloud", GCLOUD)] {
            fs::write(folder.join(name), script).unwrap();
            fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        if let Some(spin) = spin() {
            symlink(spin, folder.join("spin")).unwrap();
        }
        Self(folder)
    }

    fn command(&self, text: &str) -> Command {
        let path = format!("{}:{}", self.0.display(), std::env::var("PATH").unwrap());
        let mut bash = Command::new("bash");
        bash.args(["-euo", "pipefail", "-c", text]).current_dir(root()).env("PATH", path);
        bash.env("XTASK", env!("CARGO_BIN_EXE_xtask")).env("CARGO", self.0.join("cargo"));
        bash
    }

    fn run(&self, text: &str, expected: &str) {
        let output = self.command(text).output().unwrap();
        let shown = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}\n{shown}\n{errors}");
        assert!(shown.contains(expected), "{text}: {expected} is not in\n{shown}");
    }

    /// Starts a command that serves until it is told to end; its stderr goes to a file of this name.
    fn start(&self, text: &str, name: &str) -> Server {
        let log = fs::File::create(self.0.join(name)).unwrap();
        let mut command = self.command(&format!("exec {text}"));
        let command = command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        Server(command.spawn().unwrap())
    }
}

/// A program in the background, with everything that it started.
struct Server(Child);

impl Server {
    /// Reads its output up to this text. The rest must still be able to arrive.
    fn until(&mut self, text: &str) -> (String, BufReader<ChildStdout>) {
        let mut output = BufReader::new(self.0.stdout.take().unwrap());
        let mut shown = String::new();
        while !shown.contains(text) {
            let read = output.read_line(&mut shown).unwrap();
            assert!(read > 0, "it has ended: {:?}\n{shown}", self.0.wait());
        }
        (shown, output)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let told = Command::new("kill").args(["-s", "TERM", "--", &group]).status();
        if !told.is_ok_and(|status| status.success()) {
            let _gone = self.0.kill();
        }
        let _reaped = self.0.wait();
    }
}

#[test]
fn every_command_is_run_or_has_a_reason() {
    let all = all();
    for (command, here) in &all {
        assert!(
            here.is_some(),
            "`{command}` is new in {GUIDES:?}: let this test run it, or list it in COMMANDS with the reason why not"
        );
    }
    assert!(read("README.md").contains(KILLED));
    for (start, _) in COMMANDS {
        assert!(all.iter().any(|(command, _)| command.starts_with(start)), "no guide has `{start}` any more");
    }
}

#[test]
fn every_block_is_valid_shell() {
    for guide in GUIDES {
        for block in blocks(&read(guide)) {
            let output = Command::new("bash").args(["-n", "-c", block]).output().unwrap();
            assert!(output.status.success(), "{guide}: {output:?}\n{block}");
        }
    }
}

#[test]
fn every_command_of_xtask_that_a_guide_names_explains_itself() {
    let mut names: Vec<String> = Vec::new();
    for guide in GUIDES {
        let text = read(guide).split_whitespace().collect::<Vec<_>>().join(" ");
        for rest in text.split("cargo xtask ").skip(1) {
            let letters = |letter: &char| letter.is_ascii_lowercase() || *letter == '-';
            names.push(rest.chars().take_while(letters).collect());
        }
    }
    names.sort();
    names.dedup();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        let output = Command::new(env!("CARGO_BIN_EXE_xtask")).args(["help", &name]).output().unwrap();
        assert!(output.status.success(), "{name}: {output:?}");
    }
}

#[test]
fn the_commands_work_as_they_are_written() {
    for built in ["target/wasm32-wasip2/release/orchestrator.wasm", "target/debug/host"] {
        assert!(root().join(built).exists(), "{built} is missing; run `cargo xtask test`, which builds it");
    }
    let shell = Shell::new();
    let all = all();
    let curl = on_path("curl").is_some();
    let mut up = None;
    for (command, here) in &all {
        if command.starts_with("curl") && !curl {
            println!("left out: {command}: curl is missing");
            continue;
        }
        match here {
            Some(Stays) => up = Some(Up::start(&shell, command)),
            Some(Runs(expected)) => {
                // The embedded Firestore is on every machine, and starts at once.
                let demo = command.starts_with("cargo xtask demo");
                let command = if demo { format!("{command} --firestore embedded") } else { command.clone() };
                let command = up.as_ref().map_or(command.clone(), |up| up.adapt(&command));
                shell.run(&command, expected);
            }
            Some(Spin) if spin().is_none() => println!("left out: {command}: there is no Spin"),
            Some(Spin) if up.as_ref().is_none_or(|up| !up.as_written) => {
                println!("left out: {command}: its ports are taken");
            }
            Some(Spin) => {
                let calls = all.iter().filter_map(|(call, here)| match here {
                    Some(OnSpin(expected)) if curl => Some((call.as_str(), *expected)),
                    _ => None,
                });
                on_spin(&shell, command, calls);
            }
            Some(OnSpin(_) | Elsewhere(_)) | None => {}
        }
    }
}

/// The system that the later commands talk to.
struct Up {
    url: String,
    /// With the ports of the guides, which were free.
    as_written: bool,
    // Its output must stay open.
    _output: BufReader<ChildStdout>,
    _server: Server,
}

impl Up {
    fn start(shell: &Shell, command: &str) -> Self {
        let as_written = PORTS.into_iter().all(is_free);
        if !as_written {
            println!("on other ports: {command}: one of {PORTS:?} is taken");
        }
        let command = if as_written { command.to_owned() } else { command.replace(" --mission-ports", "") };
        let mut server = shell.start(&format!("{command} --firestore embedded"), "up.log");
        let (shown, output) = server.until("Press Ctrl-C to stop.");
        let address = shown.lines().find_map(|line| line.strip_prefix("The dashboard: ")).unwrap();
        let url = address.trim_end_matches('/').to_owned();
        Self { url, as_written, _output: output, _server: server }
    }

    /// The command for this system's address.
    fn adapt(&self, command: &str) -> String {
        if self.as_written {
            return command.to_owned();
        }
        let url = if command.starts_with("cargo xtask trigger") {
            format!(" --url {}", self.url)
        } else {
            String::new()
        };
        command.replace("http://localhost:8000", &self.url) + &url
    }
}

/// Runs these commands on a Spin that the command starts.
fn on_spin<'a>(shell: &Shell, command: &str, calls: impl Iterator<Item = (&'a str, &'a str)>) {
    let text = command
        .strip_prefix("SPIN_VARIABLE_")
        .map_or(command.to_owned(), |rest| format!("env SPIN_VARIABLE_{rest}"));
    let mut server = shell.start(&text, "spin.log");
    let start = Instant::now();
    while TcpStream::connect(("127.0.0.1", SPIN_PORT)).is_err() {
        let ended = server.0.try_wait().unwrap();
        let log = || fs::read_to_string(shell.0.join("spin.log")).unwrap_or_default();
        assert!(ended.is_none() && start.elapsed() < PATIENCE, "{command}: {ended:?}\n{}", log());
        std::thread::sleep(Duration::from_millis(50));
    }
    for (call, expected) in calls {
        shell.run(call, expected);
    }
    drop(server);
    let start = Instant::now();
    while !is_free(SPIN_PORT) {
        assert!(start.elapsed() < PATIENCE, "{command}: port {SPIN_PORT} is still taken");
        std::thread::sleep(Duration::from_millis(50));
    }
}
