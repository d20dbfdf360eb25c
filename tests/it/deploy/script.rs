//! `deploy/cloud-run/deploy.sh` with fake `gcloud` and `cargo` programs that record their calls.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};

use orchestrator::catalogue::Provider;

use super::document;
use crate::tidy::files::root;

/// If the folder has a file `exists`, everything exists and the service has an address. Changes are recorded.
const GCLOUD: &str = r#"#!/bin/sh
here=$(dirname "$0")
case "$*" in
  *" describe "*)
    [ -e "$here/exists" ] || exit 1
    case "$*" in *status.url*) echo https://orchestrator.run.example.com ;; esac ;;
  *)
    for word in "$@"; do [ -f "$word" ] && cp "$word" "$here/service.yaml"; done
    [ "$2 $3" = "versions add" ] && cat > "$here/$4"
    [ "$1 $2" = "run services" ] && touch "$here/exists"
    echo "$*" >> "$here/changes" ;;
esac
"#;

const CARGO: &str = "#!/bin/sh\necho \"cargo $*\" >> \"$(dirname \"$0\")/changes\"\n";

/// The secret with the operator token; the fake keeps each in a file of its name.
const TOKEN: &str = "orchestrator-operator-token";

struct Machine(PathBuf);

impl Machine {
    fn new(test: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("deploy-{test}"));
        let _absent = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder");
        for (name, script) in [("gcloud", GCLOUD), ("cargo", CARGO)] {
            let path = folder.join(name);
            fs::write(&path, script).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
        }
        Self(folder)
    }

    fn deploy(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let path = format!("{}:{}", self.0.display(), std::env::var("PATH").expect("a PATH"));
        let url = "https://provider.example.com";
        let mut command = Command::new("bash");
        command.arg(root().join("deploy/cloud-run/deploy.sh")).args(arguments);
        command.env("PATH", path).env("PROJECT", "p").env("IMAGE", "example/orchestrator@sha256:0");
        for provider in Provider::all() {
            command.env(format!("{}_SERVICE_URL", provider.name().to_uppercase()), url);
        }
        command.envs(environment.iter().copied()).output().expect("bash runs")
    }

    /// The changes since the last call.
    fn changes(&self) -> Vec<String> {
        let path = self.0.join("changes");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let _absent = fs::remove_file(path);
        text.lines().map(ToOwned::to_owned).collect()
    }
}

fn succeed(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_dry_run_shows_everything_and_changes_nothing() {
    let machine = Machine::new("dry");
    let shown = succeed(&machine.deploy(&["--dry-run"], &[("PROVIDER_SERVICES", "tiingo finnhub")]));
    let changes = machine.changes();
    assert!(
        changes.iter().all(|change| change.starts_with("cargo ") && change.contains("--dry-run")),
        "{changes:?}"
    );
    assert_eq!(changes.len(), 2, "only the dry runs for jobs and indexes");
    for part in [
        "service-accounts' 'create",
        "roles/datastore.user",
        "secretAccessor",
        "services' 'replace",
        "'finnhub'",
    ] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(!machine.0.join(TOKEN).exists());
}

#[test]
fn deploying_again_creates_nothing_again() {
    let machine = Machine::new("twice");
    succeed(&machine.deploy(&[], &[]));
    let first = machine.changes();
    assert_eq!(first.iter().filter(|change| change.contains("iam service-accounts create")).count(), 2);
    assert!(fs::read(machine.0.join(TOKEN)).expect("a token").len() >= 32, "a random first token");
    for secret in ["notify-webhook", "notify-slack", "notify-pagerduty", "heartbeat-url"] {
        let first = fs::read_to_string(machine.0.join(format!("orchestrator-{secret}")));
        assert_eq!(first.expect("a secret"), "\n", "a blank secret means that nobody is told");
    }
    let again = succeed(&machine.deploy(&[], &[]));
    let second = machine.changes();
    assert!(
        second.iter().all(|change| !change.contains(" create ") && !change.contains("versions add")),
        "{second:?}"
    );
    let without_file = |changes: &[String]| {
        let kept =
            changes.iter().filter(|change| !change.contains(" create ") && !change.contains("versions add"));
        kept.map(|change| change.split(" /").next().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(without_file(&first), without_file(&second), "{again}");
}

#[test]
fn only_the_scheduler_may_call_unless_the_component_authenticates_callers() {
    let machine = Machine::new("callers");
    succeed(&machine.deploy(&[], &[]));
    let changes = machine.changes().join("\n");
    assert!(!changes.contains("allUsers"), "{changes}");
    assert!(changes.contains("--audience https://orchestrator.run.example.com"), "{changes}");
    succeed(&machine.deploy(&[], &[("INBOUND_AUTH", "oidc")]));
    let changes = machine.changes().join("\n");
    assert!(changes.contains("--member=allUsers"), "{changes}");
    assert!(changes.contains("--audience https://orchestrator.p.internal"), "{changes}");
    let text = fs::read_to_string(machine.0.join("service.yaml")).expect("what was applied");
    let expected =
        "- name: SPIN_VARIABLE_OIDC_AUDIENCE\n              value: \"https://orchestrator.p.internal\"";
    assert!(text.contains(expected), "the component must expect the scheduler's audience: {text}");
}

#[test]
fn the_applied_service_is_the_definition_with_everything_filled_in() {
    let machine = Machine::new("service");
    succeed(&machine.deploy(&[], &[]));
    let text = fs::read_to_string(machine.0.join("service.yaml")).expect("what was applied");
    let mut applied: serde_json::Value = serde_saphyr::from_str(&text).expect("YAML");
    let written = document("cloud-run/service.yaml", "Service");
    let containers = "/spec/template/spec/containers";
    let image = applied.pointer(&format!("{containers}/0/image")).cloned();
    assert_eq!(image, Some("example/orchestrator@sha256:0".into()));
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    assert_eq!(lines.find(|line| line.contains("${")), None, "not filled in");
    // Apart from the containers and the account, nothing depends on the project.
    for pointer in [containers, "/spec/template/spec/serviceAccountName"] {
        *applied.pointer_mut(pointer).expect("there") = written.pointer(pointer).expect("there").clone();
    }
    assert_eq!(applied, written);
}

#[test]
fn missing_values_and_those_that_could_change_the_document_are_refused() {
    let machine = Machine::new("refused");
    for environment in [("IMAGE", ""), ("INBOUND_AUTH", "none"), ("LOG_LEVEL", "info\"\nx: y")] {
        let output = machine.deploy(&["--dry-run"], &[environment]);
        assert_eq!(output.status.code(), Some(2), "{environment:?}: {output:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains(environment.0), "{output:?}");
    }
}
