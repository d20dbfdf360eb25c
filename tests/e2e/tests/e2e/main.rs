//! The built component, tested from outside: ticks go in, providers are called, documents lie in Firestore.
//!
//! Every test has its own instance, its own providers and its own database in one shared emulator.

mod batches;
mod defects;
mod jobs;
mod logging;
mod outbound;
mod records;
mod requests;
mod service;
mod tickers;
