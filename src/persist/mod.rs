//! What is stored: records, records that break their schema, raw logs.

pub mod call_log;
pub mod collisions;
pub mod datasets;
pub mod payload;
pub mod raw_log;
pub mod record;
pub mod rejected;
