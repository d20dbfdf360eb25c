//! The orchestrator: receives Cloud Scheduler's ticks, calls the provider services, stores their data in
//! Firestore, and tells the scheduler what to do next.
//!
//! The path of a request through the code:
//!
//! ```text
//!   Cloud Scheduler ──POST──▶ spin      (wasm only) Spin's entry point and its adapters
//!                              │
//!                             http      route: the catalogue's routes, the operators' routes
//!                              │        authenticate: who calls
//!                           request     parse: headers and body into a typed trigger
//!                              │
//!                            app.rs     the whole path on one screen
//!                              │
//!                           ledger      claim: one owner per run, or the current owner's report
//!                              │
//!                            plan       scope → tickers → work
//!                              │
//!                           execute     batches out, responses in, checkpoints
//!                          ╱       ╲
//!                   provider       persist   what responses mean; records, rejected records, raw logs
//!                          ╲       ╱
//!                           report      ledger entry, log line and HTTP response from one value
//! ```
//!
//! Alongside, for operators: [`ops`] (status, alerts, metrics) and [`telemetry`] (log, traces). Below them:
//! [`resilience`] and [`breakers`] (retry, backoff, breaker, deadline), [`firestore`] (the REST layer), [`google`]
//! (tokens), [`run`] (what is known of a run), [`job`] (the catalogue), [`config`], [`ports`] (the world as the
//! domain sees it: transport, clocks, entropy, machine).

// clippy.toml lists what the core must not call, and the alternatives.
#![warn(clippy::disallowed_methods)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod app;
pub mod auth;
pub mod breakers;
pub mod cached;
pub mod config;
pub mod connections;
pub mod execute;
pub mod firestore;
pub mod google;
pub mod http_api;
pub mod job;
pub mod ledger;
pub mod ops;
pub mod persist;
pub mod plan;
pub mod ports;
pub mod provider;
pub mod redact;
pub mod report;
pub mod request;
pub mod resilience;
pub mod run;
pub mod telemetry;

#[cfg(target_family = "wasm")]
mod spin;
