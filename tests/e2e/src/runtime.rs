//! What runs the component. `cargo xtask test` builds it and selects the runtime.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sim::orchestrator::{Builder, Orchestrator, Runtime, spin_program};

/// Selects the runtime: `host` (the default) or `spin`.
const RUNTIME: &str = "E2E_RUNTIME";

/// The repository's root.
pub fn root() -> &'static Path {
    // Cargo sets it to tests/e2e, which is two levels down.
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the package lies in the workspace")
}

/// The built component, as named in `spin.toml`.
pub fn component() -> PathBuf {
    root().join("target/wasm32-wasip2/release/orchestrator.wasm")
}

/// The project's manifest.
pub fn manifest() -> PathBuf {
    root().join("spin.toml")
}

/// Prepares to run the built component.
pub fn builder() -> Builder {
    builder_for(&manifest())
}

/// The same with an instance that is kept even if a slow machine leaves it idle for long.
pub fn lasting() -> Builder {
    builder().idle_timeout(Duration::from_mins(1))
}

/// Prepares to run the built component as the container does, by `/entry` on Spin. If the runtime is not Spin, returns
/// none and prints that the test is skipped.
pub fn container() -> Option<Builder> {
    if std::env::var(RUNTIME).is_ok_and(|runtime| runtime == "spin") {
        require(&component(), "the component");
        let entry = root().join("target/debug/entry");
        require(&entry, "the container's entry");
        Some(Orchestrator::builder(Runtime::Container { entry, spin: spin_program() }, manifest()))
    } else {
        println!("skipped on the host: the container runs Spin");
        None
    }
}

/// Whether the runtime is Spin, which lacks a feature of the host; prints that the test is skipped.
pub fn skips_on_spin(reason: &str) -> bool {
    let skips = std::env::var(RUNTIME).is_ok_and(|runtime| runtime == "spin");
    if skips {
        println!("skipped on spin: {reason}");
    }
    skips
}

/// Prepares to run the application that another manifest describes.
pub fn builder_for(manifest: &Path) -> Builder {
    require(&component(), "the component");
    match std::env::var(RUNTIME).as_deref() {
        Ok("spin") => Orchestrator::builder(Runtime::Spin { bin: spin_program() }, manifest),
        Ok("host") | Err(_) => {
            let bin = root().join("target/debug/host");
            require(&bin, "the host");
            Orchestrator::builder(Runtime::Host { bin }, manifest).cache(root().join("target/host-cache"))
        }
        Ok(other) => panic!("{RUNTIME} is `{other}`: set it to host or spin"),
    }
}

fn require(file: &Path, what: &str) {
    assert!(
        file.exists(),
        "{what} is not built: {} is missing; run `cargo xtask test`, which builds it",
        file.display()
    );
}
