//! No files import each other in a cycle, so each can be read on its own.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::files::{File, tracked_files};
use super::imports::{Tree, imports, tree};

#[test]
fn no_files_import_each_other_in_a_cycle() {
    let mut complaint = String::new();
    let mut crates = BTreeMap::<String, Vec<File>>::new();
    for file in tracked_files().into_iter().filter(|file| file.is_rust() && !file.is_test()) {
        if let Some((root, _)) = file.path.split_once("src/") {
            crates.entry(root.to_owned()).or_default().push(file);
        }
    }
    assert!(crates.len() > 5, "the component and the other crates");
    for files in crates.into_values() {
        for circle in circles(&files, &tree(&files)) {
            let _ = writeln!(complaint, "{}", circle.join(" -> "));
        }
    }
    assert!(complaint.is_empty(), "files that import each other in a cycle:\n{complaint}");
}

/// One cycle for each file that is in one; a module and its submodules count as one.
fn circles(files: &[File], tree: &Tree) -> Vec<Vec<String>> {
    let mut edges = BTreeMap::<&str, BTreeSet<String>>::new();
    for file in files {
        let beside = imports(file, tree).into_iter().filter(|import| !import.is_related);
        edges.insert(&file.path, beside.map(|import| import.file).collect());
    }
    let mut found: Vec<Vec<String>> = Vec::new();
    for start in edges.keys() {
        if found.iter().any(|circle| circle.iter().any(|file| file == start)) {
            continue;
        }
        found.extend(way_back(start, &edges));
    }
    found
}

/// The shortest path from a file to itself.
fn way_back(start: &str, edges: &BTreeMap<&str, BTreeSet<String>>) -> Option<Vec<String>> {
    let mut ways = vec![vec![start.to_owned()]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in &ways {
            let Some(next) = edges.get(way[way.len() - 1].as_str()) else { continue };
            for file in next {
                let mut way = way.clone();
                way.push(file.clone());
                if file == start {
                    return Some(way);
                }
                if seen.insert(file.clone()) {
                    longer.push(way);
                }
            }
        }
        ways = longer;
    }
    None
}
