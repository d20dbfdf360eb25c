//! What a request for past days asks for: which tickers in which windows, according to the coverage.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use chrono::NaiveDate;
use serde::Serialize;

use super::{Engine, plan};
use crate::calendar::Calendar;
use crate::catalogue::{Endpoint, Job, Ticker};
use crate::firestore::FirestoreError;
use crate::ledger::coverage::DayCells;
use crate::ledger::coverage::days::Follows;
use crate::ledger::{Filter, packing};
use crate::run::backfill::{Backfill, Only};
use crate::run::cell::CellState;
use crate::run::{RunState, Trigger, WatchlistProblems, Window, Work};

/// Records to expect in an answer at most: about a megabyte.
const RECORDS_MAX: u64 = 5_000;
/// Tickers times windows of one run: as many as its ledger entry can always hold.
const UNITS_MAX: usize = 40_000;
/// Tickers times days of one run.
const CELLS_MAX: usize = 1_500_000;
/// Cells that a plan names.
const HOLES_NAMED: usize = 20;
/// Runs whose pace is the present one.
const RUNS_PACE: usize = 20;
/// The state of cells about which nothing is known.
const MISSING: &str = "missing";

/// What a backfill would do.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema), schema(as = BackfillPlan))]
#[derive(Clone, Debug, Serialize)]
pub struct Plan {
    /// Tickers times days that would be requested because they lack a record.
    pub cells: usize,
    pub tickers: usize,
    pub calls: usize,
    /// Requests that count against the provider's quota: one for each ticker and window.
    pub quota_requests: usize,
    /// At the pace of the job's latest runs; null if there are none.
    pub minutes: Option<u64>,
    /// The first of the cells.
    pub holes: Vec<Hole>,
    #[serde(skip)]
    work: Vec<Work>,
    #[serde(skip)]
    problems: WatchlistProblems,
}

/// A cell that would be requested.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hole {
    pub ticker: Ticker,
    /// `YYYY-MM-DD`
    pub date: String,
    /// `missing`, or the state of the cell.
    pub state: &'static str,
}

/// Why there is no plan.
#[derive(Debug)]
pub enum NoPlan {
    /// It asks for too much at once.
    TooLarge(String),
    Firestore(FirestoreError),
}

impl From<FirestoreError> for NoPlan {
    fn from(error: FirestoreError) -> Self {
        Self::Firestore(error)
    }
}

/// Tickers of one call.
pub fn batch_size(job: &Job, window: Option<Window>, endpoint: &str, batch_max: usize) -> usize {
    let endpoint = job.endpoints.iter().find(|known| known.path == endpoint);
    let Some((window, parameters)) = window.zip(endpoint.and_then(|endpoint| endpoint.window)) else {
        return batch_max;
    };
    let each = window.days().saturating_mul(parameters.records_a_day).max(1);
    usize::try_from(RECORDS_MAX / each).unwrap_or(batch_max).clamp(1, batch_max)
}

impl Engine {
    /// What a backfill would do; nothing is written and no provider is called.
    pub async fn preview(&self, trigger: &Trigger, backfill: Backfill) -> Result<Plan, NoPlan> {
        let mut plan = self.plan_backfill(trigger, backfill, &Requested::default()).await?;
        plan.minutes = self.minutes(trigger.job, plan.quota_requests).await;
        Ok(plan)
    }

    /// The run of a backfill, with its work.
    pub(super) async fn run_of_backfill(
        &self,
        trigger: Trigger,
        backfill: Backfill,
    ) -> Result<RunState, NoPlan> {
        self.run_without(&trigger, backfill, &Requested::default()).await
    }

    /// The same without what other runs have still to request.
    pub(super) async fn run_without(
        &self,
        trigger: &Trigger,
        backfill: Backfill,
        requested: &Requested,
    ) -> Result<RunState, NoPlan> {
        let plan = self.plan_backfill(trigger, backfill, requested).await?;
        let mut state = trigger.clone().into_state(self.world.clock.now());
        state.watchlist_problems = plan.problems;
        state.plan(plan.work, plan.tickers);
        Ok(state)
    }

