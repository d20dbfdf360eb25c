//! The repository's text files.

use std::fs;
use std::path::Path;

/// One text file.
#[derive(Debug)]
pub struct File {
    /// Path below the root, with `/` between its parts.
    pub path: String,
    pub text: String,
}

impl File {
    pub fn is_rust(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|extension| extension == "rs")
    }

    /// Whether the whole file consists of tests.
    pub fn is_test(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }
}

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every text file except the output of builds and tools; does not need git.
pub fn tracked_files() -> Vec<File> {
    let ignored: Vec<_> =
        read(&root().join(".gitignore")).lines().map(|line| line.trim_matches('/').to_owned()).collect();
    let mut files = Vec::new();
    collect(root(), &ignored, &mut files);
    assert!(files.len() > 20, "found only {} files below {}", files.len(), root().display());
    files
}

fn collect(folder: &Path, ignored: &[String], files: &mut Vec<File>) {
    let entries =
        folder.read_dir().unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("an entry").path();
        let below = path.strip_prefix(root()).expect("below the root").to_string_lossy().replace('\\', "/");
        if below == ".git" || ignored.contains(&below) {
            continue;
        }
        if path.is_dir() {
            // Every build directory has this tag, whatever its name.
            if !path.join("CACHEDIR.TAG").exists() {
                collect(&path, ignored, files);
            }
        } else if let Ok(text) = fs::read_to_string(&path) {
            files.push(File { path: below, text });
        }
    }
}

/// The text of a file that must exist.
pub fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}
