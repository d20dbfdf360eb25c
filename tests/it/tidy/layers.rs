//! The rooms of `src/` are layered: a room may use rooms below it, never those above or beside it.

use std::fmt::Write;

use super::files::{File, tracked_files};
use super::imports::{imports, tree};

/// The rooms, from top to bottom. Those of one layer may not use each other.
const LAYERS: &[&[&str]] = &[
    &["spin"],
    &["api"],
    &["app"],
    &["settings"],
    // Tell.
    &["notify"],
    // Conduct and judge.
    &["engine", "ops"],
    // Remember, read, call.
    &["ledger", "intake", "provider"],
    // Tools.
    &["firestore", "auth"],
    &["run"],
    &["google"],
    &["resilience"],
    // Ground.
    &["config"],
    &["catalogue"],
    &["calendar"],
    &["base"],
];

#[test]
fn a_room_uses_only_rooms_below_it() {
    let complaint = complaint(&component());
    assert!(complaint.is_empty(), "\n{complaint}");
}

#[test]
fn uses_of_rooms_above_or_beside_are_reported() {
    let file = |path: &str, text: &str| File { path: path.to_owned(), text: text.to_owned() };
    let files = [
        file("src/run/mod.rs", "use crate::engine::{\n    Engine,\n    plan,\n};\n"),
        file("src/engine/mod.rs", "fn facts() -> crate::ops::Facts { crate::run::facts() }\n"),
        file("src/ops/mod.rs", "use crate::run;\n#[cfg(test)]\nuse crate::engine;\n"),
    ];
    let expect = "src/run/mod.rs:1: run uses engine, which is not below it\n\
                  src/engine/mod.rs:1: engine uses ops, which is not below it\n";
    assert_eq!(complaint(&files), expect);
}

/// Every use of a room that is not below the user.
fn complaint(files: &[File]) -> String {
    let (tree, mut complaint) = (tree(files), String::new());
    for file in files {
        let Some(room) = room(&file.path) else { continue };
        let own = layer(room).unwrap_or_else(|| panic!("{}: the room {room} has no layer", file.path));
        let mut last = None;
        for import in imports(file, &tree) {
            let Some(other) = self::room(&import.file) else { continue };
            let allowed = other == room || layer(other).is_some_and(|other| other > own);
            if !allowed
                && last.replace((import.line, other.to_owned())) != Some((import.line, other.to_owned()))
            {
                let line = import.line;
                let _ =
                    writeln!(complaint, "{}:{line}: {room} uses {other}, which is not below it", file.path);
            }
        }
    }
    complaint
}

#[test]
fn every_layer_has_its_room() {
    let files = component();
    for room in LAYERS.iter().flat_map(|layer| layer.iter()) {
        assert!(files.iter().any(|file| self::room(&file.path) == Some(room)), "{room} is gone");
    }
}

/// The sources of the component.
fn component() -> Vec<File> {
    tracked_files().into_iter().filter(|file| file.is_rust() && file.path.starts_with("src/")).collect()
}

/// The room of a file of the component; none for `lib.rs`, the map.
fn room(path: &str) -> Option<&str> {
    let name = path.strip_prefix("src/")?.split('/').next()?;
    let name = name.strip_suffix(".rs").unwrap_or(name);
    (name != "lib").then_some(name)
}

/// The position of a room's layer, from the top.
fn layer(room: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&room))
}
