//! Which tickers a job covers.

use std::fmt;

/// Which tickers a job covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Every active symbol of the universe.
    EntireWatchlist,
    /// The portfolio's current positions.
    ActiveSymbols,
    /// The market indices among the universe.
    Indices,
    /// No tickers: market-wide data.
    None,
}

impl Scope {
    pub const ALL: [Self; 4] = [Self::EntireWatchlist, Self::ActiveSymbols, Self::Indices, Self::None];

    /// The name on the wire and in stored documents.
    pub fn name(self) -> &'static str {
        match self {
            Self::EntireWatchlist => "entire_watchlist",
            Self::ActiveSymbols => "active_symbols",
            Self::Indices => "indices",
            Self::None => "none",
        }
    }

    /// The scope of that name, in either case.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name().eq_ignore_ascii_case(name.trim()))
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_either_case() {
        for scope in Scope::ALL {
            assert_eq!(Scope::parse(scope.name()), Some(scope));
            assert_eq!(Scope::parse(&scope.name().to_uppercase()), Some(scope));
        }
        assert_eq!(Scope::parse("everything"), None);
    }
}
