//! Progress messages of the commands. They go to stderr, so that stdout has only results.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};
use indicatif::{ProgressBar, ProgressStyle};

/// Lines shown of a failed command's output: enough for its last error.
const TAIL_LINES: usize = 30;

/// Maximum columns of a table; longer cells are wrapped.
const TABLE_WIDTH: u16 = 110;

/// Lines above and below, and one under the header.
const TABLE_STYLE: TableStyle = TableStyle::new()
    .top_border(LineStyle::none().fill('─').junction('─'))
    .header_separator(LineStyle::none().fill('─').junction('─'))
    .bottom_border(LineStyle::none().fill('─').junction('─'));

/// Announces a step.
pub fn step(message: &str) {
    eprintln!("==> {message}");
}

/// Adds a note below a step.
pub fn note(message: &str) {
    eprintln!("    {message}");
}

/// An empty table in the style of all commands.
pub fn table<const COLUMNS: usize>(header: [&str; COLUMNS]) -> Table {
    let mut table = Table::new();
    table.load_style(TABLE_STYLE).set_header(header);
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(TABLE_WIDTH);
    table
}

/// A spinner with the elapsed time; a plain line if stderr is not a terminal.
pub fn spinner(message: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("    {spinner} {msg} ({elapsed})");
    bar.set_style(style.expect("the template is valid"));
    bar.set_message(message.to_owned());
    if bar.is_hidden() {
        note(message);
    } else {
        bar.enable_steady_tick(Duration::from_millis(100));
    }
    bar
}

/// Runs a command that shows its own output and must succeed.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start `{}`", show(command)))?;
    if !status.success() {
        bail!("`{}` failed: {status}", show(command));
    }
    Ok(())
}

/// Runs a command, shows its output as it arrives and passes each line to `each`; returns whether it succeeded.
pub fn watch(command: &mut Command, mut each: impl FnMut(&str)) -> Result<bool> {
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start {program}"))?;
    let output = child.stdout.take().with_context(|| format!("{program} has no output"))?;
    let mut screen = std::io::stdout().lock();
    for line in BufReader::new(output).lines() {
        let line = line?;
        writeln!(screen, "{line}")?;
        each(&line);
    }
    Ok(child.wait()?.success())
}

/// Runs a command behind a spinner and returns its stdout; its stderr is shown only if it fails.
pub fn run_quietly(message: &str, command: &mut Command) -> Result<String> {
    let bar = spinner(message);
    let output = capture(command);
    bar.finish_and_clear();
    output
}

/// Runs a command silently and returns its stdout; an error contains the end of its stderr.
pub fn capture(command: &mut Command) -> Result<String> {
    let output =
        command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{}`", show(command)))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed: {}\n{}", show(command), output.status, tail(&stderr));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// A command as typed in a shell.
pub fn show(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

fn tail(text: &str) -> String {
    let lines: Vec<_> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}
