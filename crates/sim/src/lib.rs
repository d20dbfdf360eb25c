//! Everything around the orchestrator, for tests, demonstrations and benchmarks.
//!
//! ```text
//! scheduler ──tick──▶ orchestrator ──fetch──▶ providers ── data, faults, journal
//!                          │
//!                          └──read, write──▶ firestore ◀──seed, read back── watchlist, tests
//! ```
//!
//! - [`scheduler`] simulates Cloud Scheduler; its table of jobs is independent of the orchestrator's.
//! - [`orchestrator`] runs the built component as a process, on this project's host or on Spin.
//! - [`providers`] are the provider services on real sockets, with scripted faults and a journal; each is described by
//!   one file of `services/`.
//! - [`data`] computes their responses, and so what must be stored; [`endpoint`] names paths and collections.
//! - [`firestore`] runs the real emulator or serves a Firestore in memory, reads it with a separate client, and can inject
//!   faults in front of it.
//! - [`google`] issues and checks tokens: published keys, token endpoint, metadata server.
//! - [`gate`] makes parties require such tokens of their callers.
//! - [`watchlist`] is the configuration that the orchestrator reads its tickers from.
//! - [`receivers`] take notifications, as Slack, PagerDuty and others do.
//! - [`relay`] sits in front of a server and counts the packets of requests.
//! - [`stack`] puts all of them together.
//!
//! Nothing here listens or calls outside 127.0.0.1, and no process outlives the one that started it.
#![allow(
    clippy::disallowed_methods,
    reason = "the ban on clocks, environment and processes is the component's"
)]

mod client;
pub mod data;
mod dice;
pub mod endpoint;
mod exchange;
pub mod firestore;
pub mod gate;
pub mod google;
mod job;
pub mod orchestrator;
mod ports;
mod process;
pub mod providers;
pub mod receivers;
pub mod relay;
pub mod scheduler;
mod server;
mod services;
mod spec;
pub mod stack;
pub mod watchlist;

pub use process::Log;
