//! Data that the provider has not published yet: which runs wait for it, and how long.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::stop::StopReason;
use super::{RunState, Shortfall, Source, Status, Work, merged};
use crate::base::ports::millis;

/// When a backfill that insists requests again what came short, and how long it does so.
const INSISTS_AFTER: Duration = Duration::from_secs(6 * 3_600);
const INSISTS_FOR: Duration = Duration::from_secs(5 * 24 * 3_600);

/// When a scheduled run waits for data that is missing or too old.
#[derive(Clone, Copy, Debug)]
pub struct PublishConfig {
    /// Share of the tickers that an endpoint answered, in percent, that must be empty or stale.
    pub percent: usize,
    /// Time until they are requested again.
    pub retry: Duration,
    /// How long after its scheduled time a run waits.
    pub patience: Duration,
}

/// Records counted as stored that came from stale tickers of one endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaleRecords {
    pub endpoint: String,
    pub collection: String,
    pub records: u64,
    /// Those that were not written, because they were stored before.
    #[serde(default)]
    pub unchanged: u64,
    /// Those of the stored ones that said something else before.
    #[serde(default)]
    pub revised: u64,
    /// The doubtful ones among them.
    #[serde(default)]
    pub flagged: u64,
    /// Records of these tickers that were rejected.
    #[serde(default)]
    pub rejected: u64,
}

impl RunState {
    /// Notes which records of stale tickers were stored: if the tickers are requested again, those records come again.
    pub fn note_stale(&mut self, stale: StaleRecords) {
        let same = |known: &&mut StaleRecords| {
            known.endpoint == stale.endpoint && known.collection == stale.collection
        };
        match self.stale_records.iter_mut().find(same) {
            Some(known) => {
                known.records += stale.records;
                known.unchanged += stale.unchanged;
                known.revised += stale.revised;
                known.flagged += stale.flagged;
                known.rejected += stale.rejected;
            }
            None => self.stale_records.push(stale),
        }
    }

    /// Whether its latest attempt ended only because its data is probably not published yet: it has not failed.
    pub fn is_waiting(&self) -> bool {
        self.status == Status::Failed && self.publish_wait_ms.is_some() && self.has_pending()
    }

    /// Until when it waits for its data, by the clock of the instance that worked on it last; none if it does not wait.
    pub fn waits_until(&self) -> Option<DateTime<Utc>> {
        let wait = self.publish_wait_ms.filter(|_| self.is_waiting())?;
        self.attempt.ended_at?.checked_add_signed(TimeDelta::try_milliseconds(i64::try_from(wait).ok()?)?)
    }

    /// Makes shortfalls pending again, each with the reason that `reason` gives it. The records of stale tickers no
    /// longer count as stored or doubtful.
    pub(super) fn reopen(
        &mut self,
        which: impl Fn(&Shortfall) -> bool,
        reason: impl Fn(&Shortfall) -> Option<String>,
    ) {
        let reopened: Vec<_> = self.shortfalls.extract_if(.., |short| which(short)).collect();
        for stale in self.stale_records.extract_if(.., |stale| {
            reopened.iter().any(|short| short.has_records() && short.endpoint == stale.endpoint)
        }) {
            if let Some(count) = self.counts.rejected.get_mut(&stale.collection) {
                *count = count.saturating_sub(stale.rejected);
            }
            if let Some(count) = self.counts.collections.get_mut(&stale.collection) {
                *count = count.saturating_sub(stale.records);
            }
            let counts = &mut self.counts;
            counts.records_flagged = counts.records_flagged.saturating_sub(stale.flagged);
            counts.records_unchanged = counts.records_unchanged.saturating_sub(stale.unchanged);
            counts.records_revised = counts.records_revised.saturating_sub(stale.revised);
        }
        for short in reopened {
            self.pending.push(Work {
                reason: reason(&short),
                window: short.window,
                ..Work::new(&short.endpoint, Vec::from_iter(short.ticker))
            });
        }
        self.pending = merged(std::mem::take(&mut self.pending));
    }

    /// Keeps a scheduled run that ended without current data from being taken up again at once: the scheduler would
    /// request the whole watchlist every few minutes.
    pub fn wait_after_nothing(&mut self, config: &PublishConfig) {
        let is_lacking = self.shortfalls.iter().any(|short| short.outcome.is_lacking());
        let has_ended = self.status == Status::Failed && self.stopped.is_none() && !self.has_pending();
        if has_ended && is_lacking && self.identity.trigger == Source::Scheduler {
            self.publish_wait_ms = Some(millis(config.retry));
        }
    }

