//! The built component against the world in `wit/`.

use std::path::Path;

use wasmparser::{Parser, Payload};

use crate::support::{guest, target_dir};

const PACKAGE: &str = include_str!("../../../../wit/world.wit");

/// The imports of one world of our package, where each is on a separate line.
fn named(world: &str) -> Vec<String> {
    let (_, text) = PACKAGE.split_once(&format!("world {world} {{")).expect("no such world");
    let (text, _) = text.split_once("\n}").expect("the world has no end");
    let imports = text.lines().filter_map(|line| line.trim().strip_prefix("import ")?.strip_suffix(';'));
    imports.map(str::to_owned).collect()
}

/// The imports of a built component.
fn used(component: &Path) -> Vec<String> {
    let bytes = std::fs::read(component).unwrap_or_else(|error| {
        panic!("cannot read {}: {error}: `cargo xtask build` builds it", component.display())
    });
    let mut depth = 0;
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(&bytes) {
        match payload.expect("not a component") {
            // Nested modules and components have their own imports, which the component itself provides.
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 0 => {
                names.extend(
                    section.into_iter().map(|import| import.expect("not an import").name.name.to_owned()),
                );
            }
            _ => {}
        }
    }
    assert!(!names.is_empty(), "{} imports nothing: not a component of ours", component.display());
    names
}

/// The imports in `used` for which `named` has no interface of a compatible version.
fn beyond(used: &[String], named: &[String]) -> Vec<String> {
    let named: Vec<_> = named.iter().map(|name| compatible(name)).collect();
    used.iter().filter(|name| !named.contains(&compatible(name))).cloned().collect()
}

/// Cuts the version off after the part that must be equal, as semantic versioning has it: 0.2.6 is a 0.2.
fn compatible(name: &str) -> &str {
    let Some(at) = name.find('@') else {
        return name;
    };
    let version = &name[at + 1..];
    let parts = if version.starts_with("0.") { 2 } else { 1 };
    let length = version.splitn(parts + 1, '.').take(parts).map(|part| part.len() + 1).sum::<usize>();
    &name[..at + length]
}

#[test]
fn the_orchestrator_imports_only_interfaces_of_its_world() {
    let component = target_dir().join("wasm32-wasip2/release/orchestrator.wasm");
    assert_eq!(beyond(&used(&component), &named("orchestrator")), [""; 0], "imports not in wit/world.wit");
}

#[test]
fn imports_beyond_a_world_are_found() {
    let used = used(guest());
    assert_eq!(beyond(&used, &named("orchestrator")), [""; 0]);
    let found = beyond(&used, &named("adapter"));
    assert!(found.contains(&"spin:variables/variables@3.0.0".into()), "{found:?}");
    assert!(found.contains(&"wasi:cli/stderr@0.2.6".into()), "{found:?}");
    assert!(!found.contains(&"wasi:clocks/monotonic-clock@0.3.0".into()), "{found:?}");
}

#[test]
fn versions_are_compared_by_their_compatible_part() {
    let named = ["wasi:io/poll@0.2.6".to_owned(), "spin:variables/variables@3.0.0".to_owned()];
    for (import, fits) in [
        ("wasi:io/poll@0.2.12", true),
        ("wasi:io/poll@0.3.0", false),
        ("wasi:io/poll@0.20.0", false),
        ("spin:variables/variables@3.1.0", true),
        ("spin:variables/variables@30.0.0", false),
        ("wasi:io/streams@0.2.6", false),
    ] {
        assert_eq!(beyond(&[import.to_owned()], &named).is_empty(), fits, "{import}");
    }
}
