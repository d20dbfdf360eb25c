//! Runs `gcloud`, or shows what it would run.

use std::process::Command;

use anyhow::Result;

use crate::progress;

/// Whether commands are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Only print them: the output is a script.
    DryRun,
    Apply,
}

/// One `gcloud` command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call(pub Vec<String>);

impl Call {
    pub fn new<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Self {
        Self(arguments.into_iter().map(ToOwned::to_owned).collect())
    }

    /// Adds `--name=value`.
    pub fn with(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.0.push(format!("--{name}={value}"));
        self
    }

    /// The command in shell syntax.
    pub fn shell(&self) -> String {
        let arguments = self.0.iter().map(|argument| quoted(argument));
        std::iter::once("gcloud".to_owned()).chain(arguments).collect::<Vec<_>>().join(" ")
    }

    /// Prints the command and, unless this is a dry run, runs it.
    pub fn perform(&self, mode: Mode) -> Result<()> {
        println!("{}", self.shell());
        match mode {
            Mode::DryRun => Ok(()),
            Mode::Apply => progress::run(&mut self.command()),
        }
    }

    /// Runs a query that changes nothing, even in a dry run.
    ///
    /// A dry run must work even if gcloud is not installed or not logged in: then the answer is none.
    pub fn ask(&self, mode: Mode) -> Result<Option<String>> {
        match (progress::capture(&mut self.command()), mode) {
            (Ok(answer), _) => Ok(Some(answer)),
            (Err(error), Mode::Apply) => Err(error),
            (Err(_), Mode::DryRun) => {
                progress::note("gcloud cannot list what exists: showing the commands for a new project");
                Ok(None)
            }
        }
    }

    fn command(&self) -> Command {
        let mut command = Command::new("gcloud");
        // Otherwise gcloud may prompt, for example to enable an API.
        command.args(&self.0).env("CLOUDSDK_CORE_DISABLE_PROMPTS", "1");
        command
    }
}

/// A word in shell syntax.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_in_shell_syntax() {
        let call = Call::new(["jobs", "create"]).with("schedule", "*/5 9-16 * * 1-5").with("note", "it's");
        assert_eq!(call.shell(), r"gcloud jobs create '--schedule=*/5 9-16 * * 1-5' '--note=it'\''s'");
    }
}
