//! The reference tables of `README.md` and `docs/settings.md` are generated from the code: `UPDATE=1 cargo test --test
//! it tidy` updates them.

use std::fmt::Write;

use orchestrator::catalogue::job::SCHEDULE_TIME_ZONE;
use orchestrator::catalogue::jobs;
use orchestrator::config::keys::{Key, keys};

use super::generated::{Marks, check};

#[test]
fn the_readmes_tables_are_the_catalogue_and_the_settings_to_start_with() {
    // One test for both: they update the same file.
    check("README.md", &Marks::markdown("jobs"), &jobs_table());
    check(
        "README.md",
        &Marks::markdown("settings"),
        &settings_table(keys().iter().filter(|key| to_start_with(key))),
    );
}

#[test]
fn the_reference_has_every_setting() {
    check("docs/settings.md", &Marks::markdown("variables"), &settings_table(keys()));
}

/// The settings with a plain name are those that a beginner sets.
fn to_start_with(key: &Key) -> bool {
    key.env.is_some()
}

fn jobs_table() -> String {
    let mut table =
        format!("| job | route (POST) | scope | calls | schedule, {SCHEDULE_TIME_ZONE} | what it does |\n");
    table.push_str("|---|---|---|---|---|---|\n");
    for job in jobs() {
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

fn settings_table<'a>(keys: impl IntoIterator<Item = &'a Key>) -> String {
    let mut table = String::from("| variable | default | meaning |\n|---|---|---|\n");
    for key in keys {
        let default = if key.default.is_empty() { String::new() } else { format!("`{}`", key.default) };
        let plain = key.env.map(|name| format!(" (also `{name}`)")).unwrap_or_default();
        let secret = if key.secret { "Secret. " } else { "" };
        let _ = writeln!(table, "| `{}`{plain} | {default} | {secret}{} |", key.name, key.description);
    }
    table
}
