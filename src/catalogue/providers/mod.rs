//! The providers: one file each, with everything that the component knows of it; see CONTRIBUTING.md.

mod alphavantage;
mod finnhub;
mod polygon;
mod tiingo;

use super::ProviderSpec;

/// Every provider, in the order in which people see them.
pub(super) const PROVIDERS: &[&ProviderSpec] =
    &[&tiingo::SPEC, &finnhub::SPEC, &polygon::SPEC, &alphavantage::SPEC];
