//! The README's reference tables are written from the code: `UPDATE=1 cargo test --test it tidy` renews them.

use std::fmt::Write;
use std::fs;

use orchestrator::config::keys::KEYS;
use orchestrator::job::CATALOGUE;
use orchestrator::job::catalogue::SCHEDULE_TIME_ZONE;

use super::files::{read, root};

#[test]
fn the_readmes_tables_are_the_catalogue_and_the_settings() {
    // One test for both: renewing writes one file.
    check("jobs", &jobs_table());
    check("variables", &settings_table());
}

/// Compares the part of the README between the markers of that name, or renews it when asked to.
fn check(name: &str, expected: &str) {
    let path = root().join("README.md");
    let text = read(&path);
    let (head, body, tail) = split(&text, name);
    if body == expected {
        return;
    }
    assert!(
        std::env::var_os("UPDATE").is_some(),
        "README.md: the part `{name}` is out of date; renew it by `UPDATE=1 cargo test --test it tidy`"
    );
    fs::write(&path, format!("{head}{expected}{tail}")).expect("README.md is writable");
}

/// The text up to and with the start marker, between the markers, and from the end marker on.
fn split<'a>(text: &'a str, name: &str) -> (&'a str, &'a str, &'a str) {
    let (start, end) = (format!("<!-- {name}:start -->\n"), format!("<!-- {name}:end -->"));
    let missing = |marker: &str| panic!("README.md has no line `{}`", marker.trim());
    let from = text.find(&start).unwrap_or_else(|| missing(&start)) + start.len();
    let to = text[from..].find(&end).unwrap_or_else(|| missing(&end)) + from;
    (&text[..from], &text[from..to], &text[to..])
}

fn jobs_table() -> String {
    let mut table =
        format!("| job | route (POST) | scope | calls | schedule, {SCHEDULE_TIME_ZONE} | what it does |\n");
    table.push_str("|---|---|---|---|---|---|\n");
    for job in CATALOGUE {
        let paths: Vec<_> = job.endpoints.iter().map(|endpoint| format!("`{}`", endpoint.path)).collect();
        let _ = writeln!(
            table,
            "| {} | `{}` | {} | {} {} | `{}` | {} |",
            job.name,
            job.route,
            job.scope,
            job.provider.name(),
            paths.join(", "),
            job.schedule,
            job.summary
        );
    }
    table
}

fn settings_table() -> String {
    let mut table = String::from("| variable | default | meaning |\n|---|---|---|\n");
    for key in KEYS {
        let default = if key.default.is_empty() { String::new() } else { format!("`{}`", key.default) };
        let plain = key.env.map(|name| format!(" (also `{name}`)")).unwrap_or_default();
        let secret = if key.secret { "Secret. " } else { "" };
        let _ = writeln!(table, "| `{}`{plain} | {default} | {secret}{} |", key.name, key.description);
    }
    table
}
