//! When jobs are due, in New York's time.

pub mod schedule;
