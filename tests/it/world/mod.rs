//! A world in which time is virtual, chance is seeded and nothing else exists.
//!
//! The component sees it through its ports. Tasks of one [`executor::Executor`] stand for everything that
//! happens at once: requests that instances work on, messages on their way, other people's clocks. When
//! nothing can go on, time jumps to the next timer; the same seed gives the same story, step by step.

pub(crate) mod clock;
pub(crate) mod dice;
pub(crate) mod executor;
pub(crate) mod listening;
