//! Paths in this repository.

use std::path::{Path, PathBuf};

/// The target that the component is built for.
pub const WASM_TARGET: &str = "wasm32-wasip2";

/// The repository's root.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace")
}

/// The build directory.
///
/// Always `target/`, even if `CARGO_TARGET_DIR` is set, because `spin.toml` refers to the component there.
pub fn target_dir() -> PathBuf {
    root().join("target")
}

/// Spin's manifest of the application.
pub fn manifest() -> PathBuf {
    root().join("spin.toml")
}

/// Runtime settings for local use.
pub fn runtime_config() -> PathBuf {
    root().join("runtime-config.toml")
}

/// The built component.
pub fn component(debug: bool) -> PathBuf {
    let profile = if debug { "debug" } else { "release" };
    target_dir().join(WASM_TARGET).join(profile).join("orchestrator.wasm")
}

/// The embedded host's binary.
pub fn host() -> PathBuf {
    target_dir().join("debug").join(format!("host{}", std::env::consts::EXE_SUFFIX))
}

/// The host's cache of compiled components, so that its next start takes milliseconds.
pub fn host_cache() -> PathBuf {
    target_dir().join("host-cache")
}

/// A path for display: relative to the root if it is below it.
pub fn display(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
