//! Which tickers the documents of the watchlist stand for.

use std::collections::BTreeSet;

use crate::firestore::{Fields, Value};
use crate::job::{Scope, Ticker};

/// Symbols that are market indices whatever their document says.
pub const INDEX_SYMBOLS: [&str; 8] = ["SPY", "QQQ", "IWM", "DIA", "VTI", "VEA", "VWO", "BND"];
/// The indices of a universe that names none.
pub const DEFAULT_INDICES: [&str; 4] = ["SPY", "QQQ", "IWM", "DIA"];
/// The sector or industry of an index.
const INDEX_SECTOR: &str = "Index";

/// The symbols of a collection.
#[derive(Debug, Default)]
pub struct Symbols {
    active: BTreeSet<Ticker>,
    active_indices: BTreeSet<Ticker>,
    inactive: BTreeSet<Ticker>,
    remarks: Vec<String>,
}

impl Symbols {
    /// Takes one document: its symbol is the field `symbol`, else `ticker`, else its id.
    pub fn take(&mut self, id: &str, fields: &Fields) {
        let text =
            |name| fields.get(name).and_then(Value::as_str).filter(|text: &&str| !text.trim().is_empty());
        let symbol = text("symbol").or_else(|| text("ticker")).unwrap_or(id);
        let ticker = match Ticker::parse(symbol) {
            Ok(ticker) => ticker,
            Err(error) => {
                return self.remarks.push(format!("document {id} of the watchlist left out: {error}"));
            }
        };
        if fields.get("isActive").and_then(Value::as_bool) == Some(false) {
            self.inactive.insert(ticker);
            return;
        }
        let is_index = INDEX_SYMBOLS.contains(&ticker.as_str())
            || text("sector") == Some(INDEX_SECTOR)
            || text("industry") == Some(INDEX_SECTOR);
        if is_index {
            self.active_indices.insert(ticker.clone());
        }
        self.active.insert(ticker);
    }

    /// The well-known indices, less those that the universe switches off.
    fn default_indices(&self) -> Vec<Ticker> {
        let known = DEFAULT_INDICES.iter().filter_map(|symbol| Ticker::parse(symbol).ok());
        known.filter(|ticker| !self.inactive.contains(ticker)).collect()
    }

    /// The tickers of a scope, sorted, each once; and what is odd about the documents.
    pub fn into_tickers(self, scope: Scope) -> (Vec<Ticker>, Vec<String>) {
        let tickers = match scope {
            Scope::None => Vec::new(),
            Scope::EntireWatchlist | Scope::ActiveSymbols => self.active.into_iter().collect(),
            Scope::Indices if self.active_indices.is_empty() => self.default_indices(),
            Scope::Indices => self.active_indices.into_iter().collect(),
        };
        (tickers, self.remarks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firestore::value::fields;

    fn symbols(documents: &[(&str, Fields)]) -> Symbols {
        let mut symbols = Symbols::default();
        for (id, fields) in documents {
            symbols.take(id, fields);
        }
        symbols
    }

    fn check(documents: &[(&str, Fields)], scope: Scope, expect: &[&str]) {
        let (tickers, _) = symbols(documents).into_tickers(scope);
        assert_eq!(tickers.iter().map(Ticker::as_str).collect::<Vec<_>>(), expect);
    }

    #[test]
    fn the_symbol_falls_back_from_field_to_field_to_id() {
        let documents = [
            ("x", fields([("symbol", Value::string("msft")), ("ticker", Value::string("NO"))])),
            ("y", fields([("ticker", Value::string("AAPL"))])),
            ("z", fields([("symbol", Value::string(" ")), ("ticker", Value::NULL)])),
        ];
        check(&documents, Scope::EntireWatchlist, &["AAPL", "MSFT", "Z"]);
    }

    #[test]
    fn only_an_explicit_false_leaves_a_symbol_out() {
        let documents = [
            ("A", fields([("isActive", Value::Boolean(false))])),
            ("B", fields([("isActive", Value::Boolean(true))])),
            ("C", fields([("isActive", Value::NULL)])),
            ("SPY", fields([("isActive", Value::Boolean(false))])),
        ];
        check(&documents, Scope::ActiveSymbols, &["B", "C"]);
        check(&documents, Scope::Indices, &["QQQ", "IWM", "DIA"]);
    }

    #[test]
    fn indices_are_known_by_sector_industry_or_name() {
        let documents = [
            ("^GSPC", fields([("sector", Value::string("Index"))])),
            ("NDX", fields([("industry", Value::string("Index"))])),
            ("VTI", Fields::new()),
            ("AAPL", fields([("sector", Value::string("Technology"))])),
        ];
        check(&documents, Scope::Indices, &["NDX", "VTI", "^GSPC"]);
    }

    #[test]
    fn a_universe_without_indices_has_the_default_ones() {
        check(&[("AAPL", Fields::new())], Scope::Indices, &["SPY", "QQQ", "IWM", "DIA"]);
    }

    #[test]
    fn a_symbol_that_is_none_is_remarked_not_lost() {
        let (tickers, remarks) = symbols(&[("a b", Fields::new())]).into_tickers(Scope::EntireWatchlist);
        assert!(tickers.is_empty());
        assert!(
            remarks[0].starts_with("document a b of the watchlist left out: ticker `a b`"),
            "{remarks:?}"
        );
    }
}
