//! When jobs are due, in New York time.

pub mod schedule;
