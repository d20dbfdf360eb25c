//! From a provider's response to the outcome of every requested ticker.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value as Json;

use super::entries::{self, Entry};
use super::envelope::{Envelope, shorten};
use crate::firestore::Write;
use crate::job::{Provider, Ticker, Trouble};
use crate::persist::collisions;
use crate::persist::datasets::{Dataset, Shape};
use crate::persist::record::{self, Context, Part, words};
use crate::persist::rejected::Rejected;

/// The contents of a response. Every requested ticker is in exactly one of the three lists.
#[derive(Debug, Default)]
pub struct Harvest {
    pub succeeded: Vec<Ticker>,
    /// Tickers that failed permanently, each with the reason.
    pub failed: Vec<(Ticker, String)>,
    pub records: Vec<Write>,
    pub rejected: Vec<Rejected>,
    /// Tickers of which a part is to be asked for again, as nothing is said against it.
    pub partly: Vec<Partly>,
    /// Messages of the provider that concern no single ticker.
    pub remarks: Vec<String>,
}

/// A ticker that was answered in part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partly {
    pub ticker: Ticker,
    /// The names of what is missing.
    pub parts: Vec<String>,
    /// The provider's words on the first of them.
    pub words: String,
}

/// What is known of one ticker while the entries are read.
#[derive(Default)]
struct Tally {
    records: usize,
    rejected: usize,
    /// Why the first of the rejected ones is.
    why: Option<String>,
    errors: Vec<String>,
    /// Parts that failed for no reason of their own, while others were answered.
    again: Vec<Part>,
}

/// Maximum records of one response, valid or not: each costs kilobytes until it is stored.
pub const RECORDS_MAX: usize = 100_000;

/// Reads all entries of a response; fails if there are too many records to process at once.
pub fn harvest(
    envelope: &Envelope<'_>,
    dataset: Dataset,
    asked: &[Ticker],
    context: &Context<'_>,
) -> Result<Harvest, String> {
    let mut harvest = Harvest::default();
    let mut tallies = BTreeMap::<Ticker, Tally>::new();
    let mut records = 0_usize;
    for raw in envelope.data.iter().flatten() {
        let entry = entries::read(raw, dataset.schema().shape);
        records =
            records.saturating_add(entry.as_ref().map_or(1, |entry| count(entry, dataset.schema().shape)));
        if records > RECORDS_MAX {
            return Err(format!("response has too many records: limit {RECORDS_MAX}"));
        }
        match entry {
            Ok(entry) => take_entry(entry, dataset, asked, context, &mut harvest, &mut tallies),
            Err(reason) => {
                harvest.rejected.push(Rejected::raw(dataset, None, format!("entry {reason}"), raw));
            }
        }
    }
    judge(envelope, asked, &mut tallies, &mut harvest);
    harvest.settle(dataset);
    Ok(harvest)
}

impl Harvest {
    /// Whether the response had no record, valid or not.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.rejected.is_empty()
    }

    /// Names a part that failed, and keeps what the provider said of it.
    fn reject_part(&mut self, dataset: Dataset, ticker: &Ticker, part: Part) {
        self.remarks.push(shorten(&format!("{ticker}: {part}")));
        self.rejected.push(part.into_rejected(dataset, ticker));
    }

    /// Ensures that what is counted is what will be stored: each record and each rejected one has its own
    /// document.
    fn settle(&mut self, dataset: Dataset) {
        let settled = collisions::settle(dataset, std::mem::take(&mut self.records));
        self.records = settled.records;
        self.rejected.extend(settled.rejected);
        if let Some((times, document)) = settled.repeated {
            self.remarks
                .push(format!("duplicate records, each stored once: {times}, for example {document}"));
        }
        let (mut seen, before) = (HashSet::new(), self.rejected.len());
        self.rejected.retain(|rejected| seen.insert(rejected.key()));
        let times = before - self.rejected.len();
        if times > 0 {
            self.remarks.push(format!("duplicate rejected records, each kept once: {times}"));
        }
    }
}

