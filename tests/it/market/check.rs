//! What must hold when a world has ended.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use orchestrator::firestore::Value;
use orchestrator::ledger::coverage::DayCells;
use orchestrator::run::cell::CellState;
use serde_json::Value as Json;
use sim::data::records_of;
use sim::endpoint::Endpoint;

use super::plan::names;
use super::stored::{sessions, stored};
use super::world::{HISTORY, Market};

/// Every record that the provider has is there; what it does not have is named as empty.
pub(super) fn holes(market: &Market) -> Vec<String> {
    let (stored, coverage) = (stored(market), coverage_of(market));
    let mut complaints = Vec::new();
    for date in sessions(market) {
        for ticker in names(market.plan.tickers) {
            let cell = coverage
                .get(&date)
                .and_then(|cells| cells.get(&ticker))
                .and_then(|known| known.cell.as_ref());
            let state = cell.map(|cell| cell.state);
            let is_there = stored.contains_key(&(ticker.clone(), date));
            let has_none = market.plan.never.contains(&(ticker.clone(), date));
            match (has_none, is_there) {
                (false, false) => complaints.push(format!("{ticker} has no price of {date}: {state:?}")),
                (true, _) if state != Some(CellState::Empty) => {
                    complaints
                        .push(format!("the provider has nothing of {ticker} for {date}, it is {state:?}"));
                }
                _ => {}
            }
        }
    }
    complaints
}

/// A ticker's adjusted prices have one basis: that of its latest split or dividend.
pub(super) fn bases(market: &Market) -> Vec<String> {
    let number = |record: &Json, name: &str| {
        record[name]["doubleValue"].as_f64().or_else(|| record[name]["integerValue"].as_str()?.parse().ok())
    };
    let calendar = orchestrator::calendar::Calendar::default();
    let before = |date: &NaiveDate| calendar.previous_session(*date).map(|session| session.date);
    let mut complaints = Vec::new();
    let Some(last) = sessions(market).last().copied() else { return complaints };
    let Some(first) = std::iter::successors(Some(last), before).nth(HISTORY - 30) else { return complaints };
    for ticker in names(market.plan.tickers) {
        let now = records_of(&Market::spec(), Endpoint::TIINGO_PRICES, &ticker, (first, last), market.now());
        let now: BTreeMap<&str, &Json> =
            now.iter().filter_map(|record| Some((record["date"].as_str()?, record))).collect();
        for ((of, date), record) in stored(market) {
            let Some(current) = now.get(date.to_string().as_str()).filter(|_| of == ticker) else { continue };
            let (known, expect) = (number(&record, "adj_close"), current["adj_close"].as_f64());
            if known != expect {
                complaints
                    .push(format!("{ticker} of {date} is adjusted to {known:?}, today it is {expect:?}"));
            }
        }
    }
    complaints
}

/// The coverage says what is stored.
pub(super) fn coverage(market: &Market) -> Vec<String> {
    let (stored, coverage) = (stored(market), coverage_of(market));
    let mut complaints = Vec::new();
    for (ticker, date) in stored.keys() {
        let known = coverage.get(date).and_then(|cells| cells.get(ticker));
        let is_known = known.and_then(|known| known.cell.as_ref()).is_some_and(|cell| cell.state.is_stored());
        if !is_known {
            complaints.push(format!("{ticker} of {date} is stored, and the coverage does not know it"));
        }
    }
    for (date, cells) in &coverage {
        for (ticker, known) in cells.iter() {
            let says = known.cell.as_ref().is_some_and(|cell| cell.state.is_stored());
            if says && !stored.contains_key(&(ticker.to_string(), *date)) {
                complaints.push(format!("{ticker} of {date} is not stored, and the coverage says it is"));
            }
        }
    }
    complaints
}

fn coverage_of(market: &Market) -> BTreeMap<NaiveDate, DayCells> {
    let store = market.store();
    let documents = store.collection(&market.database(), "ingestion_coverage");
    let read = |(id, stored): (&str, &sim::firestore::memory::Stored)| {
        let date = id.strip_prefix("daily_prices_")?.parse().ok()?;
        let typed = |(name, value): (&String, &Json)| {
            (name.clone(), serde_json::from_value::<Value>(value.clone()).expect("a value"))
        };
        let fields = stored.fields.iter().map(typed).collect();
        Some((date, DayCells::from_fields(&fields).expect("the coverage can be read")))
    };
    documents.filter_map(read).collect()
}
