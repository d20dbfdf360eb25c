//! Runs the commands of `docs/deploy.md` with fake `spin`, `kubectl` and `gcloud` programs that record their calls: the
//! component must accept the tokens that Cloud Scheduler is configured to send.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use orchestrator::settings::Config;

/// Records its arguments, one per line, and finds nothing.
const NOTES: &str = r#"#!/bin/sh
printf '%s\n' "$@" >> "$(dirname "$0")/$(basename "$0").noted"
"#;

/// `cargo xtask` is the binary under test.
const CARGO: &str = "#!/bin/sh\nshift\nexec \"$XTASK\" \"$@\"\n";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The shell commands below a heading.
fn commands(heading: &str) -> String {
    let guide = fs::read_to_string(root().join("docs/deploy.md")).unwrap();
    let (_, section) = guide.split_once(&format!("\n## {heading}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    section.split("```bash\n").skip(1).map(|block| block.split("```").next().unwrap()).collect()
}

/// Runs the commands below a heading; returns each program's arguments.
fn carry_out(heading: &str) -> BTreeMap<&'static str, Vec<String>> {
    let name = heading.split(' ').next().unwrap();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("guide-{name}"));
    let _absent = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let programs = ["spin", "kubectl", "gcloud"];
    for (program, script) in programs.map(|program| (program, NOTES)).into_iter().chain([("cargo", CARGO)]) {
        fs::write(folder.join(program), script).unwrap();
        fs::set_permissions(folder.join(program), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    // The key is in a file of the reader.
    let script = commands(heading).replace("key.json", "/dev/null");
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", &script]).current_dir(root());
    let output = bash.env("PATH", path).env("XTASK", env!("CARGO_BIN_EXE_xtask")).output().unwrap();
    assert!(output.status.success(), "{output:?}\n{script}");
    let noted =
        |program: &str| fs::read_to_string(folder.join(format!("{program}.noted"))).unwrap_or_default();
    programs.map(|program| (program, noted(program).lines().map(ToOwned::to_owned).collect())).into()
}

/// The value of an option, which must be the same for all Cloud Scheduler jobs and the watch.
fn of_all_jobs(gcloud: &[String], option: &str) -> String {
    let start = format!("--{option}=");
    let mut values: Vec<_> = gcloud.iter().filter_map(|word| word.strip_prefix(&start)).collect();
    assert_eq!(values.len(), orchestrator::catalogue::jobs().count() + 1, "{gcloud:?}");
    values.dedup();
    let [value] = values[..] else { panic!("{values:?}") };
    value.to_owned()
}

/// With these settings, the component must admit the account and the audience configured in Cloud Scheduler.
fn assert_lets_in(settings: &BTreeMap<String, String>, gcloud: &[String]) {
    let config = Config::parse(|name| settings.get(name).cloned()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(config.auth.audiences, [of_all_jobs(gcloud, "oidc-token-audience")]);
    let account = of_all_jobs(gcloud, "oidc-service-account-email");
    assert!(
        config.auth.scheduler_accounts.contains(&account),
        "{account}: {:?}",
        config.auth.scheduler_accounts
    );
}

#[test]
fn on_akamai_the_component_accepts_the_schedulers_tokens() {
    let noted = carry_out("Akamai Functions and Fermyon Cloud");
    let mut settings = BTreeMap::new();
    for pair in noted["spin"].windows(2).filter(|pair| pair[0] == "--variable") {
        let (name, value) = pair[1].split_once('=').unwrap();
        settings.insert(name.to_owned(), value.to_owned());
    }
    // A token instead of a key file, which must not be committed.
    settings.insert("gcp_credentials".to_owned(), "access_token".to_owned());
    settings.insert("gcp_access_token".to_owned(), "token".to_owned());
    assert_lets_in(&settings, &noted["gcloud"]);
}

#[test]
fn on_kubernetes_the_component_accepts_the_schedulers_tokens() {
    let noted = carry_out("Kubernetes");
    let text = fs::read_to_string(root().join("deploy/spinkube/settings.yaml")).unwrap();
    let (_, data) = text.split_once("\ndata:\n").unwrap();
    let rows = data.lines().filter_map(|line| line.trim().split_once(": "));
    let rows = rows.filter(|(name, _)| !name.starts_with('#'));
    let mut settings: BTreeMap<_, _> =
        rows.map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned())).collect();
    // `P` in the guide stands for the example project in the file.
    let project = settings["google_cloud_project"].clone();
    let account = settings["scheduler_service_account"].replace(&project, "P");
    settings.insert("scheduler_service_account".to_owned(), account);
    assert_lets_in(&settings, &noted["gcloud"]);
}
