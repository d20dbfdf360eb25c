//! The functions that `tests/it/hostile` gives its cases to.
#![allow(dead_code, reason = "what the tests use, a fuzzer may not")]

#[path = "../../tests/it/hostile/deaf.rs"]
mod deaf;
#[path = "../../tests/it/hostile/targets.rs"]
pub mod targets;
