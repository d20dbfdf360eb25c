//! The coverage that a run records: work is done only once its documents and its cells are stored.
//!
//! Cells are collected from what has been stored and written together, so that a run's usual end costs one commit. Work
//! whose cells are on their way stays pending: a crash repeats it, and coverage never lacks what is stored.

mod windows;

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::future::{Either, select};

use super::Execution;
use super::deliveries::Delivery;
use super::found::Cells;
use crate::base::ports::{BoxFuture, Instant};
use crate::calendar::Calendar;
use crate::catalogue::{Job, Ticker, Ticks};
use crate::firestore::FirestoreError;
use crate::ledger::coverage::days::Follows;
use crate::ledger::coverage::{Changes, Coverage, Held, Saved};
use crate::resilience::backoff::Backoff;
use crate::run::cell::{Cell, Day, WHOLE_MARKET, state_of};
use crate::run::stop::StopReason;
use crate::run::{RunState, Shortfall, Source};

/// Minimum time between two writes.
const INTERVAL_MIN: Duration = Duration::from_secs(2);
/// Writing takes at most one part in this many of the time: the documents of a large watchlist are rewritten as a whole.
const SHARE: u32 = 40;
/// Maximum time between two writes: what a crash may repeat.
const INTERVAL_MAX: Duration = Duration::from_secs(30);
/// Number of cells above which a write is due at once.
const CELLS_DUE: usize = 50_000;
/// Number of cells above which no further call starts, each taking about 100 bytes.
const CELLS_MAX: usize = 200_000;

/// How long a write waits for those of other runs of the instance, and the last one, which has little time.
const PATIENCE: Duration = Duration::from_secs(3);
const LAST_PATIENCE: Duration = Duration::from_millis(500);

/// The last write of an attempt may take one part in this many of its time, at most this long.
const LAST_SHARE: u32 = 40;
const LAST_MAX: Duration = Duration::from_secs(5);
/// What is in flight at the end, and one write after it.
const LAST_WRITES: u32 = 2;

/// What the run knows and has not recorded yet.
pub(super) struct Covering {
    store: Coverage,
    calendar: Calendar,
    run_id: Arc<str>,
    /// The day that each endpoint's work is about.
    about: Vec<(&'static str, Follows, Day)>,
    /// The time that the run's data is of.
    tick: DateTime<Utc>,
    /// Whether tickers of a window are those that its days should have.
    expects_windows: bool,
    changes: Changes,
    cells: usize,
    /// Days of answers whose documents are on their way to Firestore.
    foreseen: BTreeSet<Day>,
    /// None while it is in flight.
    held: Option<Held>,
    flight: Option<Flight>,
    last: Instant,
    interval: Duration,
    failures: u32,
    /// Shortfalls of the state that is among the changes already.
    seen: usize,
    /// Nothing more can be recorded in this attempt.
    is_broken: bool,
}

/// What is on its way to Firestore.
struct Flight {
    started: Instant,
    landed: BoxFuture<'static, Saved>,
}

/// What has come back from there.
pub(super) struct Landed {
    started: Instant,
    saved: Saved,
}

impl Execution<'_> {
    /// Records the coverage when it is due, or when nothing else is left to do.
    pub(super) fn cover_if_due(&mut self) {
        let now = self.engine.world.clock.instant();
        self.coverage.add_shortfalls(&self.state.shortfalls);
        let is_waiting = self.backlog.deliveries.is_covering();
        let is_last = self.has_stored() && self.coverage.retry_wait(now).is_zero();
        if self.coverage.wait(now, is_waiting).is_some_and(|wait| wait.is_zero() || is_last) {
            self.backlog.deliveries.send_coverage();
            return self.coverage.save(now, PATIENCE);
        }
        let unknown = self.coverage.unknown_days();
        if !unknown.is_empty() {
            self.coverage.learn(unknown, now);
        }
    }

