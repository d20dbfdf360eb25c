//! Tests of the simulators from outside, with real sockets, real processes and both Firestores.
#![allow(
    clippy::disallowed_methods,
    reason = "the ban on clocks, environment and processes is the component's"
)]

mod firestore;
mod google;
mod limits;
mod orchestrator;
mod providers;
mod proxy;
mod stack;
mod wire;
