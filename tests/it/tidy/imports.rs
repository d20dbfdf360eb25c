//! What a file imports from other files of its crate, parsed from its text.

use std::collections::BTreeMap;

use super::files::File;

/// The files of a crate by the paths of their modules: `["run", "work"]`.
pub type Tree = BTreeMap<Vec<String>, String>;

/// One file that another imports from.
#[derive(Debug)]
pub struct Import {
    pub line: usize,
    pub file: String,
    /// Whether one of the two modules is inside the other.
    pub is_related: bool,
}

/// The modules of a crate.
pub fn tree(files: &[File]) -> Tree {
    files.iter().map(|file| (module(&file.path), file.path.clone())).collect()
}

/// The path of a file's module: empty for a crate's root.
fn module(path: &str) -> Vec<String> {
    let inside = path.split_once("src/").map_or(path, |(_, inside)| inside);
    let inside = inside.strip_suffix(".rs").unwrap_or(inside);
    let mut parts: Vec<String> = inside.split('/').map(ToOwned::to_owned).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}

/// Everything that a file imports from others, without its tests.
pub fn imports(file: &File, tree: &Tree) -> Vec<Import> {
    if file.is_test() {
        return Vec::new();
    }
    let own = module(&file.path);
    let mut imports = Vec::new();
    for (line, path) in paths(file) {
        let Some((target, found)) = resolve(&path, &own, tree) else { continue };
        if *found == file.path {
            continue;
        }
        let is_related = target.starts_with(&own) || own.starts_with(&target);
        imports.push(Import { line, file: found.clone(), is_related });
    }
    imports
}

/// The module that a path names, as far as it names modules, and its file.
fn resolve<'a>(path: &[String], own: &[String], tree: &'a Tree) -> Option<(Vec<String>, &'a String)> {
    let mut at = match path.first()?.as_str() {
        "crate" => Vec::new(),
        "self" | "super" => own.to_vec(),
        // A module inside this one.
        child => {
            let inside = [own, &[child.to_owned()]].concat();
            tree.contains_key(&inside).then_some(own.to_vec())?
        }
    };
    for part in path {
        match part.as_str() {
            "crate" | "self" => {}
            "super" => drop(at.pop()),
            part => {
                let next = [at.as_slice(), &[part.to_owned()]].concat();
                if !tree.contains_key(&next) {
                    break;
                }
                at = next;
            }
        }
    }
    tree.get(&at).map(|file| (at, file))
}

/// The paths in the code with their line numbers: those of `use`, and those that start with `crate::` or `super::`
/// elsewhere.
fn paths(file: &File) -> Vec<(usize, Vec<String>)> {
    let code = file.text.lines().enumerate().take_while(|(_, line)| line.trim() != "#[cfg(test)]");
    let mut code = code.filter(|(_, line)| !line.trim_start().starts_with("//")).peekable();
    let mut paths = Vec::new();
    while let Some((index, line)) = code.next() {
        let statement = line.trim_start();
        let statement = statement.strip_prefix("pub ").unwrap_or(statement);
        if let Some(first) = statement.strip_prefix("use ") {
            let mut text = first.to_owned();
            while !text.contains(';') {
                let Some((_, more)) = code.next() else { break };
                text.push_str(more.trim());
            }
            let text = text.split(';').next().unwrap_or_default();
            expand(&[], text, &mut |path| paths.push((index + 1, path)));
            continue;
        }
        for start in ["crate::", "super::"] {
            for (at, _) in line.match_indices(start) {
                let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
                let path = line[at..].split(|c| !is_path(c)).next().unwrap_or_default();
                paths.push((index + 1, path.split("::").map(ToOwned::to_owned).collect()));
            }
        }
    }
    paths
}

/// Every path of a `use` tree.
fn expand(prefix: &[String], text: &str, found: &mut impl FnMut(Vec<String>)) {
    let text = text.trim();
    match text.split_once('{') {
        None => {
            let name = text.split(" as ").next().unwrap_or_default();
            let parts = name.split("::").map(str::trim).filter(|part| !part.is_empty());
            found(prefix.iter().cloned().chain(parts.map(ToOwned::to_owned)).collect());
        }
        Some((head, rest)) => {
            let parts = head.split("::").map(str::trim).filter(|part| !part.is_empty());
            let prefix: Vec<_> = prefix.iter().cloned().chain(parts.map(ToOwned::to_owned)).collect();
            let inside = rest.rsplit_once('}').map_or(rest, |(inside, _)| inside);
            let (mut depth, mut from) = (0_usize, 0);
            for (at, c) in inside.char_indices().chain([(inside.len(), ',')]) {
                match c {
                    '{' => depth += 1,
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        let item = inside[from..at].trim();
                        if !item.is_empty() {
                            expand(&prefix, item, found);
                        }
                        from = (at + 1).min(inside.len());
                    }
                    _ => {}
                }
            }
        }
    }
}

#[test]
fn use_trees_are_expanded() {
    let mut found = Vec::new();
    expand(&[], "crate::run::{self, counts::{Counter, Counts}, Work as Job}", &mut |path| {
        found.push(path.join("::"));
    });
    let expect =
        ["crate::run::self", "crate::run::counts::Counter", "crate::run::counts::Counts", "crate::run::Work"];
    assert_eq!(found, expect);
}
