//! What a world has stored, and what it must have.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use orchestrator::calendar::Calendar;
use serde_json::Value as Json;

use super::plan::first_day;
use super::world::Market;

/// The sessions that must be complete in the end: from five before the first day to those two sessions before the end.
pub(super) fn sessions(market: &Market) -> Vec<NaiveDate> {
    let calendar = Calendar::default();
    let before = |date: &NaiveDate| calendar.previous_session(*date).map(|session| session.date);
    let first = std::iter::successors(Some(first_day()), before).nth(4).expect("a session");
    let last = calendar.latest_published_by(market.now()).expect("a session").date;
    let last = std::iter::successors(Some(last), before).nth(2).expect("a session");
    calendar.sessions(first..=last).map(|session| session.date).collect()
}

/// The stored prices, by ticker and day.
pub(super) fn stored(market: &Market) -> BTreeMap<(String, NaiveDate), Json> {
    let store = market.store();
    let documents = store.collection(&market.database(), "prices_daily");
    let text = |fields: &sim::firestore::memory::Fields, name: &str| {
        fields[name]["stringValue"].as_str().expect("a string").to_owned()
    };
    documents
        .map(|(_, stored)| {
            let date = text(&stored.fields, "date").parse().expect("a date");
            ((text(&stored.fields, "ticker"), date), Json::Object(stored.fields.clone()))
        })
        .collect()
}
