//! Everything that stands around the orchestrator, for tests, demonstrations and benchmarks.
#![allow(
    clippy::disallowed_methods,
    reason = "the ban on clocks, environment and processes is the component's"
)]

pub mod data;
pub mod endpoint;
pub mod providers;