    /// Records what the end of the attempt has brought: tickers that failed when their calls were cut off. One try, in
    /// a part of the time that is reserved for closing the run.
    pub(super) async fn cover_at_last(&mut self) {
        let length = self.engine.deadline_of(self.run.job, self.state.identity.trigger);
        let mut late = self.engine.world.clock.sleep((length / LAST_SHARE).min(LAST_MAX));
        for _ in 0..LAST_WRITES {
            self.coverage.add_shortfalls(&self.state.shortfalls);
            if self.coverage.is_idle(self.backlog.deliveries.is_covering()) || self.coverage.failures > 0 {
                return;
            }
            if self.coverage.flight.is_none() {
                self.backlog.deliveries.send_coverage();
                self.coverage.save(self.engine.world.clock.instant(), LAST_PATIENCE);
            }
            let landed = match select(Box::pin(self.coverage.landed()), &mut late).await {
                Either::Left((landed, _)) => landed,
                Either::Right(_) => return,
            };
            self.on_landed(landed);
        }
    }

    pub(super) fn on_landed(&mut self, landed: Landed) {
        let now = self.engine.world.clock.instant();
        let (backoff, jitter) = (self.engine.settings.call.backoff, self.engine.world.entropy.next_u64());
        let result = self.coverage.on_landed(landed, now, &backoff, jitter);
        for remark in self.coverage.held.as_mut().map(Held::take_remade).unwrap_or_default() {
            self.state.remark(remark);
        }
        let contradicted = self.coverage.held.as_mut().map(Held::take_contradicted).unwrap_or_default();
        for mut delivery in self.backlog.deliveries.covered(result.is_ok()) {
            Self::contradict(&mut delivery, &contradicted);
            self.settle(delivery);
        }
        let Err(error) = result else { return };
        tracing::warn!(run.id = self.state.identity.run_id, %error, "coverage could not be written");
        if !error.is_retryable() || self.deadline.until_soft(now).is_zero() {
            let reason = format!("the coverage could not be recorded: {error}");
            self.stop.get_or_insert(StopReason::Storage { reason });
            self.coverage.give_up();
        }
    }
}

impl Covering {
    pub(super) fn new(store: Coverage, ticks: &Ticks, job: &Job, state: &RunState, now: Instant) -> Self {
        let tick = state.tick().unwrap_or(state.identity.created_at);
        let about = |endpoint: &crate::catalogue::Endpoint| {
            let follows = Follows::of(endpoint.dataset);
            let date = follows.day_at(&ticks.calendar, tick)?;
            Some((endpoint.path, follows, Day { dataset: endpoint.dataset.name, date }))
        };
        let about = job.endpoints.iter().filter_map(about).collect();
        let mut covering = Self {
            store,
            calendar: ticks.calendar.clone(),
            run_id: Arc::from(state.identity.run_id.as_str()),
            about,
            tick,
            expects_windows: state.identity.trigger == Source::Backfill && state.tickers_given.is_none(),
            changes: Changes::new(),
            cells: 0,
            foreseen: BTreeSet::new(),
            held: Some(Held::new(now)),
            flight: None,
            last: now,
            interval: INTERVAL_MIN,
            failures: 0,
            seen: 0,
            is_broken: false,
        };
        if state.identity.trigger == Source::Scheduler {
            for (endpoint, follows, day) in covering.about.clone() {
                for date in follows.days_of_tick(ticks, job, tick) {
                    covering.plan(state, endpoint, Day { date, ..day });
                }
            }
        }
        covering
    }

    /// The tickers of a scheduled run are those that its days should have.
    fn plan(&mut self, state: &RunState, of: &str, day: Day) {
        for unit in state.units().filter(|unit| unit.endpoint == of) {
            let expected = &mut self.changes.entry(day).or_default().expected;
            self.cells += usize::from(expected.insert(name(unit.ticker)));
        }
    }

