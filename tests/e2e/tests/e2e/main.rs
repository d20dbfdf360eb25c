//! The built component, tested from outside: ticks go in, providers are called, documents lie in Firestore.
//!
//! Every test has its own instance, its own providers and its own database in one shared emulator.

mod api_docs;
mod batches;
mod breaker;
mod deadline;
mod defects;
mod faults;
mod firestore_down;
mod hostile;
mod instances;
mod jobs;
mod ledger;
mod logging;
mod outbound;
mod payloads;
mod poison;
mod records;
mod requests;
mod runs;
mod service;
mod status;
mod tickers;
mod trace;
mod trust;
mod wire;
