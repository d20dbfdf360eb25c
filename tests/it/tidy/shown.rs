//! Every test that the documents name exists.

use std::collections::BTreeSet;

use super::files::{File, read, root, tracked_files};

#[test]
fn every_test_that_a_document_names_exists() {
    let known = known();
    for document in ["docs/reliability.md", "docs/security.md"] {
        let text = read(&root().join(document));
        let named = named(&text);
        assert!(named.len() > 10, "{document} names only {} tests", named.len());
        for name in named {
            let found = match name.strip_suffix("::*") {
                Some(module) => known.iter().any(|test| test.starts_with(&format!("{module}::"))),
                None => known.contains(&name),
            };
            assert!(found, "{document} names the test {name}, which does not exist");
        }
    }
}

/// Paths of tests and of their modules.
fn known() -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for file in tracked_files().iter().filter(|file| file.is_rust()) {
        let Some(module) = module(file) else { continue };
        let mut lines = file.text.lines().map(str::trim);
        let mut place = module.clone();
        let mut points = false;
        while let Some(line) = lines.next() {
            // The host's points of parity: a macro makes tests of each function.
            points = line == "points![" || (points && line != "];");
            if points && let Some(name) = line.strip_suffix(',') {
                known.insert(format!("{place}::{name}"));
            }
            if line == "mod tests {" {
                place = format!("{module}::tests");
            }
            let is_test = line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            let name = lines.clone().find_map(|line| line.split_once("fn ")?.1.split('(').next());
            if is_test && let Some(name) = name {
                known.insert(place.clone());
                known.insert(format!("{place}::{name}"));
            }
        }
    }
    known
}

/// The path of a file's module in documents: without the crate, except for end-to-end tests and the host's.
fn module(file: &File) -> Option<String> {
    let path = file.path.strip_suffix(".rs")?;
    let path = path.strip_suffix("/mod").unwrap_or(path);
    let path = match path.strip_prefix("tests/e2e/tests/e2e/") {
        Some(rest) => format!("e2e/{rest}"),
        None if path.starts_with("crates/host/tests/it/") => path.replace("crates/host/tests/it/", "host/"),
        None => path.strip_prefix("src/").or_else(|| path.strip_prefix("tests/it/"))?.to_owned(),
    };
    Some(path.replace('/', "::"))
}

/// The tests named in a document's tables: `a::b::c`, or `…c` for another test of the preceding module.
fn named(text: &str) -> Vec<String> {
    let mut named: Vec<String> = Vec::new();
    let cells = text.lines().filter(|line| line.starts_with('|')).filter_map(|line| line.rsplit('|').nth(1));
    for name in cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)) {
        let whole = match (name.strip_prefix('…'), named.last().and_then(|last| last.rsplit_once("::"))) {
            (Some(rest), Some((module, _))) => format!("{module}::{rest}"),
            _ => name.to_owned(),
        };
        if whole.contains("::") {
            named.push(whole);
        }
    }
    named
}
