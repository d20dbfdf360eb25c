//! The clocks of one instance.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use orchestrator::base::ports::{BoxFuture, Clock, Instant};

use super::executor::Handle;

/// The wall-clock time at which every world begins.
pub(crate) const EPOCH: DateTime<Utc> = DateTime::from_timestamp(1_795_456_800, 0).expect("a time");

/// The true wall-clock time, `now` after the world's beginning.
pub(crate) fn civil(now: Duration) -> DateTime<Utc> {
    EPOCH + TimeDelta::from_std(now).expect("in range")
}

/// Virtual clocks: the wall clock is off by `skew`, the monotonic clock starts at `origin`.
#[derive(Clone, Debug)]
pub(crate) struct VirtualClock {
    handle: Handle,
    skew: TimeDelta,
    origin: Duration,
}

impl VirtualClock {
    pub(crate) fn new(handle: Handle, skew: TimeDelta, origin: Duration) -> Self {
        Self { handle, skew, origin }
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> DateTime<Utc> {
        civil(self.handle.now()) + self.skew
    }

    fn instant(&self) -> Instant {
        Instant::from_origin(self.origin + self.handle.now())
    }

    fn sleep(&self, length: Duration) -> BoxFuture<'static, ()> {
        Box::pin(self.handle.sleep(length))
    }
}
