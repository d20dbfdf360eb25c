//! The providers: one file each, with everything that the component knows of it; see CONTRIBUTING.md.

mod alphavantage;
mod finnhub;
mod polygon;
mod tiingo;

use super::ProviderSpec;

/// Lists the providers. How many there are is known without looking into them: types depend on it.
macro_rules! providers {
    ($($name:ident),* $(,)?) => {
        pub(super) const COUNT: usize = [$(stringify!($name)),*].len();
        pub(super) const PROVIDERS: [&ProviderSpec; COUNT] = [$(&$name::SPEC),*];
    };
}

// Every provider, in the order in which people see them.
providers![tiingo, finnhub, polygon, alphavantage];
