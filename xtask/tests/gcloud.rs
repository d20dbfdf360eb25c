//! The deploy commands with a fake `gcloud` that records its calls.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

/// Answers lists from files and records every other call, one word per line, followed by a blank line.
const GCLOUD: &str = r#"#!/bin/sh
here=$(dirname "$0")
case "$*" in
  *" list "*) cat "$here/answer" ;;
  *) { printf '%s\n' "$@"; echo; } >> "$here/calls" ;;
esac
"#;

struct Gcloud(PathBuf);

impl Gcloud {
    /// A gcloud that answers every list with this text, in the test's own folder.
    fn new(name: &str, answer: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _absent = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).unwrap();
        let program = folder.join("gcloud");
        fs::write(&program, GCLOUD).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(folder.join("answer"), answer).unwrap();
        Self(folder)
    }

    fn xtask(&self, arguments: &[&str]) -> Output {
        let path = format!("{}:{}", self.0.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(arguments).env("PATH", path).output().unwrap()
    }

    /// The calls that make changes.
    fn calls(&self) -> Vec<Vec<String>> {
        let noted = fs::read_to_string(self.0.join("calls")).unwrap_or_default();
        let calls = noted.split("\n\n").filter(|call| !call.is_empty());
        calls.map(|call| call.lines().map(ToOwned::to_owned).collect()).collect()
    }
}

const SCHEDULER: [&str; 7] = [
    "scheduler",
    "--project",
    "p",
    "--url",
    "https://orchestrator.example.com/",
    "--service-account",
    "scheduler@p.iam.gserviceaccount.com",
];

fn scheduler(mode: &'static str) -> Vec<&'static str> {
    SCHEDULER.into_iter().chain([mode]).collect()
}

#[test]
fn a_dry_run_shows_eleven_jobs_and_the_watch_and_changes_nothing() {
    let gcloud = Gcloud::new("scheduler-dry", "");
    let output = gcloud.xtask(&scheduler("--dry-run"));
    assert!(output.status.success(), "{output:?}");
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        shown.lines().filter(|line| line.starts_with("gcloud scheduler jobs create http ")).count(),
        12
    );
    let watch = shown.lines().find(|line| line.contains(" orchestrator-watch ")).expect("the watch");
    for part in ["'--schedule=* * * * *'", "/watch", "--max-retry-attempts=0", "--message-body={}"] {
        assert!(watch.contains(part), "{part} in {watch}");
    }
    assert!(shown.contains(r#"'--message-body={"job":"polygon-news-market","scope":"none"}'"#), "{shown}");
    assert_eq!(gcloud.calls(), Vec::<Vec<String>>::new());
}

#[test]
fn applying_updates_the_jobs_that_exist_and_creates_the_others() {
    let gcloud = Gcloud::new(
        "scheduler-apply",
        "projects/p/locations/us-east1/jobs/finnhub-quote-portfolio\nprojects/p/locations/us-east1/jobs/other\n",
    );
    let output = gcloud.xtask(&scheduler("--apply"));
    assert!(output.status.success(), "{output:?}");
    let calls = gcloud.calls();
    assert_eq!(calls.len(), 12);
    let (updates, creations): (Vec<_>, Vec<_>) = calls.iter().partition(|call| call[2] == "update");
    assert_eq!((updates.len(), creations.len()), (1, 11));
    assert_eq!(
        updates[0],
        &[
            "scheduler",
            "jobs",
            "update",
            "http",
            "finnhub-quote-portfolio",
            "--project=p",
            "--location=us-east1",
            "--description=Intraday quotes of the active positions",
            "--schedule=*/5 9-16 * * 1-5",
            "--time-zone=America/New_York",
            "--uri=https://orchestrator.example.com/finnhub/quote-portfolio",
            "--http-method=post",
            "--update-headers=Content-Type=application/json",
            r#"--message-body={"job":"finnhub-quote-portfolio","scope":"active_symbols"}"#,
            "--oidc-service-account-email=scheduler@p.iam.gserviceaccount.com",
            "--oidc-token-audience=https://orchestrator.example.com",
            "--attempt-deadline=960s",
            "--max-retry-attempts=3",
            "--max-retry-duration=240s",
            "--min-backoff=30s",
            "--max-backoff=300s",
            "--max-doublings=4",
        ]
    );
    assert!(
        creations.iter().all(|call| call.contains(&"--headers=Content-Type=application/json".to_owned()))
    );
}

#[test]
fn the_platforms_limits_reach_the_scheduler() {
    let gcloud = Gcloud::new("scheduler-akamai", "");
    let arguments: Vec<_> = scheduler("--dry-run").into_iter().chain(["--platform", "akamai"]).collect();
    let shown = String::from_utf8(gcloud.xtask(&arguments).stdout).unwrap();
    assert!(shown.lines().all(|line| line.contains("--attempt-deadline=45s")), "{shown}");
}

#[test]
fn without_a_mode_nothing_happens() {
    let gcloud = Gcloud::new("scheduler-none", "");
    assert!(!gcloud.xtask(&SCHEDULER).status.success());
    assert_eq!(gcloud.calls(), Vec::<Vec<String>>::new());
}

#[test]
fn indexes_that_exist_are_not_created_again() {
    let present = r#"[{
        "name": "projects/p/databases/(default)/collectionGroups/ingestion_runs/indexes/x",
        "queryScope": "COLLECTION", "state": "READY",
        "fields": [
            {"fieldPath": "job", "order": "ASCENDING"}, {"fieldPath": "created_at", "order": "DESCENDING"},
            {"fieldPath": "__name__", "order": "DESCENDING"}]
    }]"#;
    let gcloud = Gcloud::new("indexes", present);
    let output = gcloud.xtask(&["indexes", "--project", "p", "--apply"]);
    assert!(output.status.success(), "{output:?}");
    let calls = gcloud.calls();
    let created: Vec<_> = calls.iter().filter(|call| call[2] == "composite").collect();
    assert_eq!(created.len(), 2, "two of three are missing: {created:?}");
    assert_eq!(
        created[0][4..],
        [
            "--project=p",
            "--database=(default)",
            "--collection-group=ingestion_runs",
            "--query-scope=collection",
            "--field-config=field-path=status,order=ascending",
            "--field-config=field-path=created_at,order=descending",
            "--async",
        ]
    );
    let ttls: Vec<_> = calls.iter().filter(|call| call[2] == "ttls").collect();
    assert_eq!(ttls.len(), 3, "runs, raw logs and their parts expire: {ttls:?}");
    assert!(ttls.iter().all(|call| call[4] == "expire_at" && call.contains(&"--enable-ttl".to_owned())));
}
