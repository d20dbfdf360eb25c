//! The README's reference tables are written from the code: `UPDATE=1 cargo test --test it tidy` renews them.

use std::fmt::Write;

use orchestrator::catalogue::job::SCHEDULE_TIME_ZONE;
use orchestrator::catalogue::jobs;
use orchestrator::config::keys::keys;

use super::generated::{Marks, check};

#[test]
fn the_readmes_tables_are_the_catalogue_and_the_settings() {
    // One test for both: renewing writes one file.
    check("README.md", &Marks::markdown("jobs"), &jobs_table());
    check("README.md", &Marks::markdown("variables"), &settings_table());
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

fn settings_table() -> String {
    let mut table = String::from("| variable | default | meaning |\n|---|---|---|\n");
    for key in keys() {
        let default = if key.default.is_empty() { String::new() } else { format!("`{}`", key.default) };
        let plain = key.env.map(|name| format!(" (also `{name}`)")).unwrap_or_default();
        let secret = if key.secret { "Secret. " } else { "" };
        let _ = writeln!(table, "| `{}`{plain} | {default} | {secret}{} |", key.name, key.description);
    }
    table
}