    fn about(&self, endpoint: &str) -> Option<(&'static str, Follows, Day)> {
        self.about.iter().find(|(path, ..)| *path == endpoint).copied()
    }

    pub(super) fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// The documents with these cells are on their way to Firestore.
    pub(super) fn foresee(&mut self, endpoint: &str, cells: &Cells) {
        let Some((_, _, day)) = self.about(endpoint) else { return };
        let dates = cells.found.iter().map(|found| found.date);
        let dates = dates.chain(cells.absent.iter().map(|(_, date, _)| *date));
        let dates = dates.chain(cells.window.is_none().then_some(day.date));
        self.foreseen.extend(dates.map(|date| Day { date, ..day }));
    }

    /// Adds the cells of a delivery whose documents are stored.
    pub(super) fn add(&mut self, delivery: &Delivery) {
        let Some((_, follows, day)) = self.about(delivery.endpoint) else { return };
        for found in &delivery.cells.found {
            self.note(Day { date: found.date, ..day }, &found.ticker, &found.cell, true);
        }
        for (ticker, date, state) in &delivery.cells.absent {
            let cell = Cell::lacking(*state, &self.run_id);
            self.note(Day { date: *date, ..day }, ticker, &cell, false);
        }
        self.fall_short(&delivery.shortfalls);
        let Some(work) = &delivery.work else { return };
        if let Some(window) = work.window {
            self.add_window(delivery, work, window, day);
        }
        if follows.has_sessions() || work.window.is_some() {
            return;
        }
        let short: BTreeSet<_> =
            delivery.shortfalls.iter().filter_map(|short| short.ticker.as_ref()).collect();
        let settled = work.tickers.iter().filter(|ticker| !short.contains(ticker));
        let whole = work.tickers.is_empty().then(|| name(None));
        for ticker in settled.map(|ticker| name(Some(ticker))).chain(whole) {
            let records = delivery.cells.records.get(&ticker).copied().unwrap_or_default();
            self.note(day, &ticker, &Cell::answered(records), false);
        }
    }

    /// Adds what has fallen short since the last time, whoever reported it.
    pub(super) fn add_shortfalls(&mut self, shortfalls: &[Shortfall]) {
        let new = shortfalls.get(self.seen..).unwrap_or_default();
        self.fall_short(new);
        self.seen = shortfalls.len();
    }

    fn fall_short(&mut self, shortfalls: &[Shortfall]) {
        for short in shortfalls {
            let about = self.about(&short.endpoint);
            let Some(((_, _, day), state)) = about.zip(state_of(short.outcome)) else { continue };
            let cell = Cell::lacking(state, &self.run_id);
            let ticker = name(short.ticker.as_ref());
            match short.window {
                None => self.note(day, &ticker, &cell, false),
                // Nothing is known about its days.
                Some(_) if short.has_ignored_window() => {}
                Some(window) => {
                    for date in self.days_of(&short.endpoint, window) {
                        let day = Day { date, ..day };
                        if self.expects_windows {
                            self.changes.entry(day).or_default().expected.insert(ticker.clone());
                        }
                        self.note(day, &ticker, &cell, false);
                    }
                }
            }
        }
    }

    /// Several records of an answer may belong to one cell.
    fn note(&mut self, day: Day, ticker: &Arc<str>, cell: &Cell, joins: bool) {
        let change = self.changes.entry(day).or_default();
        match change.cells.get_mut(ticker) {
            Some(known) if joins && known.state.is_stored() => *known = cell.clone().and(known),
            known => {
                self.cells += usize::from(known.is_none());
                change.note(ticker, cell);
            }
        }
    }

    /// Whether nothing is left to record, or nothing can be.
    pub(super) fn is_idle(&self, is_waiting: bool) -> bool {
        self.is_broken || (self.flight.is_none() && self.changes.is_empty() && !is_waiting)
    }

