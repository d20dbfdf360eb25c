//! From a provider's response to the outcome of every requested ticker.

mod so_far;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value as Json;

use super::entries::{self, Entry, RECORDS_MAX};
use super::envelope::{Envelope, shorten};
use crate::catalogue::dataset::{Expects, Shape};
use crate::catalogue::{Dataset, Provider, Ticker, Trouble};
use crate::firestore::{Value, Write};
use crate::intake::collisions;
use crate::intake::expectation::Expectation;
use crate::intake::quality;
use crate::intake::record::{self, Asked, Context, Part, error_message};
use crate::intake::rejected::Rejected;
use crate::run::Outcome;
use so_far::TickerSoFar;

/// The contents of a response. Every requested ticker is in exactly one of the four lists.
#[derive(Debug)]
pub struct Intake {
    /// The kind of its records.
    pub dataset: &'static Dataset,
    pub succeeded: Vec<Ticker>,
    /// Tickers that failed permanently, each with the reason.
    pub failed: Vec<(Ticker, String)>,
    /// Tickers that were answered, but not with what the dataset expects.
    pub lacking: Vec<Lacking>,
    /// Number of doubtful records of those that are stale or failed.
    pub stale_flagged: u64,
    /// Number of rejected records of those that are stale or failed.
    pub stale_rejected: u64,
    /// Tickers that have as many records as were asked for: more may exist.
    pub cut: Vec<Ticker>,
    pub records: Vec<Write>,
    pub rejected: Vec<Rejected>,
    /// Tickers of which a part is to be requested again, because nothing is known to be wrong with it.
    pub partly: Vec<Partly>,
    /// Messages of the provider that concern no single ticker.
    pub remarks: Vec<String>,
}

/// A ticker that is empty or stale, or whose window the service ignored: then it has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lacking {
    pub ticker: Ticker,
    pub outcome: Outcome,
    pub reason: String,
}

/// A ticker that was partly answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partly {
    pub ticker: Ticker,
    /// The names of the missing parts.
    pub parts: Vec<String>,
    /// The others that have no current record, as the reason names them.
    pub outdated: Vec<String>,
    /// The provider's message about the first of them.
    pub message: String,
}

/// Reads all entries of a response; fails if there are too many records to process at once.
pub fn take_in(
    envelope: &Envelope<'_>,
    dataset: &'static Dataset,
    asked: &[Ticker],
    context: &Context<'_>,
) -> Result<Intake, String> {
    let mut intake = Intake::new(dataset);
    let mut tickers = BTreeMap::<Ticker, TickerSoFar>::new();
    let (calendar, tick) = (context.calendar, context.tick);
    let expectation = match context.asked.window {
        None => Expectation::new(dataset, calendar, tick),
        Some(window) => Expectation::of_window(dataset, calendar, tick, window),
    };
    let mut records = 0_usize;
    for raw in envelope.data.iter().flatten() {
        let entry = entries::read(raw, dataset.shape);
        records = records.saturating_add(entry.as_ref().map_or(1, |entry| count(entry, dataset.shape)));
        if records > RECORDS_MAX {
            return Err(format!("response has too many records: limit {RECORDS_MAX}"));
        }
        match entry {
            Ok(entry) => {
                take_entry(entry, asked, context, &expectation, &mut intake, &mut tickers);
            }
            Err(reason) => {
                intake.rejected.push(Rejected::raw(dataset, None, format!("entry {reason}"), raw));
            }
        }
    }
    judge(envelope, asked, &expectation, &context.asked, &mut tickers, &mut intake);
    intake.settle();
    if context.asked.is_enlarged {
        intake.remark_cut();
    }
    Ok(intake)
}

impl Intake {
    fn new(dataset: &'static Dataset) -> Self {
        Self {
            dataset,
            succeeded: Vec::new(),
            failed: Vec::new(),
            lacking: Vec::new(),
            cut: Vec::new(),
            stale_flagged: 0,
            stale_rejected: 0,
            records: Vec::new(),
            rejected: Vec::new(),
            partly: Vec::new(),
            remarks: Vec::new(),
        }
    }

    /// The tickers that the provider answered for without an error.
    pub fn answered(&self) -> impl Iterator<Item = &Ticker> {
        self.succeeded.iter().chain(self.lacking.iter().map(|lacking| &lacking.ticker))
    }

