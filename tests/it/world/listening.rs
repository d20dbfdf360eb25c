//! Captures what a piece of work logs, while other tests have no log.

use orchestrator::base::log::JsonLog;
use tracing::Dispatch;
use tracing::subscriber::{NoSubscriber, with_default};

/// Runs work with its own log.
pub(crate) fn listen<T>(log: JsonLog, work: impl FnOnce() -> T) -> T {
    // `tracing` caches whether a callsite is enabled. With only one dispatcher it asks that of the thread that gets
    // there first; if that thread has none, the callsite is disabled for all. With two, it asks all of them.
    let _second = Dispatch::new(NoSubscriber::default());
    with_default(log, work)
}
