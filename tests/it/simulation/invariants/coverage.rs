//! The coverage is what a full scan of the documents finds.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use orchestrator::calendar::schedule::Schedule;
use orchestrator::catalogue::{self, Dataset, Ticker};
use orchestrator::firestore::Fields;
use orchestrator::ledger::coverage::DayCells;
use orchestrator::ledger::coverage::days::Follows;
use orchestrator::run::cell::{CellState, WHOLE_MARKET};
use orchestrator::run::{RunState, Unit};

use super::ended_run;
use crate::simulation::scenario::Tick;
use crate::simulation::stage::Stage;
use crate::simulation::storm::Storm;

/// Ticker and day.
type Cell = (String, NaiveDate);

pub(super) fn check(stage: &Stage) {
    let runs: Vec<_> =
        stage.scenario.ticks.iter().filter_map(|tick| Some((tick, ended_run(stage, tick)?))).collect();
    for dataset in catalogue::datasets() {
        let days = days(stage, dataset);
        if Follows::of(dataset).has_sessions() {
            compare(stage, dataset, &days, &runs);
        }
        for (tick, run) in &runs {
            expected(stage, dataset, &days, tick, run);
        }
    }
}

/// Every document of a dataset with sessions has a cell that says so, and the other way round.
fn compare(
    stage: &Stage,
    dataset: &Dataset,
    days: &BTreeMap<NaiveDate, DayCells>,
    runs: &[(&Tick, RunState)],
) {
    let stored = scan(stage, dataset);
    let is_stored = |state: CellState| matches!(state, CellState::Stored | CellState::Flagged);
    let covered: BTreeSet<Cell> = days
        .iter()
        .flat_map(|(date, cells)| cells.iter().map(move |(ticker, known)| (ticker, date, known)))
        .filter(|(.., known)| known.cell.as_ref().is_some_and(|cell| is_stored(cell.state)))
        .map(|(ticker, date, _)| (ticker.to_string(), *date))
        .collect();
    // An attempt that died may have stored documents of a ticker that then failed for good: nobody knows of these.
    let failed: BTreeSet<&str> = runs
        .iter()
        .flat_map(|(_, run)| &run.shortfalls)
        .filter_map(|failure| failure.ticker.as_ref())
        .map(Ticker::as_str)
        .collect();
    // Nor of old documents, if the answer that repeats the lost one has only newer data.
    let scenario = &stage.scenario;
    let dies = scenario.mortality > 0 || !scenario.storms.iter().all(Storm::hits_provider);
    let is_outdated = dies && !scenario.published_at.is_zero();
    let is_known = |(ticker, _): &&Cell| !is_outdated && !failed.contains(ticker.as_str());
    for (ticker, date) in stored.difference(&covered).filter(is_known) {
        stage.accuse(format!(
            "{ticker} of {dataset:?} is stored for {date}, and the coverage does not say so"
        ));
    }
    for (ticker, date) in covered.difference(&stored) {
        stage.accuse(format!(
            "the coverage says that {ticker} of {dataset:?} is stored for {date}, and it is not"
        ));
    }
}

