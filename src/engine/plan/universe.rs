//! Which tickers the watchlist documents stand for.

use std::collections::BTreeSet;

use super::watchlist::{Unreadable, text, truth};
use crate::catalogue::{Scope, Ticker};
use crate::firestore::Fields;
use crate::run::WatchlistProblems;

/// Symbols that are market indices regardless of their document.
pub const INDEX_SYMBOLS: [&str; 8] = ["SPY", "QQQ", "IWM", "DIA", "VTI", "VEA", "VWO", "BND"];
/// The indices of a universe that names none.
pub const DEFAULT_INDICES: [&str; 4] = ["SPY", "QQQ", "IWM", "DIA"];
/// The sector or industry of an index.
const INDEX_SECTOR: &str = "Index";

/// The symbols of a scope's collection.
#[derive(Debug)]
pub struct Symbols {
    scope: Scope,
    wanted: BTreeSet<Ticker>,
    inactive: BTreeSet<Ticker>,
    problems: WatchlistProblems,
}

impl Symbols {
    pub fn new(scope: Scope) -> Self {
        Self {
            scope,
            wanted: BTreeSet::new(),
            inactive: BTreeSet::new(),
            problems: WatchlistProblems::default(),
        }
    }

    /// Adds one document, or records why it cannot be read.
    pub fn take(&mut self, id: &str, fields: &Fields) {
        if let Err(unreadable) = self.read(id, fields) {
            unreadable.note(id, &mut self.problems);
        }
    }

    /// Reads as many fields as decide whether the document's symbol belongs to the scope.
    fn read(&mut self, id: &str, fields: &Fields) -> Result<(), Unreadable> {
        if truth(fields, "isActive")? == Some(false) {
            // It is not wanted, so nothing else in it matters.
            self.inactive.extend(symbol(id, fields).ok());
            return Ok(());
        }
        let symbol = symbol(id, fields)?;
        if self.scope != Scope::Indices || is_index(&symbol, fields)? {
            self.wanted.insert(symbol);
        }
        Ok(())
    }

    /// The well-known indices, minus those that the universe disables.
    fn default_indices(&self) -> Vec<Ticker> {
        let known = DEFAULT_INDICES.iter().filter_map(|symbol| Ticker::parse(symbol).ok());
        known.filter(|ticker| !self.inactive.contains(ticker)).collect()
    }

    /// The tickers of the scope, sorted, each once; and the skipped documents.
    pub fn into_tickers(self) -> (Vec<Ticker>, WatchlistProblems) {
        let tickers = match self.scope {
            Scope::Indices if self.wanted.is_empty() => self.default_indices(),
            _ => self.wanted.into_iter().collect(),
        };
        (tickers, self.problems)
    }
}

/// The symbol of a document: the field `symbol`, else `ticker`, else its id.
fn symbol(id: &str, fields: &Fields) -> Result<Ticker, Unreadable> {
    let (field, symbol) = match (text(fields, "symbol")?, text(fields, "ticker")) {
        (Some(symbol), _) => ("symbol", symbol),
        (None, ticker) => ticker?.map_or(("id", id), |ticker| ("ticker", ticker)),
    };
    Ticker::parse(symbol).map_err(|error| Unreadable::new(field, symbol, error.to_string()))
}

