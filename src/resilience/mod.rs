//! How failures are handled: pure decisions that take state and time and return a named result.

pub mod backoff;
pub mod breaker;
pub mod class;
pub mod deadline;
pub mod diagnosis;
pub mod limits;
pub mod pace;
pub mod retry;
pub mod retry_after;
pub mod slots;
