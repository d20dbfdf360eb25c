//! Statistics of a host.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use wasmtime::{CallHook, ResourceLimiter};

/// Figures of one host since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Instances of the component that were created.
    pub instances_created: u64,
    /// Requests passed to the component.
    pub requests_served: u64,
    /// Peak linear memory of a single instance, in bytes.
    pub memory_bytes_peak: u64,
    /// Processor time spent in the component's own code, all instances together, in microseconds.
    pub guest_cpu_us: u64,
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "instances_created={} requests_served={} memory_bytes_peak={} guest_cpu_us={}",
            self.instances_created, self.requests_served, self.memory_bytes_peak, self.guest_cpu_us
        )
    }
}

/// The counters of a running host.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    instances_created: AtomicU64,
    requests_served: AtomicU64,
    memory_bytes_peak: AtomicU64,
    guest_cpu_us: AtomicU64,
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
            guest_cpu_us: self.guest_cpu_us.load(Relaxed),
        }
    }
}

/// Measures the growth of one instance's linear memories without limiting it.
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

/// Measures the time that one instance spends in its own code, from each entry into WebAssembly to the next exit. It
/// uses the thread's CPU clock, which does not advance while another thread runs.
pub(crate) struct GuestClock {
    counters: std::sync::Arc<Counters>,
    entered: Duration,
    /// The unrecorded rest: the counter has whole microseconds, and most stays are shorter.
    rest: Duration,
}

impl GuestClock {
    pub(crate) fn new(counters: std::sync::Arc<Counters>) -> Self {
        Self { counters, entered: Duration::ZERO, rest: Duration::ZERO }
    }

    pub(crate) fn crosses(&mut self, border: CallHook) {
        let now = thread_time();
        if border.exiting_host() {
            self.entered = now;
        } else {
            self.rest += now.saturating_sub(self.entered);
            let micros = u64::try_from(self.rest.as_micros()).unwrap_or_default();
            self.rest -= Duration::from_micros(micros);
            self.counters.guest_cpu_us.fetch_add(micros, Relaxed);
        }
    }
}

fn thread_time() -> Duration {
    // Cannot fail: the kernel's time is never negative.
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}