fn is_index(symbol: &Ticker, fields: &Fields) -> Result<bool, Unreadable> {
    if INDEX_SYMBOLS.contains(&symbol.as_str()) {
        return Ok(true);
    }
    let says = |text: Option<&str>| text.is_some_and(|text| text.eq_ignore_ascii_case(INDEX_SECTOR));
    Ok(says(text(fields, "sector")?) || says(text(fields, "industry")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firestore::Value;
    use crate::firestore::value::fields;

    fn read(documents: &[(&str, Fields)], scope: Scope) -> (Vec<Ticker>, WatchlistProblems) {
        let mut symbols = Symbols::new(scope);
        for (id, fields) in documents {
            symbols.take(id, fields);
        }
        symbols.into_tickers()
    }

    fn check(documents: &[(&str, Fields)], scope: Scope, expect: &[&str]) {
        let (tickers, problems) = read(documents, scope);
        assert_eq!(tickers.iter().map(Ticker::as_str).collect::<Vec<_>>(), expect);
        assert_eq!(problems, WatchlistProblems::default());
    }

    /// What is wrong with one document: field, value, message.
    fn problem(document: &(&str, Fields), scope: Scope) -> Option<(String, String, String)> {
        let (tickers, problems) = read(std::slice::from_ref(document), scope);
        let problem = problems.listed.into_iter().next()?;
        assert_eq!(problem.document, document.0);
        assert!(scope == Scope::Indices || tickers.is_empty(), "left out");
        Some((problem.field, problem.value, problem.problem))
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
    fn what_is_switched_off_in_other_words_is_not_asked_for() {
        let off = ["false", "FALSE", "no", "0"].map(Value::string);
        let off = off.into_iter().chain([Value::Integer(0), Value::Double(0.0)]);
        for value in off {
            check(&[("A", fields([("isActive", value)]))], Scope::EntireWatchlist, &[]);
        }
        // A document that is not wanted may have any symbol.
        let gone = fields([("isActive", Value::string("no")), ("symbol", Value::Integer(7))]);
        check(&[("A", gone)], Scope::EntireWatchlist, &[]);
    }

    #[test]
    fn a_field_that_cannot_be_read_leaves_its_document_out_and_is_named() {
        let told = |field: &str, value: &str, words: &str| Some((field.into(), value.into(), words.into()));
        let scope = Scope::EntireWatchlist;
        let document = |name: &str, value: Value| ("A", fields([(name, value)]));
        assert_eq!(
            problem(&document("isActive", Value::string("sold")), scope),
            told("isActive", "sold", "must be true or false, 1 or 0, or a word such as yes or no")
        );
        assert_eq!(
            problem(&document("symbol", Value::Integer(700)), scope),
            told("symbol", "700", "must be a string, not a number")
        );
        assert_eq!(
            problem(&document("ticker", Value::Boolean(true)), scope),
            told("ticker", "true", "must be a string, not a boolean")
        );
        assert_eq!(
            problem(&document("symbol", Value::string("A\u{7}")), scope),
            told("symbol", "A\u{7}", r"ticker `A\u{7}` contains an invisible character: '\u{7}'")
        );
        let id = "A".repeat(65);
        let (field, _, words) = problem(&(&id, Fields::new()), scope).unwrap();
        assert_eq!(
            (field.as_str(), words.ends_with("too long: 65 bytes, limit 64")),
            ("id", true),
            "{words}"
        );
    }

    #[test]
    fn sector_and_industry_are_read_where_they_decide() {
        let odd = ("A", fields([("sector", Value::strings(["Index"]))]));
        assert_eq!(problem(&odd, Scope::EntireWatchlist), None);
        let (field, value, words) = problem(&odd, Scope::Indices).unwrap();
        assert_eq!((&*field, &*value, &*words), ("sector", "1 items", "must be a string, not a list"));
        assert_eq!(problem(&("SPY", odd.1.clone()), Scope::Indices), None, "known by its name");
        check(&[("NDX", fields([("sector", Value::string(" INDEX"))]))], Scope::Indices, &["NDX"]);
    }

    #[test]
    fn the_others_are_taken_all_the_same() {
        let documents = [
            ("A", Fields::new()),
            ("B", fields([("isActive", Value::Integer(7))])),
            ("C C", Fields::new()),
            ("c c", Fields::new()),
            ("Cc", Fields::new()),
        ];
        let (tickers, problems) = read(&documents, Scope::ActiveSymbols);
        assert_eq!(tickers.iter().map(Ticker::as_str).collect::<Vec<_>>(), ["A", "C C", "Cc"]);
        assert_eq!(problems.count, 1);
    }
}
