//! The image and how it is run.

use super::{document, limit, text, yaml};
use crate::tidy::files::{read, root};

/// The instructions of the last stage, the image itself.
fn last_stage() -> Vec<String> {
    let text = text("docker/Dockerfile").replace("\\\n", " ");
    let lines: Vec<_> = text.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let start = lines.iter().rposition(|line| line.starts_with("FROM ")).expect("a stage");
    lines[start..].iter().map(|line| (*line).to_owned()).collect()
}

/// The default of a build argument.
fn argument(name: &str) -> String {
    let start = format!("ARG {name}=");
    let text = text("docker/Dockerfile");
    let mut values = text.lines().filter_map(|line| line.strip_prefix(&start));
    values.next().unwrap_or_else(|| panic!("no default of {name}")).to_owned()
}

#[test]
fn the_image_needs_no_shell_and_no_root() {
    let stage = last_stage();
    let of = |instruction: &str| {
        let start = format!("{instruction} ");
        stage.iter().filter_map(|line| line.strip_prefix(&start).map(ToOwned::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(of("RUN"), Vec::<String>::new(), "nothing can run in an image without a shell");
    assert_eq!(of("ENTRYPOINT"), ["[\"/entry\"]"]);
    assert!(of("HEALTHCHECK")[0].ends_with("CMD [\"/entry\", \"health\"]"));
    let user = of("USER").concat();
    let id = user.split(':').next().and_then(|id| id.parse::<u32>().ok());
    assert!(id.is_some_and(|id| id > 0), "the user must be a number other than 0: {user}");
}

#[test]
fn spins_checksum_has_no_default() {
    let text = text("docker/Dockerfile");
    for name in ["SPIN_SHA256_AMD64", "SPIN_SHA256_ARM64"] {
        assert!(text.lines().any(|line| line == format!("ARG {name}")), "{name}");
    }
}

#[test]
fn versions_are_those_of_the_project_and_of_the_cluster() {
    let manifest: toml::Table = read(&root().join("Cargo.toml")).parse().expect("Cargo.toml is TOML");
    let rust = manifest["workspace"]["package"]["rust-version"].as_str().expect("a version").to_owned();
    assert_eq!(argument("RUST_VERSION"), rust);
    let executor = document("spinkube/executor.yaml", "SpinAppExecutor");
    let image = executor["spec"]["deploymentConfig"]["spinImage"].as_str().expect("an image").to_owned();
    assert!(image.ends_with(&format!(":v{}", argument("SPIN_VERSION"))), "{image}");
}

#[test]
fn the_build_context_has_what_the_build_needs() {
    let kept = text("docker/Dockerfile.dockerignore");
    let manifest: toml::Table = read(&root().join("Cargo.toml")).parse().expect("Cargo.toml is TOML");
    let members = manifest["workspace"]["members"].as_array().expect("members");
    let folders =
        members.iter().filter_map(|member| member.as_str()?.split('/').next()).filter(|name| *name != ".");
    for path in folders.chain(["Cargo.toml", "Cargo.lock", "build.rs", "benches", "spin.toml", "src", "wit"])
    {
        assert!(kept.lines().any(|line| line == format!("!{path}")), "{path} is left out");
    }
}

#[test]
fn compose_runs_it_locked_down() {
    let compose = &yaml("docker/compose.yaml")[0];
    let service = &compose["services"]["orchestrator"];
    assert_eq!(service["read_only"], true);
    assert_eq!(service["tmpfs"][0], "/tmp");
    assert_eq!(service["cap_drop"][0], "ALL");
    assert_eq!(
        service["ports"][0], "127.0.0.1:8000:8000",
        "an instance without a token must be reachable only from this machine"
    );
    let grace = super::seconds(&service["stop_grace_period"]);
    assert_eq!(grace, Some(limit("cloud-run", "stop_grace_seconds")));
}