    /// Whether the response had no record, valid or not.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.rejected.is_empty()
    }

    /// Reports a part that failed, and keeps the provider's message about it.
    fn reject_part(&mut self, ticker: &Ticker, part: Part) {
        self.remarks.push(shorten(&format!("{ticker}: {part}")));
        self.rejected.push(part.into_rejected(self.dataset, ticker));
    }

    /// Ensures that counts match what will be stored: each record and each rejected record has its own document.
    fn settle(&mut self) {
        let settled = collisions::settle(self.dataset, std::mem::take(&mut self.records));
        self.records = settled.records;
        let stale = self.lacking.iter().filter(|lacking| lacking.outcome != Outcome::Empty);
        let stale: HashSet<&str> = stale.map(|lacking| lacking.ticker.as_str()).collect();
        let is_stale = |record: &&Write| {
            record.fields.get("ticker").and_then(Value::as_str).is_some_and(|ticker| stale.contains(ticker))
        };
        if !stale.is_empty() {
            let is_of_stale = |rejected: &&Rejected| {
                rejected.ticker.as_deref().is_some_and(|ticker| stale.contains(ticker))
            };
            self.stale_rejected =
                u64::try_from(self.rejected.iter().filter(is_of_stale).count()).unwrap_or(u64::MAX);
            self.stale_flagged =
                count_of(self.records.iter().filter(is_stale).filter(|record| quality::is_flagged(record)));
        }
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

    /// Says which tickers were cut although more records were asked for than usual.
    fn remark_cut(&mut self) {
        let Some(first) = self.cut.first() else { return };
        let limit = self.dataset.quality.larger().map_or(0, |(_, larger)| larger);
        let have = if self.cut.len() == 1 { "ticker has" } else { "tickers have" };
        self.remarks.push(format!(
            "{} {have} as many records as were asked for, {limit}, for example {first}: more may exist",
            self.cut.len()
        ));
    }

    /// Takes out the tickers that were cut at the usual number of records, with the records of the answer: they are
    /// requested once more, with a larger number. None of them is settled.
    pub fn take_cut(&mut self) -> (Vec<Ticker>, Vec<Write>) {
        let cut: Vec<_> = self.cut.iter().filter(|ticker| self.succeeded.contains(ticker)).cloned().collect();
        self.succeeded.retain(|ticker| !cut.contains(ticker));
        let names: HashSet<&str> = cut.iter().map(Ticker::as_str).collect();
        let is_cut = |record: &mut Write| {
            record.fields.get("ticker").and_then(Value::as_str).is_some_and(|ticker| names.contains(ticker))
        };
        let records = self.records.extract_if(.., is_cut).collect();
        // They come again, too.
        self.rejected.retain(|one| !one.ticker.as_deref().is_some_and(|ticker| names.contains(ticker)));
        (cut, records)
    }
}

fn count_of<'a>(records: impl Iterator<Item = &'a Write>) -> u64 {
    u64::try_from(records.count()).unwrap_or(u64::MAX)
}

/// Number of records in an entry, at least one: the cost of processing it.
fn count(entry: &Entry<'_>, shape: Shape) -> usize {
    let readable = match (shape, entry.json.get("data")) {
        (Shape::List, Some(Json::Array(records))) => records.len(),
        (Shape::Indicators(_), Some(Json::Object(indicators))) => indicators.len(),
        _ => 0,
    };
    readable.saturating_add(entry.odd.len()).max(1)
}