    /// Whether no further call should start until cells are recorded.
    pub(super) fn is_full(&self) -> bool {
        !self.is_broken && self.cells > CELLS_MAX
    }

    /// Time until the next write is due; none while one is in flight or there is nothing to write.
    pub(super) fn wait(&self, now: Instant, is_waiting: bool) -> Option<Duration> {
        if self.is_broken || self.flight.is_some() || (self.changes.is_empty() && !is_waiting) {
            return None;
        }
        let interval =
            if self.cells > CELLS_DUE && self.failures == 0 { Duration::ZERO } else { self.interval };
        Some((self.last + interval).since(now))
    }

    /// Time until a write that failed may be tried again; zero if none has.
    pub(super) fn retry_wait(&self, now: Instant) -> Duration {
        if self.failures == 0 { Duration::ZERO } else { (self.last + self.interval).since(now) }
    }

    /// Days whose documents have not been read, once answers say which: they are read while the answers are stored, so
    /// that the last write of a run need not wait for it.
    pub(super) fn unknown_days(&mut self) -> Vec<Day> {
        match &self.held {
            Some(held) if !self.foreseen.is_empty() && !self.is_broken && self.failures == 0 => {
                let days = std::mem::take(&mut self.foreseen);
                held.unknown(days.iter().chain(self.changes.keys().filter(|day| !days.contains(day))))
            }
            _ => Vec::new(),
        }
    }

    /// Reads documents ahead of the write.
    pub(super) fn learn(&mut self, days: Vec<Day>, now: Instant) {
        let Some(held) = self.held.take() else { return };
        let store = self.store.clone();
        let landed = Box::pin(async move {
            let (held, result) = store.learn(held, &days).await;
            Saved { held, left: Changes::new(), result, waited: Duration::ZERO }
        });
        self.flight = Some(Flight { started: now, landed });
    }

    /// Writes everything that is known.
    pub(super) fn save(&mut self, now: Instant, patience: Duration) {
        let Some(held) = self.held.take() else { return };
        let (store, run_id) = (self.store.clone(), self.run_id.clone());
        let changes = std::mem::take(&mut self.changes);
        self.cells = 0;
        self.last = now;
        let landed = Box::pin(async move { store.save(&run_id, held, changes, patience).await });
        self.flight = Some(Flight { started: now, landed });
    }

    /// Waits for what is in flight; forever if nothing is.
    pub(super) async fn landed(&mut self) -> Landed {
        match &mut self.flight {
            Some(Flight { started, landed }) => Landed { started: *started, saved: landed.await },
            None => pending().await,
        }
    }

    /// Whether everything that was in flight is recorded.
    pub(super) fn on_landed(
        &mut self,
        landed: Landed,
        now: Instant,
        backoff: &Backoff,
        jitter: u64,
    ) -> Result<(), FirestoreError> {
        let Landed { started, saved: Saved { held, left, result, waited } } = landed;
        self.flight = None;
        self.held = Some(held);
        if !left.is_empty() {
            // What has been learnt meanwhile is later.
            for (day, later) in std::mem::replace(&mut self.changes, left) {
                self.changes.entry(day).or_default().then(later);
            }
            self.cells = self.changes.values().map(crate::ledger::coverage::Change::len).sum();
        }
        match result {
            Ok(()) => {
                self.failures = 0;
                let took = now.since(started).saturating_sub(waited);
                self.interval = (took * SHARE).clamp(INTERVAL_MIN, INTERVAL_MAX);
                Ok(())
            }
            Err(error) => {
                self.failures += 1;
                self.last = now;
                self.interval = backoff.delay(self.failures, jitter);
                Err(error)
            }
        }
    }

    /// Nothing more is recorded in this attempt.
    pub(super) fn give_up(&mut self) {
        self.is_broken = true;
    }
}

fn name(ticker: Option<&Ticker>) -> Arc<str> {
    Arc::from(ticker.map_or(WHOLE_MARKET, Ticker::as_str))
}
