//! The clocks and the random numbers of WASI.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::transport::SpinTransport;
use crate::base::ports::{BoxFuture, Clock, Entropy, Instant, Machine};
use crate::base::world::World;

// Spin's SDK wraps neither the clocks nor the random numbers.
mod bindings {
    #![allow(missing_docs, unused_qualifications, clippy::all, clippy::pedantic, reason = "generated")]
    wit_bindgen::generate!({ path: "wit", world: "adapter", generate_all });
}
use bindings::wasi::clocks0_3_0::{monotonic_clock, system_clock};
use bindings::wasi::random0_3_0::random;

pub(super) fn world() -> World {
    World {
        transport: Arc::new(SpinTransport),
        clock: Arc::new(WasiClock),
        entropy: Arc::new(WasiEntropy),
        machine: Arc::new(WasmMachine),
    }
}

struct WasiClock;

impl Clock for WasiClock {
    fn now(&self) -> DateTime<Utc> {
        let now = system_clock::now();
        DateTime::from_timestamp(now.seconds, now.nanoseconds).unwrap_or_default()
    }

    fn instant(&self) -> Instant {
        Instant::from_origin(Duration::from_nanos(monotonic_clock::now()))
    }

    fn sleep(&self, length: Duration) -> BoxFuture<'static, ()> {
        Box::pin(spin_sdk::time::sleep(length))
    }
}

struct WasiEntropy;

impl Entropy for WasiEntropy {
    fn next_u64(&self) -> u64 {
        random::get_random_u64()
    }
}

struct WasmMachine;

impl Machine for WasmMachine {
    fn memory_bytes(&self) -> Option<u64> {
        const PAGE_BYTES: u64 = 64 << 10;
        u64::try_from(core::arch::wasm32::memory_size(0)).ok()?.checked_mul(PAGE_BYTES)
    }
}
