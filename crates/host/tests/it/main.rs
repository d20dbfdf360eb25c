//! Tests the host from both sides: over HTTP from outside, and through the component in `tests/guest` from inside.

mod binary;
mod outbound;
mod parity;
mod pieces;
mod serve;
mod subject;
mod support;
mod together;
mod world;
