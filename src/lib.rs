//! The orchestrator: receives Cloud Scheduler's ticks, calls the provider services, stores their data in Firestore, and
//! tells the scheduler what to do next.
//!
//! The rooms, from the top. A room uses only rooms below it, and rooms on the same line do not see each other;
//! `tests/it/tidy/layers.rs` enforces this.
//!
//! ```text
//!   Cloud Scheduler ──POST──▶ spin         (wasm only) Spin's entry point and its adapters
//!                              api         route, authenticate, parse; answer
//!                              app         an instance, put together from its settings
//!                           notify         tells people about alerts
//!   ── conduct and judge ────────────────────────────────────────────────────────────────
//!                       engine   ops       one run from claim to close │ facts, alerts, views
//!   ── remember, read, call ─────────────────────────────────────────────────────────────
//!            ledger   intake   provider    runs, statistics, coverage │ a response │ calls and breakers
//!   ── tools ────────────────────────────────────────────────────────────────────────────
//!                    firestore   auth      the REST layer │ who may call
//!                              run         the values of a run
//!                           google         tokens
//!                       resilience         pure decisions
//!   ── ground ───────────────────────────────────────────────────────────────────────────
//!                           config         the table of settings
//!                        catalogue         jobs, datasets, tickers; one file a provider
//!                         calendar         when jobs are due and when the market is open
//!                             base         the world as the domain sees it
//! ```

// clippy.toml lists what the core must not call, and the alternatives.
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
pub mod notify;
pub mod ops;
pub mod provider;
pub mod resilience;
pub mod run;
pub mod settings;

#[cfg(target_family = "wasm")]
mod spin;
