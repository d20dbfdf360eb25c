//! What all services agree on: about what a share costs.

use crate::dice::Dice;
use crate::spec::Spec;

/// About what one share of `ticker` costs: between 20 and 480.
pub(super) fn level(spec: &Spec, ticker: &str) -> f64 {
    Dice::new(spec.seed, &["level", ticker]).cents(2_000, 48_000)
}
