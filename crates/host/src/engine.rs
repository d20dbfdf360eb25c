//! Wasmtime's engine, and the compiled component with its cache on disk.

use std::fmt::Write as _;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use wasmtime::component::Component;
use wasmtime::{Config, Engine};

/// File extension of compiled components.
const EXTENSION: &str = "cwasm";

/// Compiled components kept in the cache; each is a few megabytes.
const CACHE_ENTRIES_MAX: usize = 16;

/// The engine of this process: one for all hosts in it.
pub fn engine() -> anyhow::Result<Engine> {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    if let Some(engine) = ENGINE.get() {
        return Ok(engine.clone());
    }
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    let engine = Engine::new(&config)?;
    Ok(ENGINE.get_or_init(|| engine).clone())
}

/// Compiles the component at `path`, or loads an earlier result from the folder `cache`.
pub fn load(engine: &Engine, path: &Path, cache: Option<&Path>) -> anyhow::Result<Component> {
    let wasm = std::fs::read(path)
        .with_context(|| format!("cannot read the component {}: build it first", path.display()))?;
    let Some(folder) = cache else {
        return compile(engine, &wasm, path);
    };
    let entry = folder.join(cache_name(engine, &wasm));
    if let Some(component) = read_cache(engine, &entry) {
        return Ok(component);
    }
    let component = compile(engine, &wasm, path)?;
    write_cache(&component, &entry)
        .with_context(|| format!("cannot write to the cache {}", folder.display()))?;
    Ok(component)
}

fn compile(engine: &Engine, wasm: &[u8], path: &Path) -> anyhow::Result<Component> {
    Component::new(engine, wasm)
        .map_err(anyhow::Error::from)
        .with_context(|| format!("{} is not a component this host can run", path.display()))
}

/// Names the compiled form after the component's content and the engine's version and settings.
fn cache_name(engine: &Engine, wasm: &[u8]) -> PathBuf {
    struct ToSha(Sha256);
    impl Hasher for ToSha {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0 // never called: the full digest is used below
        }
    }
    let mut hasher = ToSha(Sha256::new_with_prefix(wasm));
    engine.precompile_compatibility_hash().hash(&mut hasher);
    let name = hasher.0.finalize().iter().fold(String::new(), |mut name, byte| {
        let _ = write!(name, "{byte:02x}");
        name
    });
    Path::new(&name).with_extension(EXTENSION)
}

/// Reads a compiled component; anything wrong with it only means that it is compiled again.
fn read_cache(engine: &Engine, entry: &Path) -> Option<Component> {
    if !entry.exists() {
        return None;
    }
    // SAFETY: Wasmtime runs the code in the file. Only `write_cache` writes files with this name, atomically, and
    // anyone else who can write to the folder that the caller chose can run code as the caller anyway.
    unsafe { Component::deserialize_file(engine, entry) }.ok()
}

fn write_cache(component: &Component, entry: &Path) -> anyhow::Result<()> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let bytes = component.serialize()?;
    let folder = entry.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    // Written to a temporary file and renamed, so that a host that starts meanwhile never sees half a file.
    let aside = entry.with_extension(format!("{}-{}.tmp", std::process::id(), NEXT.fetch_add(1, Relaxed)));
    std::fs::write(&aside, bytes)?;
    std::fs::rename(&aside, entry)?;
    prune(folder)
}

/// Removes the oldest entries of the cache, above [`CACHE_ENTRIES_MAX`].
fn prune(folder: &Path) -> anyhow::Result<()> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        // Another host may have removed an entry meanwhile.
        if entry.path().extension().is_some_and(|extension| extension == EXTENSION)
            && let Ok(written) = entry.metadata().and_then(|metadata| metadata.modified())
        {
            entries.push((written, entry.path()));
        }
    }
    entries.sort();
    for (_, path) in entries.iter().rev().skip(CACHE_ENTRIES_MAX) {
        drop(std::fs::remove_file(path));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn cache_keeps_the_newest_entries() {
        let folder = std::env::temp_dir().join(format!("host-cache-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let total = CACHE_ENTRIES_MAX + 2;
        for number in 0..total {
            let file = std::fs::File::create(folder.join(format!("{number}.{EXTENSION}"))).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(number as u64)).unwrap();
        }
        std::fs::write(folder.join("other"), "").unwrap();
        prune(&folder).unwrap();
        let left = |name: String| folder.join(name).exists();
        assert!(!left(format!("0.{EXTENSION}")) && !left(format!("1.{EXTENSION}")));
        assert!((2..total).all(|number| left(format!("{number}.{EXTENSION}"))) && left("other".into()));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
