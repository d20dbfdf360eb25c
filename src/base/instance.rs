//! What an instance knows about itself.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use chrono::{DateTime, Utc};

use super::id::new_uuid;
use super::world::World;

/// What this instance knows about itself.
#[derive(Clone, Debug)]
pub struct Instance {
    pub id: String,
    pub started_at: DateTime<Utc>,
    pub requests_in_flight: Arc<AtomicUsize>,
}

impl Instance {
    pub fn new(world: &World) -> Self {
        Self { id: new_uuid(world), started_at: world.clock.now(), requests_in_flight: Arc::default() }
    }
}
