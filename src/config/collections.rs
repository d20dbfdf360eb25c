//! The names of all collections.

use std::collections::BTreeMap;

use super::read::Reader;
use crate::catalogue::{self, Collection, Dataset};

/// The names of all collections.
#[derive(Clone, Debug)]
pub struct Collections {
    pub universe: String,
    pub active: String,
    pub raw_logs: String,
    pub rejected: String,
    pub runs: String,
    pub breakers: String,
    pub statistics: String,
    pub coverage: String,
    pub alerts: String,
    pub orders: String,
    pub pauses: String,
    pub revisions: String,
    /// The collections of datasets, by their keys in the catalogue.
    pub(super) records: BTreeMap<&'static str, String>,
}

impl Collections {
    /// The collection of a dataset's records.
    pub fn of(&self, dataset: &Dataset) -> &str {
        let Collection { key, default, .. } = dataset.collection;
        self.records.get(key).map_or(default, String::as_str)
    }

    /// The collections that hold records.
    pub fn of_records(&self) -> impl Iterator<Item = &str> {
        self.records.values().map(String::as_str)
    }

    /// Whether a collection holds records of a dataset.
    pub fn has_records(&self, collection: &str) -> bool {
        self.records.values().any(|name| name == collection)
    }
}

/// Reads the settings.
pub fn read(r: &mut Reader<'_>) -> Option<Collections> {
    let mut name = |key: &str| r.path_segment(&format!("collection_{key}"));
    let (universe, active) = (name("universe"), name("active"));
    let records: Vec<_> = catalogue::collections().iter().map(|known| (known.key, name(known.key))).collect();
    let (raw_logs, rejected, runs) = (name("raw_logs"), name("rejected"), name("runs"));
    let (breakers, statistics, coverage) = (name("breakers"), name("statistics"), name("coverage"));
    let alerts = name("alerts");
    let (orders, pauses, revisions) = (name("orders"), name("pauses"), name("revisions"));
    Some(Collections {
        universe: universe?,
        active: active?,
        raw_logs: raw_logs?,
        rejected: rejected?,
        runs: runs?,
        breakers: breakers?,
        statistics: statistics?,
        coverage: coverage?,
        alerts: alerts?,
        orders: orders?,
        pauses: pauses?,
        revisions: revisions?,
        records: records.into_iter().map(|(key, name)| Some((key, name?))).collect::<Option<_>>()?,
    })
}
