//! Resource usage of processes, from `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// A process and its descendants: `spin up` serves in a child process.
pub fn tree(process: u32) -> Result<Vec<String>> {
    let (mut found, mut next) = (Vec::new(), vec![process.to_string()]);
    while let Some(process) = next.pop() {
        for thread in fs::read_dir(format!("/proc/{process}/task"))? {
            let children = fs::read_to_string(thread?.path().join("children")).unwrap_or_default();
            next.extend(children.split_whitespace().map(str::to_owned));
        }
        found.push(process);
    }
    Ok(found)
}

/// Processor time of a process (`self` for this one), user and system.
pub fn cpu(process: &str) -> Result<Duration> {
    /// Clock ticks per second in `/proc` (`sysconf(_SC_CLK_TCK)`, 100 on every current Linux).
    const TICKS: u64 = 100;
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The program's name, in parentheses, may contain blanks; utime and stime are the 12th and 13th fields after it.
    let (_, fields) = stat.rsplit_once(") ").context("no fields")?;
    let fields: Vec<_> = fields.split(' ').collect();
    let field =
        |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok()).context("no processor time");
    Ok(Duration::from_millis((field(11)? + field(12)?) * 1000 / TICKS))
}

/// Peak memory of a process, in MiB.
pub fn memory_mib(process: &str) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kib / 1024.0)
}