    async fn plan_backfill(
        &self,
        trigger: &Trigger,
        backfill: Backfill,
        requested: &Requested,
    ) -> Result<Plan, NoPlan> {
        let (tickers, problems) = match &trigger.tickers {
            Some(tickers) => (tickers.clone(), WatchlistProblems::default()),
            None => plan::resolve(&self.firestore, &self.settings.collections, trigger.scope).await?,
        };
        if let Some(reason) = packing::excess(&tickers) {
            return Err(NoPlan::TooLarge(reason));
        }
        let mut holes = Holes::new(&tickers, backfill, requested);
        let mut plan = Plan {
            cells: 0,
            tickers: 0,
            calls: 0,
            quota_requests: 0,
            minutes: None,
            holes: Vec::new(),
            work: Vec::new(),
            problems,
        };
        for endpoint in trigger.job.endpoints {
            let Some(parameters) = endpoint.window else { continue };
            let Window { from, to } = backfill.window;
            let follows = Follows::of(endpoint.dataset);
            let days = follows.days_by(&self.settings.ticks.calendar, (from, to), trigger.run_time);
            let pieces = backfill.window.pieces(parameters.days_max);
            check_size(tickers.len(), pieces.len(), days.len())?;
            let found = self.holes(endpoint, &mut holes, &pieces, &days).await?;
            let batch_max = self.settings.provider(trigger.job.provider).batch_size;
            let size = |work: &Work| batch_size(trigger.job, work.window, &work.endpoint, batch_max);
            plan.calls += found.iter().map(|work| work.tickers.len().div_ceil(size(work))).sum::<usize>();
            plan.work.extend(found);
        }
        plan.quota_requests = plan.work.iter().map(Work::units).sum();
        let distinct: BTreeSet<_> = plan.work.iter().flat_map(|work| &work.tickers).collect();
        plan.tickers = distinct.len();
        (plan.cells, plan.holes) = (holes.cells, holes.named);
        Ok(plan)
    }

    /// The work of an endpoint: for each piece of the window the tickers that lack a record in it, and the days from
    /// the first to the last that any of them lacks.
    async fn holes(
        &self,
        endpoint: &Endpoint,
        holes: &mut Holes<'_>,
        pieces: &[Window],
        days: &[NaiveDate],
    ) -> Result<Vec<Work>, FirestoreError> {
        let mut pieces: Vec<_> =
            pieces.iter().map(|window| Piece::new(*window, holes.tickers.len())).collect();
        let mut unknown: BTreeSet<_> = days.iter().copied().collect();
        if let (Some(first), Some(last), false) =
            (days.first(), days.last(), holes.backfill.only == Only::All)
        {
            let range: RangeInclusive<NaiveDate> = *first..=*last;
            let take = |date: NaiveDate, cells: &DayCells| {
                if unknown.remove(&date) {
                    holes.look(endpoint, date, Some(cells), &mut pieces);
                }
            };
            let mut take = take;
            self.coverage
                .each_day(endpoint.dataset.name, &range, |summary, cells| take(summary.date, cells))
                .await?;
        }
        for date in unknown {
            holes.look(endpoint, date, None, &mut pieces);
        }
        Ok(pieces.into_iter().filter_map(|piece| piece.into_work(endpoint, holes.tickers)).collect())
    }

    /// How long so many requests take at the pace of the job's latest runs, in minutes.
    async fn minutes(&self, job: &Job, requests: usize) -> Option<u64> {
        let filter = Filter { job: Some(job.name), limit: RUNS_PACE, ..Filter::default() };
        let runs = self.ledger.list(&filter).await.ok()?.runs;
        let (mut millis, mut tickers) = (0_u64, 0_u64);
        for run in runs.iter().filter(|run| run.summary.tickers_processed > 0) {
            millis = millis.saturating_add(run.summary.duration_ms);
            tickers = tickers.saturating_add(run.summary.tickers_processed);
        }
        let requests = u64::try_from(requests).ok()?;
        (tickers > 0).then(|| millis.saturating_mul(requests).div_ceil(tickers.saturating_mul(60_000)))
    }
}

fn check_size(tickers: usize, windows: usize, days: usize) -> Result<(), NoPlan> {
    let advice = "choose fewer days or fewer tickers";
    if tickers.saturating_mul(windows) > UNITS_MAX {
        return Err(NoPlan::TooLarge(format!(
            "{tickers} tickers times {windows} requests each are too many for one run, limit {UNITS_MAX}: {advice}"
        )));
    }
    if tickers.saturating_mul(days) > CELLS_MAX {
        return Err(NoPlan::TooLarge(format!(
            "{tickers} tickers times {days} days are too many for one run, limit {CELLS_MAX}: {advice}"
        )));
    }
    Ok(())
}

/// Cells that runs have still to request: the tickers by endpoint and day.
#[derive(Debug, Default)]
pub(super) struct Requested(BTreeMap<(String, NaiveDate), Tickers>);

