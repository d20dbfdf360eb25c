//! Which process runs on which cores.
//!
//! In production Firestore runs on another machine. Here the emulator would compete for the cores that the orchestrator
//! is measured on, and a run that overlaps its calls with its writes would look slow because of it. So the emulator has
//! its own cores; everything else, including the bare client, shares the others.

use std::{fs, io};

use anyhow::{Context, Result};
use rustix::io::Errno;
use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_setaffinity};

/// The cores of this process and their assignment.
#[derive(Clone, Debug)]
pub struct Cores {
    all: CpuSet,
    emulator: CpuSet,
    others: CpuSet,
}

impl Cores {
    /// Assigns the cores; a single one is shared by all.
    pub fn new() -> Result<Self> {
        let all = sched_getaffinity(None).context("the cores of this process")?;
        let count = all.count();
        let mut cores = Self { all, emulator: CpuSet::new(), others: CpuSet::new() };
        let ours = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
        for (core, number) in ours.zip(0..) {
            if count == 1 || number < count / 2 {
                cores.emulator.set(core);
            }
            if count == 1 || number >= count / 2 {
                cores.others.set(core);
            }
        }
        Ok(cores)
    }

    /// Keeps this thread, and everything it starts from now on, off the emulator's cores.
    pub fn leave_the_emulator_alone(&self) -> io::Result<()> {
        Ok(sched_setaffinity(None, &self.others)?)
    }

    /// Lets what this thread starts in `start` use all cores: an emulator compiles its code in its first seconds.
    pub async fn all_for<T>(&self, start: impl Future<Output = Result<T>>) -> Result<T> {
        sched_setaffinity(None, &self.all)?;
        let started = start.await;
        self.leave_the_emulator_alone()?;
        started
    }

    /// Keeps the emulator, a process and its children, on its own cores from now on.
    pub fn confine_the_emulator(&self, process: u32) -> Result<()> {
        for thread in threads_below(process)? {
            match sched_setaffinity(Pid::from_raw(thread), &self.emulator) {
                // A thread may have ended meanwhile.
                Ok(()) | Err(Errno::SRCH) => {}
                Err(error) => return Err(error).context("the emulator's cores"),
            }
        }
        Ok(())
    }

    /// The numbers of cores for the emulator and for everything else.
    pub fn counts(&self) -> (u32, u32) {
        (self.emulator.count(), self.others.count())
    }
}

/// All threads of a process and its descendants.
fn threads_below(process: u32) -> Result<Vec<i32>> {
    let (mut threads, mut processes) = (Vec::new(), vec![process.to_string()]);
    while let Some(process) = processes.pop() {
        for thread in fs::read_dir(format!("/proc/{process}/task"))? {
            let thread = thread?;
            threads.push(thread.file_name().to_string_lossy().parse()?);
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            processes.extend(children.split_whitespace().map(str::to_owned));
        }
    }
    Ok(threads)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_core_is_assigned_and_only_a_single_core_is_shared() {
        let cores = Cores::new().unwrap();
        let all = sched_getaffinity(None).unwrap();
        let (emulator, others) = cores.counts();
        let expect = if all.count() == 1 { (1, 1) } else { (all.count() / 2, all.count().div_ceil(2)) };
        assert_eq!((emulator, others), expect);
        let threads = threads_below(std::process::id()).unwrap();
        assert!(threads.contains(&i32::try_from(std::process::id()).unwrap()), "{threads:?}");
    }
}
