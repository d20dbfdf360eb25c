//! The tickers of the watchlist, for those who only look: read at most once a minute.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::resolve;
use crate::base::cached::{Cached, Lifetime};
use crate::base::world::World;
use crate::catalogue::Scope;
use crate::config::Collections;
use crate::firestore::{Firestore, FirestoreError};
use crate::run::cell::WHOLE_MARKET;

/// How long the tickers of a scope are taken from memory.
const FRESH: Duration = Duration::from_secs(60);

type Names = BTreeSet<Arc<str>>;

/// The tickers of each scope.
#[derive(Debug, Default)]
pub struct Watched {
    watchlist: Cached<Names, FirestoreError>,
    active: Cached<Names, FirestoreError>,
    indices: Cached<Names, FirestoreError>,
}

impl Watched {
    /// The names of a scope's tickers; one name for the whole market if it has none.
    pub async fn of(
        &self,
        world: &World,
        firestore: &Firestore,
        collections: &Collections,
        scope: Scope,
    ) -> Result<Arc<Names>, FirestoreError> {
        let cached = match scope {
            Scope::None => return Ok(Arc::new(Names::from([Arc::from(WHOLE_MARKET)]))),
            Scope::EntireWatchlist => &self.watchlist,
            Scope::ActiveSymbols => &self.active,
            Scope::Indices => &self.indices,
        };
        let fetch = || async {
            let (tickers, _) = resolve(firestore, collections, scope).await?;
            let names = tickers.iter().map(|ticker| Arc::from(ticker.as_str())).collect();
            Ok((names, Lifetime { fresh: FRESH, usable: FRESH }))
        };
        cached.get(world, fetch).await
    }
}
