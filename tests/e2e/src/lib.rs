//! Shared by the end-to-end tests: the built component on its runtime, and what Firestore must contain.
//!
//! - [`runtime`] selects what runs the component and finds its files.
//! - [`system`] starts it with simulated providers and a separate database, and sends it requests.
//! - [`trust`] starts it with authentication.
//! - [`stored`] compares the contents of Firestore with what the providers sent.
//!
//! The functions are assertions: they panic with the reason if the test must fail.
#![allow(
    clippy::disallowed_methods,
    reason = "the ban on clocks, environment and processes is the component's"
)]

pub mod runtime;
pub mod stored;
pub mod system;
pub mod trust;
