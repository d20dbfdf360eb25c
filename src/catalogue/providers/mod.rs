//! The providers: one file each, with everything that the component knows about it; see CONTRIBUTING.md.

mod alphavantage;
mod finnhub;
mod polygon;
mod tiingo;

use super::ProviderSpec;

/// Lists the providers. Their number must be known without looking into them, because types depend on it.
macro_rules! providers {
    ($($name:ident),* $(,)?) => {
        pub(super) const COUNT: usize = [$(stringify!($name)),*].len();
        pub(super) const PROVIDERS: [&ProviderSpec; COUNT] = [$(&$name::SPEC),*];
    };
}

// Every provider, in the order in which people see them.
providers![tiingo, finnhub, polygon, alphavantage];
