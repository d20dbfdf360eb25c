//! The lines that a process writes, kept for tests to inspect.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Maximum lines kept; the oldest are dropped.
const LINES_MAX: usize = 100_000;
/// Lines quoted in an error message.
const TAIL_LINES: usize = 20;

/// The last lines of a process's output. Clones share one list.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Lines>>);

#[derive(Debug, Default)]
struct Lines {
    kept: VecDeque<String>,
    forgotten: usize,
}

impl Log {
    /// All lines kept.
    pub fn lines(&self) -> Vec<String> {
        self.lock().kept.iter().cloned().collect()
    }

    /// Number of lines written so far, for [`Log::since`].
    pub fn mark(&self) -> usize {
        let lines = self.lock();
        lines.forgotten + lines.kept.len()
    }

    /// The lines written after `mark` was taken.
    pub fn since(&self, mark: usize) -> Vec<String> {
        let lines = self.lock();
        lines.kept.iter().skip(mark.saturating_sub(lines.forgotten)).cloned().collect()
    }

    /// The first line that contains `text`.
    pub fn find(&self, text: &str) -> Option<String> {
        self.lock().kept.iter().find(|line| line.contains(text)).cloned()
    }

    /// Waits for a line that contains `text`.
    pub async fn wait_for(&self, text: &str, limit: Duration) -> Result<String> {
        let start = Instant::now();
        loop {
            if let Some(line) = self.find(text) {
                return Ok(line);
            }
            if start.elapsed() > limit {
                bail!("no line with {text:?} within {limit:?}; the last lines are:\n{}", self.tail());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The last few lines, for an error message.
    pub fn tail(&self) -> String {
        let lines = self.lock();
        let skipped = lines.kept.len().saturating_sub(TAIL_LINES);
        lines.kept.iter().skip(skipped).cloned().collect::<Vec<_>>().join("\n")
    }

    /// Reads the lines of `output` until it ends, on a separate thread so that no runtime can starve it.
    pub(crate) fn collect(&self, output: impl Read + Send + 'static, echo: bool) {
        let log = self.clone();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(output);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
                let text = String::from_utf8_lossy(&line).trim_end().to_owned();
                line.clear();
                if echo {
                    eprintln!("{text}");
                }
                log.push(text);
            }
        });
    }

    fn push(&self, line: String) {
        let mut lines = self.lock();
        if lines.kept.len() == LINES_MAX {
            lines.kept.pop_front();
            lines.forgotten += 1;
        }
        lines.kept.push_back(line);
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_stays_valid_when_old_lines_are_dropped() {
        let log = Log::default();
        (0..LINES_MAX).for_each(|number| log.push(number.to_string()));
        let mark = log.mark();
        log.push("new".to_owned());
        assert_eq!(log.lines().len(), LINES_MAX);
        assert_eq!(log.since(mark), ["new"]);
        assert_eq!(log.find("99999").as_deref(), Some("99999"));
    }
}
