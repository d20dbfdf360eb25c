//! Settings as text: their one table, and the reader that turns them into values. Each room of the service has its own
//! small part, `settings.rs`.

mod address;
pub mod calendar;
pub mod collections;
pub mod keys;
pub mod per_job;
pub mod read;

use std::fmt;

pub use collections::Collections;
pub use per_job::PerJob;

/// A value that must never be shown: it prints as `[redacted]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(value: String) -> Self {
        Self(value)
    }

    /// The value itself, for the one place that sends it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
