//! The orchestrator: takes Cloud Scheduler's ticks, calls the provider services, stores what they
//! answer in Firestore, and tells the scheduler what to do next.
//!
//! The way of a request, and where it is in the code:
//!
//! ```text
//!   Cloud Scheduler ──POST──▶ spin      (wasm only) Spin's entry point and its adapters
//!                              │
//!                             http      route: the catalogue's routes, the operators' routes
//!                              │        authenticate: who calls
//!                           request     parse: headers and body into a typed trigger
//!                              │
//!                            app.rs     the whole way on one screen
//!                              │
//!                           ledger      claim: one owner a run, or the answer for the owner
//!                              │
//!                            plan       scope → tickers → work
//!                              │
//!                           execute     batches out, answers in, checkpoints
//!                          ╱       ╲
//!                   provider       persist   what answers mean; records, rejected records, raw logs
//!                          ╲       ╱
//!                           report      ledger entry, log line and HTTP answer from one value
//! ```
//!
//! Beside them, for operators: [`ops`] (status, alerts, metrics) and [`telemetry`] (log, traces). Below them:
//! [`resilience`] and [`breakers`] (retry, backoff, breaker, deadline), [`firestore`] (the REST layer), [`google`]
//! (tokens), [`run`] (what is known of a run), [`job`] (the catalogue), [`config`], [`ports`] (the world as the
//! domain sees it: transport, clocks, entropy, machine).

// clippy.toml names what the core may not call, and what to do instead.
#![warn(clippy::disallowed_methods)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

pub mod api;
pub mod app;
pub mod auth;
pub mod base;
pub mod calendar;
pub mod catalogue;
pub mod config;
pub mod engine;
pub mod firestore;
pub mod google;
pub mod intake;
pub mod ledger;
pub mod ops;
pub mod provider;
pub mod resilience;
pub mod run;

#[cfg(target_family = "wasm")]
mod spin;
