//! What the end-to-end tests share: the built component on its runtime, and what must be found in Firestore.
//!
//! - [`runtime`] says what runs the component and where its parts lie.
//! - [`system`] starts it beside simulated providers and a database of its own, and asks it things.
//! - [`trust`] starts it where tokens count.
//! - [`stored`] holds what is found in Firestore against what the providers sent.
//!
//! The functions panic where a test must fail, with the reason: they are assertions.
#![allow(
    clippy::disallowed_methods,
    reason = "the ban on clocks, environment and processes is the component's"
)]

pub mod runtime;
pub mod stored;
pub mod system;
pub mod trust;
