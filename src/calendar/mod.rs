//! Time as the exchange and the scheduler count it, in New York: when jobs are due and when the market is open.

pub mod new_york;
mod overrides;
mod rules;
pub mod schedule;
pub mod sessions;

pub use sessions::{Calendar, Session};

/// The first year that the rules are known to be right for.
pub const FIRST_YEAR: i32 = 2010;
