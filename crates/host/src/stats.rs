//! What a host has done so far.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use wasmtime::ResourceLimiter;

/// Figures of one host since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Instances of the component that were created.
    pub instances_created: u64,
    /// Requests that were handed to the component.
    pub requests_served: u64,
    /// The most linear memory that one instance had, in bytes.
    pub memory_bytes_peak: u64,
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "instances_created={} requests_served={} memory_bytes_peak={}",
            self.instances_created, self.requests_served, self.memory_bytes_peak
        )
    }
}

/// Counts while the host runs.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    instances_created: AtomicU64,
    requests_served: AtomicU64,
    memory_bytes_peak: AtomicU64,
}

impl Counters {
    pub(crate) fn add_instance(&self) {
        self.instances_created.fetch_add(1, Relaxed);
    }

    pub(crate) fn add_request(&self) {
        self.requests_served.fetch_add(1, Relaxed);
    }

    pub(crate) fn snapshot(&self) -> Stats {
        Stats {
            instances_created: self.instances_created.load(Relaxed),
            requests_served: self.requests_served.load(Relaxed),
            memory_bytes_peak: self.memory_bytes_peak.load(Relaxed),
        }
    }
}

/// Watches the linear memories of one instance grow; refuses nothing.
pub(crate) struct MemoryMeter {
    counters: std::sync::Arc<Counters>,
    bytes: u64,
}

impl MemoryMeter {
    pub(crate) fn new(counters: std::sync::Arc<Counters>) -> Self {
        Self { counters, bytes: 0 }
    }
}

impl ResourceLimiter for MemoryMeter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // An instance may have several memories: count what each one adds.
        self.bytes += desired.saturating_sub(current) as u64;
        self.counters.memory_bytes_peak.fetch_max(self.bytes, Relaxed);
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        _desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(true)
    }
}
