//! From a provider's answer to what became of every ticker that was asked for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::envelope::{Envelope, shorten};
use crate::firestore::Write;
use crate::job::Ticker;
use crate::persist::datasets::{Dataset, Shape};
use crate::persist::record::{self, Context, Rejected, words};

/// What an answer held. Every ticker that was asked for is in exactly one of the two lists.
#[derive(Debug, Default)]
pub struct Harvest {
    pub succeeded: Vec<Ticker>,
    /// Tickers that failed for good, each with the reason.
    pub failed: Vec<(Ticker, String)>,
    pub records: Vec<Write>,
    pub rejected: Vec<Rejected>,
    /// Words of the provider that belong to no single ticker.
    pub remarks: Vec<String>,
}

/// What is known of one ticker while the entries are read.
#[derive(Default)]
struct Tally {
    records: usize,
    rejected: usize,
    errors: Vec<String>,
}

/// Most records of one answer, good or not: each costs kilobytes until it is stored.
pub const RECORDS_MAX: usize = 100_000;

/// Reads all entries of an answer; the error says that there are too many records to take in at once.
pub fn harvest(
    envelope: &Envelope<'_>,
    dataset: Dataset,
    asked: &[Ticker],
    context: &Context<'_>,
) -> Result<Harvest, String> {
    let mut harvest = Harvest::default();
    let mut tallies = BTreeMap::<Ticker, Tally>::new();
    let mut records = 0_usize;
    for entry in envelope.data.iter().flatten() {
        // Numbers beyond a double and nesting beyond the parser's limit fail here, for this entry alone.
        match serde_json::from_slice::<Json>(entry.get().as_bytes()) {
            Ok(entry) => {
                records = records.saturating_add(count(&entry, dataset.schema().shape));
                if records > RECORDS_MAX {
                    return Err(format!("answer has too many records: more than {RECORDS_MAX}"));
                }
                take_entry(entry, dataset, asked, context, &mut harvest, &mut tallies);
            }
            Err(error) => {
                let record = Json::String(entry.get().to_owned());
                harvest.rejected.push(rejected(
                    dataset,
                    None,
                    format!("entry cannot be read: {error}"),
                    record,
                ));
            }
        }
    }
    judge(envelope, asked, &mut tallies, &mut harvest);
    Ok(harvest)
}

/// How many records an entry has, at least one: what it costs to take it in.
fn count(entry: &Json, shape: Shape) -> usize {
    match (shape, entry.get("data")) {
        (Shape::List, Some(Json::Array(records))) => records.len().max(1),
        (Shape::Indicators, Some(Json::Object(indicators))) => indicators.len().max(1),
        _ => 1,
    }
}

fn rejected(dataset: Dataset, ticker: Option<&Ticker>, reason: String, record: Json) -> Rejected {
    Rejected { dataset, ticker: ticker.map(ToString::to_string), reasons: vec![reason], record }
}

fn take_entry(
    mut entry: Json,
    dataset: Dataset,
    asked: &[Ticker],
    context: &Context<'_>,
    harvest: &mut Harvest,
    tallies: &mut BTreeMap<Ticker, Tally>,
) {
    let error = entry.get("error").filter(|error| !error.is_null()).map(words);
    if dataset.schema().shape == Shape::Bare {
        match error {
            Some(error) => harvest.remarks.push(shorten(&error)),
            None => absorb(record::extract(dataset, None, entry, context), harvest),
        }
        return;
    }
    let ticker = match entry.get("ticker").map(|ticker| ticker.as_str().map(Ticker::parse)) {
        Some(Some(Ok(ticker))) => ticker,
        Some(Some(Err(error))) => {
            return harvest.rejected.push(rejected(dataset, None, error.to_string(), entry));
        }
        _ => {
            return harvest.rejected.push(rejected(dataset, None, "entry names no ticker".to_owned(), entry));
        }
    };
    if !asked.contains(&ticker) {
        harvest.remarks.push(format!("answer has an entry for {ticker}, which was not asked for"));
    }
    let tally = tallies.entry(ticker.clone()).or_default();
    if let Some(error) = error {
        tally.errors.push(error);
        return;
    }
    match entry.get_mut("data").map(Json::take) {
        None | Some(Json::Null) => {
            tally.errors.push("the provider's entry has no data and gives no reason".to_owned());
        }
        Some(data) => {
            let found = record::extract(dataset, Some(&ticker), data, context);
            tally.records += found.records.len();
            tally.rejected += found.rejected.len();
            tally.errors.extend(found.errors.iter().cloned());
            absorb(found, harvest);
        }
    }
}

fn absorb(found: record::Yield, harvest: &mut Harvest) {
    harvest.records.extend(found.records);
    harvest.rejected.extend(found.rejected);
}

/// Says of every ticker that was asked for what became of it.
fn judge(
    envelope: &Envelope<'_>,
    asked: &[Ticker],
    tallies: &mut BTreeMap<Ticker, Tally>,
    harvest: &mut Harvest,
) {
    let remarks = envelope.errors();
    let mut used = BTreeSet::new();
    for ticker in asked {
        let words = remarks.iter().enumerate().filter(|(_, remark)| names(remark, ticker));
        let mut reasons: Vec<String> = Vec::new();
        match tallies.get_mut(ticker) {
            Some(tally) => {
                reasons.append(&mut tally.errors);
                if tally.records == 0 && tally.rejected > 0 {
                    reasons.push(format!("all {} records break their schema", tally.rejected));
                }
                used.extend(words.map(|(at, _)| at));
            }
            None => {
                for (at, remark) in words {
                    used.insert(at);
                    reasons.push(remark.clone());
                }
                if reasons.is_empty() {
                    reasons.push("the provider's answer has no entry for it".to_owned());
                }
            }
        }
        if reasons.is_empty() {
            harvest.succeeded.push(ticker.clone());
        } else {
            harvest.failed.push((ticker.clone(), shorten(&reasons.join("; "))));
        }
    }
    let unused = remarks.iter().enumerate().filter(|(at, _)| !used.contains(at));
    harvest.remarks.extend(unused.map(|(_, remark)| remark.clone()));
}

/// Whether a remark has the ticker as a word of its own, letter for letter.
fn names(remark: &str, ticker: &Ticker) -> bool {
    let belongs = |c: char| c.is_alphanumeric() || "-_^=/+.&$%#*!~@".contains(c);
    remark.match_indices(ticker.as_str()).any(|(at, symbol)| {
        let before = remark.get(..at).and_then(|text| text.chars().next_back());
        // A full stop ends a sentence unless a letter follows.
        let after = remark.get(at + symbol.len()..).unwrap_or_default().trim_start_matches('.');
        let stops = remark.len() - at - symbol.len() - after.len();
        let follows =
            after.chars().next().is_some_and(|c| if stops == 0 { belongs(c) } else { c.is_alphanumeric() });
        !before.is_some_and(belongs) && !follows
    })
}

#[cfg(test)]
mod tests;