    /// Decides whether a run that has nothing else left to do waits for data that is probably not published yet: if so,
    /// the tickers concerned are pending again, and the stop reason says why. Nothing waits beyond the job's next tick,
    /// whose run requests the data anyway.
    pub fn await_publication(
        &mut self,
        config: &PublishConfig,
        next_tick: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Option<StopReason> {
        let tick = self.scheduled_at.filter(|_| self.identity.trigger == Source::Scheduler)?;
        let left = config.patience.saturating_sub((now - tick).to_std().unwrap_or_default());
        let retry_after = config.retry.min(left);
        if self.has_pending() || left.is_zero() || next_tick.is_some_and(|next| now + retry_after >= next) {
            return None;
        }
        let mut first = None;
        while let Some((endpoint, lacking, answered)) = self.unpublished(config.percent) {
            let is_waited_for = |short: &Shortfall| short.endpoint == endpoint && short.outcome.is_lacking();
            let example = self.shortfalls.iter().find(|short| is_waited_for(short));
            let example = example.map(|short| short.reason.clone()).unwrap_or_default();
            self.reopen(is_waited_for, |_| Some("not published yet".to_owned()));
            first.get_or_insert_with(|| {
                format!("{lacking} of {answered} tickers that {endpoint} answered have no current data ({example})")
            });
        }
        let reason = first?;
        self.publish_wait_ms = Some(millis(retry_after));
        Some(StopReason::NotPublished { retry_after, reason })
    }

    /// Decides whether a backfill that insists requests again what came short: if so, it is pending, and the stop reason says
    /// why.
    pub fn insist(&mut self, now: DateTime<Utc>) -> Option<StopReason> {
        let insists = self.backfill.is_some_and(|backfill| backfill.insists);
        let age = (now - self.identity.created_at).to_std().unwrap_or_default();
        if !insists || self.has_pending() || self.shortfalls.is_empty() || age >= INSISTS_FOR {
            return None;
        }
        let (count, first) = (self.shortfalls.len(), self.shortfalls.first()?.reason.clone());
        self.reopen(|_| true, |short| Some(short.reason.clone()));
        self.publish_wait_ms = Some(millis(INSISTS_AFTER));
        let reason = format!("{count} requests came short ({first})");
        Some(StopReason::NotPublished { retry_after: INSISTS_AFTER, reason })
    }

    /// An endpoint at which the share of empty and stale tickers is at least `percent`, with their number and that of
    /// all tickers that it answered.
    fn unpublished(&self, percent: usize) -> Option<(String, usize, usize)> {
        let lacking_at = |endpoint: &str| {
            self.shortfalls
                .iter()
                .filter(|short| short.endpoint == endpoint && short.outcome.is_lacking())
                .count()
        };
        self.shortfalls.iter().filter(|short| short.outcome.is_lacking()).find_map(|short| {
            let lacking = lacking_at(&short.endpoint);
            let done = self.done.iter().filter(|done| done.endpoint == short.endpoint);
            let answered = lacking + done.map(|done| done.tickers.len()).sum::<usize>();
            (lacking * 100 >= percent * answered).then(|| (short.endpoint.clone(), lacking, answered))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Outcome;
    use crate::run::tests::{failure, state, work};

    const CONFIG: PublishConfig = PublishConfig {
        percent: 50,
        retry: Duration::from_secs(900),
        patience: Duration::from_secs(4 * 3600),
    };

    fn tick() -> DateTime<Utc> {
        "2026-11-23T23:00:00Z".parse().unwrap()
    }

    fn stale(ticker: &str) -> Shortfall {
        Shortfall { outcome: Outcome::Stale, reason: "it is old".to_owned(), ..failure("/a", ticker) }
    }

    /// A scheduled run with these outcomes at one endpoint.
    fn run(stored: &[&str], stale_tickers: &[&str]) -> RunState {
        let mut run = RunState { planned: false, scheduled_at: Some(tick()), ..state() };
        run.identity.trigger = Source::Scheduler;
        let all: Vec<_> = stored.iter().chain(stale_tickers).copied().collect();
        run.plan(vec![work("/a", &all)], all.len());
        run.pending.clear();
        if !stored.is_empty() {
            run.settle("/a", None, work("/a", stored).tickers, Outcome::Stored);
        }
        run.shortfalls = stale_tickers.iter().map(|ticker| stale(ticker)).collect();
        run.counts.collections.insert("prices".to_owned(), 10);
        run.counts.records_flagged = 3;
        for (records, flagged) in [(1, 0), (3, 2)] {
            let (endpoint, collection) = ("/a".to_owned(), "prices".to_owned());
            run.note_stale(StaleRecords {
                endpoint,
                collection,
                records,
                flagged,
                ..StaleRecords::default()
            });
        }
        run
    }

    #[test]
    fn half_of_the_tickers_without_current_data_are_waited_for() {
        let mut half = run(&["A", "B"], &["C", "D"]);
        let stop = half.await_publication(&CONFIG, None, tick()).unwrap();
        assert_eq!(stop.retry_after(), Duration::from_secs(900));
        assert!(stop.message().contains("2 of 4 tickers that /a answered"), "{}", stop.message());
        assert_eq!((half.shortfalls.len(), half.tickers_pending(), half.imbalance()), (0, 2, None));
        assert_eq!(half.pending[0].reason.as_deref(), Some("not published yet"));
        let counts = (half.counts.records_stored(), half.counts.records_flagged);
        assert_eq!(counts, (6, 1), "what comes again is not counted twice");
        assert_eq!(half.publish_wait_ms, Some(900_000));

        let mut fewer = run(&["A", "B", "E"], &["C", "D"]);
        assert_eq!(fewer.await_publication(&CONFIG, None, tick()), None);
        assert_eq!((fewer.shortfalls.len(), fewer.counts.records_stored()), (2, 10));
    }

    #[test]
    fn patience_ends_and_the_last_wait_is_shorter() {
        let late = tick() + TimeDelta::hours(4) - TimeDelta::seconds(60);
        let stop = run(&[], &["A"]).await_publication(&CONFIG, None, late).unwrap();
        assert_eq!(stop.retry_after(), Duration::from_secs(60));
        assert_eq!(run(&[], &["A"]).await_publication(&CONFIG, None, tick() + TimeDelta::hours(4)), None);
    }

    #[test]
    fn manual_runs_and_runs_with_other_work_do_not_wait() {
        let mut manual = run(&[], &["A"]);
        manual.identity.trigger = Source::Manual;
        assert_eq!(manual.await_publication(&CONFIG, None, tick()), None);
        let mut busy = run(&[], &["A"]);
        busy.pending.push(work("/b", &["A"]));
        assert_eq!(busy.await_publication(&CONFIG, None, tick()), None);
    }

    #[test]
    fn a_run_waits_until_its_wait_is_over_or_it_goes_on() {
        let mut waiting = run(&[], &["A"]);
        waiting.stopped = waiting.await_publication(&CONFIG, None, tick()).map(|stop| stop.message());
        waiting.attempt.ended_at = Some(tick());
        assert_eq!((waiting.is_waiting(), waiting.waits_until()), (false, None), "it has not ended");
        waiting.status = waiting.judge();
        let until = tick() + TimeDelta::seconds(900);
        assert_eq!((waiting.is_waiting(), waiting.waits_until()), (true, Some(until)));
        waiting.resume(tick());
        assert_eq!((waiting.is_waiting(), waiting.waits_until()), (false, None));
    }

    #[test]
    fn a_run_that_ends_without_current_data_does_not_come_back_at_once() {
        let ended = |stored: &[&str], status| {
            let mut run = RunState { status, ..run(stored, &["A"]) };
            run.wait_after_nothing(&CONFIG);
            (run.publish_wait_ms, run.is_waiting())
        };
        assert_eq!(ended(&[], Status::Failed), (Some(900_000), false), "it has failed all the same");
        assert_eq!(ended(&["B"], Status::Partial), (None, false));
    }

    #[test]
    fn a_backfill_that_insists_requests_again_what_came_short_for_some_days() {
        let window = crate::run::window::tests::window("2026-01-02", "2026-11-25");
        let only = crate::run::backfill::Only::All;
        let of = |insists| {
            let mut run = run(&["A"], &[]);
            run.identity.created_at = tick();
            run.backfill = Some(crate::run::Backfill { window, only, insists });
            run.shortfalls = vec![Shortfall { outcome: Outcome::Empty, ..failure("/a", "B") }];
            run
        };
        let mut insisting = of(true);
        let stop = insisting.insist(tick()).unwrap();
        assert!(stop.message().contains("1 requests came short"), "{}", stop.message());
        assert_eq!((insisting.shortfalls.len(), insisting.tickers_pending()), (0, 1));
        assert_eq!(insisting.publish_wait_ms, Some(6 * 3_600_000));
        assert_eq!(of(true).insist(tick() + TimeDelta::days(5)), None);
        assert_eq!(of(false).insist(tick()), None);
    }

    #[test]
    fn nothing_waits_beyond_the_next_tick() {
        let next = |seconds| Some(tick() + TimeDelta::seconds(seconds));
        assert_eq!(run(&[], &["A"]).await_publication(&CONFIG, next(900), tick()), None);
        assert!(run(&[], &["A"]).await_publication(&CONFIG, next(901), tick()).is_some());
    }

    #[test]
    fn failures_are_not_waited_for() {
        let mut failed = run(&["A"], &[]);
        failed.shortfalls = vec![failure("/a", "B"), failure("/a", "C")];
        assert_eq!(failed.await_publication(&CONFIG, None, tick()), None);
    }
}
