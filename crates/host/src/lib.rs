//! Serves the component of a Spin application on an embedded Wasmtime, for machines without Spin.
//!
//! For development and tests: the same engine, the same instance reuse and the same manifest as Spin's HTTP trigger,
//! many applications in one process, and none of Spin's interfaces that the component's world does not name.
//!
//! ```text
//! spin.toml ─ manifest ─┐
//! environment, flags,   ├─ variables, template, outbound ─ app ─┐
//! runtime_config ───────┘                                       │
//! wit/ ─ bindings ─ guest ──────────────────── engine ──────────┤
//!                                                               host
//!   client ── server ── instances ── guest ── outbound, client ── other servers
//! ```

pub mod app;
pub mod bindings;
mod client;
pub mod engine;
pub mod guest;
mod host;
mod instances;
pub mod log;
pub mod manifest;
pub mod outbound;
pub mod problems;
pub mod runtime_config;
pub mod server;
pub mod stats;
pub mod template;
pub mod variables;

pub use host::{Host, RunningHost};
pub use instances::Reuse;