/// Which tickers of an endpoint and a day.
#[derive(Debug)]
enum Tickers {
    /// It does not know them yet.
    All,
    These(BTreeSet<Ticker>),
}

impl Requested {
    /// Adds what is left of a tick's run: current data, so the cells of the tick's day.
    pub(super) fn add(&mut self, job: &Job, state: &RunState, calendar: &Calendar) {
        let Some(tick) = state.tick() else { return };
        for endpoint in job.endpoints {
            let Some(day) = Follows::of(endpoint.dataset).day_at(calendar, tick) else { continue };
            let left = state.pending.iter().filter(|work| work.endpoint == endpoint.path);
            let left: BTreeSet<_> = left.flat_map(|work| work.tickers.iter().cloned()).collect();
            let known = self
                .0
                .entry((endpoint.path.to_owned(), day))
                .or_insert_with(|| Tickers::These(BTreeSet::new()));
            match known {
                _ if !state.planned => *known = Tickers::All,
                Tickers::These(known) => known.extend(left),
                Tickers::All => {}
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn has(&self, endpoint: &Endpoint, day: NaiveDate, ticker: &Ticker) -> bool {
        match self.0.get(&(endpoint.path.to_owned(), day)) {
            None => false,
            Some(Tickers::All) => true,
            Some(Tickers::These(tickers)) => tickers.contains(ticker),
        }
    }
}

/// What is found while the coverage is read.
struct Holes<'a> {
    tickers: &'a [Ticker],
    backfill: Backfill,
    requested: &'a Requested,
    cells: usize,
    named: Vec<Hole>,
}

/// A piece of the window.
struct Piece {
    window: Window,
    /// Of each ticker, whether it lacks a record.
    lacks: Vec<bool>,
    /// The first and the last day on which one does.
    days: Option<Window>,
}

impl<'a> Holes<'a> {
    fn new(tickers: &'a [Ticker], backfill: Backfill, requested: &'a Requested) -> Self {
        Self { tickers, backfill, requested, cells: 0, named: Vec::new() }
    }

    /// Notes the cells of a day that are to be requested; none of its cells is known without a document.
    fn look(&mut self, endpoint: &Endpoint, date: NaiveDate, cells: Option<&DayCells>, pieces: &mut [Piece]) {
        let Some(piece) = pieces.iter_mut().find(|piece| piece.window.contains(date)) else { return };
        for (ticker, lacks) in self.tickers.iter().zip(&mut piece.lacks) {
            let known = cells.and_then(|cells| cells.get(ticker.as_str()));
            let state = known.and_then(|known| known.cell.as_ref()).map(|cell| cell.state);
            if !self.backfill.only.wants(state) || self.requested.has(endpoint, date, ticker) {
                continue;
            }
            self.cells += 1;
            *lacks = true;
            piece.days = Some(match piece.days {
                Some(days) => Window { from: days.from.min(date), to: days.to.max(date) },
                None => Window { from: date, to: date },
            });
            if self.named.len() < HOLES_NAMED {
                let state = state.map_or(MISSING, CellState::name);
                self.named.push(Hole { ticker: ticker.clone(), date: date.to_string(), state });
            }
        }
    }
}

impl Piece {
    fn new(window: Window, tickers: usize) -> Self {
        Self { window, lacks: vec![false; tickers], days: None }
    }

    /// None if no ticker lacks anything.
    fn into_work(self, endpoint: &Endpoint, tickers: &[Ticker]) -> Option<Work> {
        let lacking = tickers.iter().zip(self.lacks).filter(|(_, lacks)| *lacks);
        let tickers = lacking.map(|(ticker, _)| ticker.clone()).collect();
        Some(Work { window: Some(self.days?), ..Work::new(endpoint.path, tickers) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::calendar::Calendar;
    use crate::catalogue::find;
    use crate::run::window::tests::window;

    #[test]
    fn a_call_has_as_many_tickers_as_fit_into_an_answer() {
        let size = |job: &str, days: Option<Window>| {
            let job = find(job).unwrap();
            batch_size(job, days, job.endpoints[0].path, 50)
        };
        assert_eq!(size("tiingo-daily-prices", None), 50);
        assert_eq!(size("tiingo-daily-prices", Some(window("2025-01-01", "2025-12-31"))), 13);
        assert_eq!(size("tiingo-daily-prices", Some(window("2026-11-24", "2026-11-25"))), 50);
        assert_eq!(size("finnhub-company-news-universe", Some(window("2026-11-19", "2026-11-25"))), 23);
        assert_eq!(size("alpha-vantage-technical-indicators", Some(window("2010-01-01", "2026-11-25"))), 50);
    }

    #[test]
    fn what_is_too_much_for_one_run_says_so() {
        assert!(check_size(500, 5, 1_260).is_ok());
        let told = |tickers, windows, days| match check_size(tickers, windows, days) {
            Err(NoPlan::TooLarge(message)) => message,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            told(20_000, 3, 700),
            "20000 tickers times 3 requests each are too many for one run, limit 40000: choose fewer days or fewer tickers"
        );
        assert!(told(5_000, 5, 1_260).contains("1260 days are too many for one run, limit 1500000"));
    }

    #[test]
    fn only_days_that_are_over_are_requested() {
        let price = crate::catalogue::find_dataset("daily_prices").unwrap();
        let news = crate::catalogue::find_dataset("finnhub_news").unwrap();
        let asked = window("2026-11-24", "2026-11-27");
        let at = |dataset, now: &str| {
            let days = (asked.from, asked.to);
            Follows::of(dataset).days_by(&Calendar::default(), days, now.parse().unwrap()).len()
        };
        // Thanksgiving is on the 26th; the Friday after it closes at 13:00.
        assert_eq!(at(price, "2026-11-27T19:00:00Z"), 2);
        assert_eq!(at(price, "2026-11-27T19:30:00Z"), 3);
        assert_eq!(at(news, "2026-11-27T12:00:00Z"), 4);
    }

    #[test]
    fn a_window_reaches_from_the_first_to_the_last_hole() {
        let tickers = ["A", "B", "C"].map(|ticker| Ticker::parse(ticker).unwrap());
        let all = window("2025-12-01", "2026-11-25");
        let requested = Requested::default();
        let backfill = Backfill { window: all, only: Only::Missing, insists: false };
        let mut holes = Holes::new(&tickers, backfill, &requested);
        let mut pieces = all.pieces(200).into_iter().map(|window| Piece::new(window, 3)).collect::<Vec<_>>();
        let date = |text: &str| text.parse::<NaiveDate>().unwrap();
        let mut cells = DayCells::default();
        let stored = crate::run::cell::Cell::stored::<&str>([]);
        let change = crate::ledger::coverage::Change {
            cells: [("A".into(), stored.clone()), ("C".into(), stored)].into(),
            ..Default::default()
        };
        cells.apply(&change);
        let endpoint = &find("tiingo-daily-prices").unwrap().endpoints[0];
        holes.look(endpoint, date("2026-11-02"), Some(&cells), &mut pieces);
        holes.look(endpoint, date("2026-11-20"), Some(&cells), &mut pieces);
        let works: Vec<_> =
            pieces.into_iter().filter_map(|piece| piece.into_work(endpoint, &tickers)).collect();
        assert_eq!(works.len(), 1, "{works:?}");
        assert_eq!(works[0].window, Some(window("2026-11-02", "2026-11-20")));
        assert_eq!((works[0].tickers.as_slice(), holes.cells), (&tickers[1..2], 2));
        let told: Vec<_> = holes.named.iter().map(|hole| (hole.date.as_str(), hole.state)).collect();
        assert_eq!(told, [("2026-11-02", "missing"), ("2026-11-20", "missing")]);
    }
    #[test]
    fn what_a_run_has_still_to_request_is_left_to_it() {
        let job = find("tiingo-daily-prices").unwrap();
        let tickers = ["A", "B"].map(|ticker| Ticker::parse(ticker).unwrap());
        let tick = Some("2026-11-20T23:00:00Z".parse().unwrap());
        let pending = vec![Work::new(job.endpoints[0].path, vec![tickers[1].clone()])];
        let run = RunState { scheduled_at: tick, planned: true, pending, ..RunState::default() };
        let has = |run: &RunState, date: &str| {
            let mut requested = Requested::default();
            requested.add(job, run, &Calendar::default());
            tickers.each_ref().map(|ticker| requested.has(&job.endpoints[0], date.parse().unwrap(), ticker))
        };
        assert_eq!(has(&run, "2026-11-20"), [false, true]);
        assert_eq!(has(&run, "2026-11-19"), [false, false], "it requests the day of its tick");
        let unplanned = RunState { planned: false, pending: Vec::new(), ..run };
        assert_eq!(has(&unplanned, "2026-11-20"), [true, true], "it will find its tickers");
    }
}
