//! House rules as code. Each exception is listed here with its reason.

mod alerts;
mod circles;
pub mod files;
pub mod generated;
mod imports;
mod layers;
mod openapi;
mod providers;
mod readme;
mod settings;
mod shown;

use std::fmt::Write;

use self::files::{File, tracked_files};

/// Maximum lines of a Rust file without its unit tests.
const LINES_MAX: usize = 400;

/// Rust files that may be longer, each with its reason.
const LONG_FILES: &[(&str, &str)] = &[];

/// Package registries and archives. Their addresses come from the configuration of the machine that builds, never from
/// the repository. (Written in two halves, so that this file follows its own rule.)
const REGISTRY_HOSTS: &[(&str, &str)] = &[
    ("static.crates", ".io"),
    ("index.crates", ".io"),
    ("static.rust-lang", ".org"),
    ("deb.debian", ".org"),
    ("snapshot.debian", ".org"),
    ("security.debian", ".org"),
    ("archive.ubuntu", ".com"),
    ("registry.npmjs", ".org"),
    ("files.pythonhosted", ".org"),
    ("pypi", ".org"),
];

/// Directories of a particular machine.
const MACHINE_PATHS: &[(&str, &str)] = &[("/root", "/"), ("/home", "/"), ("/Users", "/"), ("/work", "/")];

/// Files that name such hosts or paths for a good reason.
const FOREIGN_NAMES_ALLOWED: &[(&str, &str)] = &[("Cargo.lock", "cargo writes it")];

/// Files of the core that may use `unwrap` or `expect`, each with its reason.
const PANICS_ALLOWED: &[(&str, &str)] = &[];

#[test]
fn rust_files_are_short() {
    check("is too long: split it or add it to LONG_FILES with a reason", |file| {
        let lines = file.text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count();
        if !file.is_rust() || file.is_test() || lines <= LINES_MAX || is_listed(LONG_FILES, file) {
            return Vec::new();
        }
        vec![(lines, format!("{lines} lines, limit {LINES_MAX}"))]
    });
}

#[test]
fn the_core_does_not_know_spin() {
    check(
        "names spin_sdk outside src/spin/: only the adapter may, or the core builds only for wasm",
        |file| {
            let is_core =
                file.is_rust() && file.path.starts_with("src/") && !file.path.starts_with("src/spin");
            if is_core { lines_with(file, |code| code.contains("spin_sdk")) } else { Vec::new() }
        },
    );
}

#[test]
fn the_core_does_not_panic() {
    check("may panic: a trap ends every request of the instance; return an error", |file| {
        if !file.is_rust()
            || !file.path.starts_with("src/")
            || file.is_test()
            || is_listed(PANICS_ALLOWED, file)
        {
            return Vec::new();
        }
        lines_with(file, |code| {
            [".unwrap()", ".expect(", "panic!(", "unreachable!("].iter().any(|word| code.contains(word))
        })
    });
}

#[test]
fn nothing_names_a_registry_or_a_machine() {
    let names: Vec<String> =
        REGISTRY_HOSTS.iter().chain(MACHINE_PATHS).map(|(head, tail)| format!("{head}{tail}")).collect();
    check("names a package registry or a directory of one machine", |file| {
        if is_listed(FOREIGN_NAMES_ALLOWED, file) {
            return Vec::new();
        }
        let found = |line: &str| names.iter().any(|name| contains_name(line, name));
        file.text
            .lines()
            .enumerate()
            .filter(|(_, line)| found(line))
            .map(|(index, line)| (index + 1, line.to_owned()))
            .collect()
    });
}

/// Fails with every place that `rule` finds in any file.
fn check(what: &str, rule: impl Fn(&File) -> Vec<(usize, String)>) {
    let mut complaint = String::new();
    for file in tracked_files() {
        for (line, detail) in rule(&file) {
            let _ = writeln!(complaint, "{}:{line}: {what}\n    {}", file.path, detail.trim());
        }
    }
    assert!(complaint.is_empty(), "\n{complaint}");
}

/// The lines of code, without comments and unit tests, that `rule` objects to.
fn lines_with(file: &File, rule: impl Fn(&str) -> bool) -> Vec<(usize, String)> {
    let code = file.text.lines().enumerate().take_while(|(_, line)| line.trim() != "#[cfg(test)]");
    let code = code.filter(|(_, line)| !line.trim_start().starts_with("//"));
    code.filter(|(_, line)| rule(line)).map(|(index, line)| (index + 1, line.to_owned())).collect()
}

fn is_listed(list: &[(&str, &str)], file: &File) -> bool {
    list.iter().any(|(path, _)| *path == file.path)
}

/// Whether `name` occurs in the line, other than inside a longer path or address.
fn contains_name(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-*}".contains(c))
    })
}

#[test]
fn exceptions_name_files_that_exist() {
    let files = tracked_files();
    for (path, reason) in LONG_FILES.iter().chain(FOREIGN_NAMES_ALLOWED).chain(PANICS_ALLOWED) {
        assert!(files.iter().any(|file| file.path == *path), "{path} is gone: remove its exception");
        assert!(!reason.is_empty(), "{path} is excepted without a reason");
    }
}
