//! The tickers that a dataset should have, according to the watchlist.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::app::App;
use crate::catalogue::Dataset;
use crate::firestore::FirestoreError;
use crate::ops::coverage::feeding;

/// The tickers of all jobs that feed a dataset.
pub(super) async fn of(app: &App, dataset: &'static Dataset) -> Result<BTreeSet<Arc<str>>, FirestoreError> {
    let engine = &app.engine;
    let scopes: Vec<_> = feeding(dataset).map(|job| job.scope).collect();
    let mut names = BTreeSet::new();
    for scope in scopes {
        let of_scope =
            engine.watched.of(&engine.world, &engine.firestore, &engine.settings.collections, scope).await?;
        names.extend(of_scope.iter().cloned());
    }
    Ok(names)
}
