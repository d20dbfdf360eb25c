//! Hearing what a piece of work logs, while other tests log into nothing.

use orchestrator::base::log::JsonLog;
use tracing::Dispatch;
use tracing::subscriber::{NoSubscriber, with_default};

/// Does some work with its own log.
pub(crate) fn listen<T>(log: JsonLog, work: impl FnOnce() -> T) -> T {
    // Where there is but one log, a place that logs for the first time is judged by the log of the thread that comes
    // there first: if that thread has none, the place is silent for all. With two, all are asked.
    let _second = Dispatch::new(NoSubscriber::default());
    with_default(log, work)
}
