//! A world with virtual time and seeded random numbers.
//!
//! The component sees it through its ports. Everything that happens concurrently is a task of one
//! [`executor::Executor`]: requests in progress, messages in transit, timers. When no task can continue, time jumps to
//! the next timer; the same seed gives the same history, step by step.

pub(crate) mod clock;
pub(crate) mod dice;
pub(crate) mod executor;
pub(crate) mod listening;