/// How many records an entry has, at least one: what it costs to take it in.
fn count(entry: &Entry<'_>, shape: Shape) -> usize {
    let readable = match (shape, entry.json.get("data")) {
        (Shape::List, Some(Json::Array(records))) => records.len(),
        (Shape::Indicators, Some(Json::Object(indicators))) => indicators.len(),
        _ => 0,
    };
    readable.saturating_add(entry.odd.len()).max(1)
}

fn take_entry(
    Entry { json: mut entry, odd }: Entry<'_>,
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
            return harvest.rejected.push(Rejected::new(dataset, None, vec![error.to_string()], entry));
        }
        _ => {
            let reason = "entry has no ticker".to_owned();
            return harvest.rejected.push(Rejected::new(dataset, None, vec![reason], entry));
        }
    };
    if !asked.contains(&ticker) {
        harvest.remarks.push(format!("response has an entry for {ticker}, which was not requested"));
    }
    let tally = tallies.entry(ticker.clone()).or_default();
    if let Some(error) = error {
        tally.errors.push(error);
        return;
    }
    let is_odd = !odd.is_empty();
    let raw = |odd: entries::Odd<'_>| Rejected::raw(dataset, Some(&ticker), odd.reason, odd.raw);
    tally.reject(odd.into_iter().map(raw).collect(), harvest);
    match entry.get_mut("data").map(Json::take) {
        None if is_odd => {}
        None | Some(Json::Null) => {
            tally.errors.push("the provider's entry has no data and no error".to_owned());
        }
        Some(data) => {
            let mut found = record::extract(dataset, Some(&ticker), data, context);
            tally.errors.append(&mut found.errors);
            let parts = std::mem::take(&mut found.parts);
            // An indicator that fails beside others costs only itself.
            if found.records.is_empty() {
                tally.errors.extend(parts.iter().map(ToString::to_string));
            } else {
                let provider = Provider::parse(context.source);
                for part in parts {
                    match provider.map(|provider| provider.trouble_of_part(&part.words)) {
                        Some(Trouble::Limited(_) | Trouble::Transient) => tally.again.push(part),
                        _ => harvest.reject_part(dataset, &ticker, part),
                    }
                }
            }
            tally.records += found.records.len();
            tally.reject(std::mem::take(&mut found.rejected), harvest);
            absorb(found, harvest);
        }
    }
}

impl Tally {
    fn reject(&mut self, rejected: Vec<Rejected>, harvest: &mut Harvest) {
        self.rejected += rejected.len();
        if let Some(first) = rejected.first() {
            self.why.get_or_insert_with(|| first.reasons.join(", "));
        }
        harvest.rejected.extend(rejected);
    }
}

fn absorb(found: record::Yield, harvest: &mut Harvest) {
    harvest.records.extend(found.records);
    harvest.rejected.extend(found.rejected);
}

/// Determines the outcome of every requested ticker.
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
        let mut again = Vec::new();
        match tallies.get_mut(ticker) {
            Some(tally) => {
                reasons.append(&mut tally.errors);
                again.append(&mut tally.again);
                if tally.records == 0 && tally.rejected > 0 {
                    let why = tally.why.take().unwrap_or_default();
                    reasons.push(format!("all {} records were rejected: {why}", tally.rejected));
                }
                used.extend(words.map(|(at, _)| at));
            }
            None => {
                for (at, remark) in words {
                    used.insert(at);
                    reasons.push(remark.clone());
                }
                if reasons.is_empty() {
                    reasons.push("the provider's response has no entry for it".to_owned());
                }
            }
        }
        if let (true, Some(first)) = (reasons.is_empty(), again.first()) {
            let words = shorten(&first.words);
            let parts = again.iter().map(|part| part.name.clone()).collect();
            harvest.partly.push(Partly { ticker: ticker.clone(), parts, words });
        } else if reasons.is_empty() {
            harvest.succeeded.push(ticker.clone());
        } else {
            harvest.failed.push((ticker.clone(), shorten(&reasons.join("; "))));
        }
    }
    let unused = remarks.iter().enumerate().filter(|(at, _)| !used.contains(at));
    harvest.remarks.extend(unused.map(|(_, remark)| remark.clone()));
}

/// Whether a remark has the ticker as a word of its own, letter for letter.
pub(super) fn names(remark: &str, ticker: &Ticker) -> bool {
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
