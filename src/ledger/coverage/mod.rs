//! Coverage: which data there is for which day, one document per dataset and day.
//!
//! [`document`] holds the cells of a day, [`text`] is their stored form, [`Coverage`] reads and writes them. A document
//! is written only if a cell changes, under the precondition that nobody else has changed it since it was read: several
//! jobs may feed one dataset at once. Runs of one instance take [turns](shared) at it.

pub mod change;
pub mod days;
pub mod document;
mod fields;
mod read;
mod save;
mod shared;
mod text;
pub mod verify;

use std::sync::Arc;

use crate::base::world::World;
use crate::firestore::{DocumentPath, Firestore};
use crate::run::cell::Day;
pub use change::{Change, Changes};
pub use document::{Counts, DayCells};
pub use read::DaySummary;
pub use save::{Held, Saved};
use shared::Shared;

/// The coverage of all datasets.
#[derive(Clone)]
pub struct Coverage {
    firestore: Firestore,
    world: World,
    collection: String,
    shared: Arc<Shared>,
}

impl Coverage {
    pub fn new(firestore: Firestore, world: World, collection: String) -> Self {
        Self { firestore, world, collection, shared: Arc::default() }
    }

    /// Where a day is stored.
    pub fn document(&self, day: Day) -> DocumentPath {
        DocumentPath::new(&self.collection, &id(day))
    }
}

fn id(day: Day) -> String {
    format!("{}_{}", day.dataset, day.date)
}