/// What a scheduled run has planned is expected, and what came of it is known.
fn expected(
    stage: &Stage,
    dataset: &Dataset,
    days: &BTreeMap<NaiveDate, DayCells>,
    tick: &Tick,
    run: &RunState,
) {
    let is_fed = tick.job.endpoints.iter().any(|endpoint| endpoint.dataset == dataset);
    if !is_fed || !run.planned {
        return;
    }
    let time: DateTime<Utc> = tick.run_time;
    let calendar = &stage.scenario.config().ticks.calendar;
    let Some(date) = Follows::of(dataset).day_at(calendar, time) else { return };
    let cells = days.get(&date);
    for Unit { endpoint, ticker, .. } in run.units() {
        if !tick.job.endpoints.iter().any(|known| known.path == endpoint && known.dataset == dataset) {
            continue;
        }
        let name = ticker.map_or(WHOLE_MARKET, |ticker| ticker.as_str());
        let known = cells.and_then(|cells| cells.get(name));
        if tick.key.is_none() && !known.is_some_and(|known| known.expected) {
            stage.accuse(format!("{name} of {dataset:?} was planned for {date}, and is not expected"));
        }
        for before in nobodys_days(stage, dataset, tick, date).filter(|_| tick.key.is_none()) {
            let known = days.get(&before).and_then(|cells| cells.get(name));
            if !known.is_some_and(|known| known.expected) {
                stage.accuse(format!("no run expects {name} of {dataset:?} for {before}"));
            }
        }
    }
    // A ticker that failed when its call was cut off is recorded at the attempt's end, if Firestore answers then.
    if !stage.scenario.storms.iter().all(Storm::hits_provider) {
        return;
    }
    for failure in run.shortfalls.iter().filter(|failure| {
        tick.job.endpoints.iter().any(|known| known.path == failure.endpoint && known.dataset == dataset)
    }) {
        let name = failure.ticker.as_ref().map_or(WHOLE_MARKET, |ticker| ticker.as_str());
        if cells.and_then(|cells| cells.get(name)).is_none_or(|known| known.cell.is_none()) {
            stage.accuse(format!("{name} of {dataset:?} has failed, and its cell of {date} is missing"));
        }
    }
}

/// The sessions before `date`, the day that a tick is about, that no tick of its job is about.
fn nobodys_days<'a>(
    stage: &'a Stage,
    dataset: &Dataset,
    tick: &'a Tick,
    date: NaiveDate,
) -> impl Iterator<Item = NaiveDate> + use<'a> {
    let ticks = stage.scenario.config().ticks;
    let follows = Follows::of(dataset);
    let schedule = Schedule::parse(tick.job.schedule).expect("a schedule");
    let due: BTreeSet<_> = schedule
        .until(tick.run_time - TimeDelta::seconds(1))
        .take(600)
        .filter(|time| ticks.skipped(tick.job, *time).is_none())
        .filter_map(|time| follows.day_at(&ticks.calendar, time))
        .collect();
    let from = due.last().copied().filter(|before| follows.has_sessions() && *before < date);
    let days = from.map(|from| follows.days(&ticks.calendar, from..=date)).unwrap_or_default();
    days.into_iter().filter(move |day| *day < date && !due.contains(day))
}

/// The coverage of a dataset.
fn days(stage: &Stage, dataset: &Dataset) -> BTreeMap<NaiveDate, DayCells> {
    let store = stage.store();
    let mut days = BTreeMap::new();
    for (id, stored) in store.collection(&stage.database, "ingestion_coverage") {
        let date = id.strip_prefix(dataset.name).and_then(|rest| rest.strip_prefix('_'));
        if let Some(date) = date.and_then(|date| date.parse().ok()) {
            days.insert(
                date,
                DayCells::from_fields(&typed(&stored.fields)).expect("the coverage can be read"),
            );
        }
    }
    days
}

/// Which cells have documents.
fn scan(stage: &Stage, dataset: &Dataset) -> BTreeSet<Cell> {
    let store = stage.store();
    let documents = store.collection(&stage.database, stage.scenario.config().collections.of(dataset));
    let mut cells = BTreeSet::new();
    for (id, stored) in documents {
        let fields = typed(&stored.fields);
        let ticker = fields.get("ticker").and_then(|ticker| ticker.as_str()).expect("a record has a ticker");
        let date = Follows::of(dataset).day_of(&fields).unwrap_or_else(|| panic!("{id} has no day"));
        cells.insert((ticker.to_owned(), date));
    }
    cells
}

fn typed(fields: &sim::firestore::memory::Fields) -> Fields {
    serde_json::from_value(fields.clone().into()).expect("fields are values")
}
