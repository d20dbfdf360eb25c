//! Files generated from the code, either whole or in part between two marks.
//!
//! `UPDATE=1 cargo test --test it` updates them.

use std::collections::BTreeMap;
use std::fs;

use super::files::{read, root};

/// The lines before and after a generated part.
pub struct Marks {
    start: String,
    end: String,
}

impl Marks {
    /// Comments of Markdown: `<!-- name:start -->`.
    pub fn markdown(name: &str) -> Self {
        Self { start: format!("<!-- {name}:start -->\n"), end: format!("<!-- {name}:end -->") }
    }

    /// Comments of TOML: `# name:start`.
    pub fn toml(name: &str) -> Self {
        Self::comment("#", name)
    }

    /// Comments that start with this sign, each on a separate line.
    pub fn comment(sign: &str, name: &str) -> Self {
        Self { start: format!("{sign} {name}:start\n"), end: format!("{sign} {name}:end") }
    }
}

/// Compares the part of a file between the marks, or updates it when asked to.
pub fn check(file: &str, marks: &Marks, expected: &str) {
    let path = root().join(file);
    let text = read(&path);
    let (head, body, tail) = split(file, &text, marks);
    if body == expected {
        return;
    }
    assert!(
        std::env::var_os("UPDATE").is_some(),
        "{file}: the part after `{}` is out of date; update it with `UPDATE=1 cargo test --test it`",
        marks.start.trim()
    );
    fs::write(&path, format!("{head}{expected}{tail}")).expect("the file is writable");
}

/// Compares a whole file, or updates it when asked to.
pub fn check_file(file: &str, expected: &str) {
    let path = root().join(file);
    if fs::read_to_string(&path).is_ok_and(|text| text == expected) {
        return;
    }
    assert!(
        std::env::var_os("UPDATE").is_some(),
        "{file} is out of date; update it with `UPDATE=1 cargo test --test it`"
    );
    fs::write(&path, expected).expect("the file is writable");
}

/// Compares all files of a folder by name, or updates them when asked to; it may have no other files.
pub fn check_folder(folder: &str, expected: &BTreeMap<String, String>) {
    let path = root().join(folder);
    fs::create_dir_all(&path).expect("the folder can be made");
    for (name, text) in expected {
        check_file(&format!("{folder}/{name}"), text);
    }
    for entry in path.read_dir().expect("the folder is readable") {
        let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
        assert!(expected.contains_key(&name), "{folder}/{name} is no longer generated: delete it");
    }
}

/// Splits the text into the parts up to and including the start mark, between the marks, and from the end mark on.
fn split<'a>(file: &str, text: &'a str, marks: &Marks) -> (&'a str, &'a str, &'a str) {
    let missing = |mark: &str| panic!("{file} has no line `{}`", mark.trim());
    let from = text.find(&marks.start).unwrap_or_else(|| missing(&marks.start)) + marks.start.len();
    let to = text[from..].find(&marks.end).unwrap_or_else(|| missing(&marks.end)) + from;
    (&text[..from], &text[from..to], &text[to..])
}
