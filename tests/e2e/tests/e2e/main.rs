//! Tests the built component from outside: ticks go in, providers are called, documents arrive in Firestore.
//!
//! Every test has its own instance, its own providers and its own database in one shared emulator.

mod api_docs;
mod backfill;
mod batches;
mod breaker;
mod container;
mod coverage;
mod deadline;
mod defects;
mod faults;
mod firestore_down;
mod heal;
mod health;
mod hostile;
mod instances;
mod jobs;
mod ledger;
mod limits;
mod logging;
mod notify;
mod orders;
mod outbound;
mod payloads;
mod poison;
mod records;
mod replay;
mod requests;
mod runs;
mod service;
mod status;
mod tickers;
mod ticks;
mod trace;
mod trust;
mod watchlist;
mod wire;
