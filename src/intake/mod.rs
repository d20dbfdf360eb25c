//! Processes a response: from its bytes to the outcome of each ticker, records, rejected records and raw logs.

pub mod answer;
pub mod blame;
pub mod call_log;
pub mod collisions;
pub mod content;
mod entries;
pub mod envelope;
pub mod expectation;
mod identity;
pub mod kind;
mod pieces;
pub mod quality;
pub mod raw_log;
pub mod recall;
pub mod record;
pub mod rejected;
pub mod replayed;
pub mod revision;
