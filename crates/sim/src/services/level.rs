//! Approximate share prices, on which all services agree.

use crate::dice::Dice;
use crate::spec::Spec;

/// The approximate price of one share of `ticker`: between 20 and 480.
pub(super) fn level(spec: &Spec, ticker: &str) -> f64 {
    Dice::new(spec.seed, &["level", ticker]).cents(2_000, 48_000)
}
