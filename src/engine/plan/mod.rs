//! From a job's scope to the work of a run.

pub mod universe;
pub mod watched;
pub mod watchlist;

use crate::catalogue::{Job, Scope, Ticker};
use crate::config::Collections;
use crate::firestore::{Firestore, FirestoreError};
use crate::run::{WatchlistProblems, Work};
use universe::Symbols;

/// The fields of a symbol's document that are read.
const MASK: [&str; 5] = ["symbol", "ticker", "isActive", "sector", "industry"];

/// Reads the tickers of a scope, page by page, and records what cannot be read; only the symbols are kept, never the
/// documents.
pub async fn resolve(
    firestore: &Firestore,
    collections: &Collections,
    scope: Scope,
) -> Result<(Vec<Ticker>, WatchlistProblems), FirestoreError> {
    let collection = match scope {
        Scope::None => return Ok((Vec::new(), WatchlistProblems::default())),
        Scope::ActiveSymbols => &collections.active,
        Scope::EntireWatchlist | Scope::Indices => &collections.universe,
    };
    let mut symbols = Symbols::new(scope);
    let mut after = None;
    loop {
        let page = firestore.list(collection, &MASK, after.as_deref()).await?;
        for document in &page.documents {
            symbols.take(&document.id, &document.fields);
        }
        match page.next() {
            Some(last) => after = Some(last.id.clone()),
            None => break,
        }
    }
    Ok(symbols.into_tickers())
}

/// The work of a job: all tickers at every endpoint. A scope without tickers is one piece of work without tickers; an
/// empty list of tickers is no work.
pub fn work(job: &Job, scope: Scope, tickers: &[Ticker]) -> Vec<Work> {
    if scope != Scope::None && tickers.is_empty() {
        return Vec::new();
    }
    job.endpoints.iter().map(|endpoint| Work::new(endpoint.path, tickers.to_vec())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;

    #[test]
    fn every_endpoint_gets_all_tickers() {
        let tickers = ["A", "B"].map(|t| Ticker::parse(t).unwrap());
        let job = catalogue::find("finnhub-fundamentals-earnings").unwrap();
        let works = work(job, Scope::EntireWatchlist, &tickers);
        assert_eq!(
            works.iter().map(|w| (w.endpoint.as_str(), w.tickers.len())).collect::<Vec<_>>(),
            [("/fetch/fundamentals", 2), ("/fetch/earnings", 2)]
        );
    }

    #[test]
    fn no_scope_is_one_call_and_an_empty_list_is_none() {
        let market = catalogue::find("polygon-news-market").unwrap();
        assert_eq!(work(market, Scope::None, &[]).len(), 1);
        let prices = catalogue::find("tiingo-daily-prices").unwrap();
        assert_eq!(work(prices, Scope::EntireWatchlist, &[]), []);
    }
}