fn take_entry(
    Entry { json: mut entry, odd }: Entry<'_>,
    asked: &[Ticker],
    context: &Context<'_>,
    expectation: &Expectation,
    intake: &mut Intake,
    tickers: &mut BTreeMap<Ticker, TickerSoFar>,
) {
    let dataset = intake.dataset;
    let error = entry.get("error").filter(|error| !error.is_null()).map(error_message);
    if dataset.shape == Shape::Bare {
        match error {
            Some(error) => intake.remarks.push(shorten(&error)),
            None => absorb(record::extract(dataset, None, entry, context), intake),
        }
        return;
    }
    let ticker = match entry.get("ticker").map(|ticker| ticker.as_str().map(Ticker::parse)) {
        Some(Some(Ok(ticker))) => ticker,
        Some(Some(Err(error))) => {
            return intake.rejected.push(Rejected::new(dataset, None, vec![error.to_string()], entry));
        }
        _ => {
            let reason = "entry has no ticker".to_owned();
            return intake.rejected.push(Rejected::new(dataset, None, vec![reason], entry));
        }
    };
    if !asked.contains(&ticker) {
        intake.remarks.push(format!("response has an entry for {ticker}, which was not requested"));
    }
    let so_far = tickers.entry(ticker.clone()).or_default();
    if let Some(error) = error {
        so_far.errors.push(error);
        return;
    }
    let is_odd = !odd.is_empty();
    so_far.is_odd |= is_odd;
    let raw = |odd: entries::Odd<'_>| Rejected::raw(dataset, Some(&ticker), odd.reason, odd.raw);
    so_far.reject(odd.into_iter().map(raw).collect(), intake);
    match entry.get_mut("data").map(Json::take) {
        None if is_odd => {}
        // Nothing, said without an error: the ticker is empty.
        None | Some(Json::Null) if dataset.expects != Expects::Nothing => {}
        None | Some(Json::Null) => {
            so_far.errors.push("the provider's entry has no data and no error".to_owned());
        }
        Some(data) => {
            if let (Shape::Indicators(_), Json::Object(indicators)) = (dataset.shape, &data) {
                so_far.indicators.extend(indicators.keys().map(|name| (name.clone(), None)));
            }
            let mut found = record::extract(dataset, Some(&ticker), data, context);
            so_far.errors.append(&mut found.errors);
            let parts = std::mem::take(&mut found.parts);
            // An indicator that fails while others succeed affects only itself.
            if found.records.is_empty() {
                so_far.errors.extend(parts.iter().map(ToString::to_string));
            } else {
                let provider = Provider::parse(context.source);
                for part in parts {
                    match provider.map(|provider| provider.trouble_of_part(&part.message)) {
                        Some(Trouble::Limited(_) | Trouble::Transient) => so_far.again.push(part),
                        _ => intake.reject_part(&ticker, part),
                    }
                }
            }
            so_far.note(&found.records, expectation);
            quality::flag(dataset.quality, &mut found.records);
            let sent = found.records.len() + found.rejected.len();
            let reaches_back = quality::reaches_back(dataset.quality, &found.records, context.asked.since);
            if quality::is_cut(dataset.quality, sent, context.asked.is_enlarged) && !reaches_back {
                if context.asked.is_enlarged {
                    quality::flag_cut(&mut found.records);
                }
                intake.cut.push(ticker.clone());
            }
            so_far.reject(std::mem::take(&mut found.rejected), intake);
            absorb(found, intake);
        }
    }
}

fn absorb(found: record::Extracted, intake: &mut Intake) {
    intake.records.extend(found.records);
    intake.rejected.extend(found.rejected);
}

/// Determines the outcome of every requested ticker.
fn judge(
    envelope: &Envelope<'_>,
    asked: &[Ticker],
    expectation: &Expectation,
    of: &Asked<'_>,
    tickers: &mut BTreeMap<Ticker, TickerSoFar>,
    intake: &mut Intake,
) {
    let remarks = envelope.errors();
    let mut used = BTreeSet::new();
    for ticker in asked {
        let named = remarks.iter().enumerate().filter(|(_, remark)| names(remark, ticker));
        let mut reasons: Vec<String> = Vec::new();
        let mut again = Vec::new();
        let (mut lacking, mut outdated) = (None, Vec::new());
        match tickers.get_mut(ticker) {
            Some(so_far) => {
                reasons.append(&mut so_far.errors);
                again.append(&mut so_far.again);
                if so_far.records == 0 && so_far.rejected > 0 {
                    let why = so_far.why.take().unwrap_or_default();
                    reasons.push(format!("all {} records were rejected: {why}", so_far.rejected));
                }
                used.extend(named.map(|(at, _)| at));
                outdated = so_far.outdated(intake.dataset.shape, expectation, of);
                let is_partial = !of.parts.is_empty() && !outdated.is_empty();
                lacking = expectation.lacking(so_far.records, so_far.newest).filter(|_| !is_partial);
                lacking = lacking
                    .or_else(|| expectation.ignored(so_far.inside, so_far.outside))
                    .or_else(|| expectation.partly_lacking(&outdated));
            }
            None => {
                for (at, remark) in named {
                    used.insert(at);
                    reasons.push(remark.clone());
                }
                if reasons.is_empty() {
                    reasons.push("the provider's response has no entry for it".to_owned());
                }
            }
        }
        if let (true, Some(first)) = (reasons.is_empty(), again.first()) {
            let message = shorten(&first.message);
            let parts = again.iter().map(|part| part.name.clone()).collect();
            intake.partly.push(Partly { ticker: ticker.clone(), parts, outdated, message });
        } else if let (true, Some((outcome, reason))) = (reasons.is_empty(), lacking) {
            intake.lacking.push(Lacking { ticker: ticker.clone(), outcome, reason });
        } else if reasons.is_empty() {
            intake.succeeded.push(ticker.clone());
        } else {
            intake.failed.push((ticker.clone(), shorten(&reasons.join("; "))));
        }
    }
    let unused = remarks.iter().enumerate().filter(|(at, _)| !used.contains(at));
    intake.remarks.extend(unused.map(|(_, remark)| remark.clone()));
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
