//! Seed data: the universe, the active positions and the indices, with the irregularities of real data.

mod symbols;

use anyhow::Result;
use serde_json::{Value, json};

use crate::firestore::Db;
use symbols::{INDICES, ordinary};

/// Collection of the watchlist.
pub const UNIVERSE: &str = "react_universeSymbols";
/// Collection of the active positions.
pub const ACTIVE: &str = "react_activeSymbols";
/// The indices used if the universe has none.
pub const FALLBACK_INDICES: [&str; 4] = ["SPY", "QQQ", "IWM", "DIA"];

/// Which tickers a job covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// Every active symbol of the universe, including the indices.
    EntireWatchlist,
    /// The active positions.
    ActiveSymbols,
    /// The universe's indices.
    Indices,
    /// No tickers: market-wide data.
    None,
}

impl Scope {
    /// The name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EntireWatchlist => "entire_watchlist",
            Self::ActiveSymbols => "active_symbols",
            Self::Indices => "indices",
            Self::None => "none",
        }
    }
}

/// A deterministic watchlist.
///
/// The universe has `universe` ordinary symbols and eight indices; the first `active` of the ordinary symbols are
/// active positions. Some documents name their symbol in `ticker` or only in their id, and some, including an index,
/// are inactive: no scope may contain those.
#[derive(Debug, Clone)]
pub struct Watchlist {
    ordinary: Vec<String>,
    active: usize,
    indices: bool,
}

impl Watchlist {
    /// A watchlist of `universe` ordinary symbols, the first `active` of them active, and the eight indices.
    pub fn new(universe: usize, active: usize) -> Self {
        Self { ordinary: ordinary(universe), active: active.min(universe), indices: true }
    }

    /// Leaves out the indices: the universe then has exactly the ordinary symbols.
    #[must_use]
    pub fn without_indices(mut self) -> Self {
        self.indices = false;
        self
    }

    /// The tickers of a scope, sorted.
    pub fn tickers(&self, scope: Scope) -> Vec<String> {
        let indices = INDICES.map(str::to_owned);
        let mut tickers = match scope {
            Scope::EntireWatchlist if self.indices => [self.ordinary.as_slice(), &indices].concat(),
            Scope::EntireWatchlist => self.ordinary.clone(),
            Scope::ActiveSymbols => self.ordinary[..self.active].to_vec(),
            Scope::Indices if self.indices => indices.to_vec(),
            Scope::Indices => FALLBACK_INDICES.map(str::to_owned).to_vec(),
            Scope::None => Vec::new(),
        };
        tickers.sort();
        tickers
    }

    /// The documents of both collections, as [`Db::seed`] takes them.
    pub fn documents(&self) -> Vec<(String, Value)> {
        let universe =
            self.ordinary.iter().enumerate().map(|(place, symbol)| ordinary_doc(UNIVERSE, place, symbol));
        let active = &self.ordinary[..self.active];
        let active = active.iter().enumerate().map(|(place, symbol)| ordinary_doc(ACTIVE, place, symbol));
        let indices = INDICES.iter().filter(|_| self.indices).map(|symbol| index_doc(symbol));
        universe.chain(active).chain(indices).chain(inactive_docs()).collect()
    }

    /// Writes both collections.
    pub async fn seed(&self, db: &Db) -> Result<()> {
        db.seed(self.documents()).await
    }
}

fn ordinary_doc(collection: &str, place: usize, symbol: &str) -> (String, Value) {
    const SECTORS: [&str; 4] = ["Technology", "Health Care", "Industrials", "Financials"];
    let mut doc = json!({
        "symbol": symbol,
        "name": format!("{symbol} Société Anonyme"),
        "sector": SECTORS[place % SECTORS.len()],
        "isActive": true,
    });
    let id = match place % 50 {
        // Named in `ticker`; the id is not a symbol.
        3 => {
            doc = json!({"ticker": symbol, "sector": "Energy", "isActive": true});
            format!("doc-{place:05}")
        }
        // Named only by the id; without `isActive` a document is active.
        7 => {
            doc = json!({"sector": "Utilities"});
            symbol.to_owned()
        }
        _ => symbol.to_owned(),
    };
    (format!("{collection}/{id}"), doc)
}

/// Most indices are recognised by their sector, one by its industry, one only by its symbol.
fn index_doc(symbol: &str) -> (String, Value) {
    let doc = match symbol {
        "VWO" => json!({"symbol": symbol, "industry": "Index", "isActive": true}),
        "BND" => json!({"symbol": symbol, "sector": "Bonds", "isActive": true}),
        _ => json!({"symbol": symbol, "sector": "Index", "isActive": true}),
    };
    (format!("{UNIVERSE}/{symbol}"), doc)
}

fn inactive_docs() -> [(String, Value); 3] {
    [
        (format!("{UNIVERSE}/GONE"), json!({"symbol": "GONE", "sector": "Energy", "isActive": false})),
        (format!("{UNIVERSE}/OLDX"), json!({"symbol": "OLDX", "sector": "Index", "isActive": false})),
        (format!("{ACTIVE}/SOLD"), json!({"symbol": "SOLD", "isActive": false})),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn scopes_have_the_requested_sizes() {
        let watchlist = Watchlist::new(1_000, 50);
        assert_eq!(watchlist.tickers(Scope::EntireWatchlist).len(), 1_008);
        assert_eq!(watchlist.tickers(Scope::ActiveSymbols).len(), 50);
        assert_eq!(watchlist.tickers(Scope::Indices).len(), 8);
        assert_eq!(watchlist.tickers(Scope::None), Vec::<String>::new());
        assert_eq!(watchlist.without_indices().tickers(Scope::Indices), ["DIA", "IWM", "QQQ", "SPY"]);
    }

    #[test]
    fn symbols_and_documents_are_unique() {
        let watchlist = Watchlist::new(5_000, 100);
        let tickers = watchlist.tickers(Scope::EntireWatchlist);
        assert_eq!(tickers.iter().collect::<BTreeSet<_>>().len(), tickers.len());
        let documents = watchlist.documents();
        assert_eq!(documents.iter().map(|(path, _)| path).collect::<BTreeSet<_>>().len(), documents.len());
        assert_eq!(documents.len(), 5_000 + 100 + 8 + 3);
    }
}
