//! Which holes the watch fills by itself: missing records of the last sessions, and histories that a split or dividend has
//! changed.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::base::id::fnv1a_128;
use crate::calendar::Calendar;
use crate::catalogue::{Job, Ticker, Ticks};
use crate::ledger::coverage::days::Follows;
use crate::run::backfill::Only;
use crate::run::{Backfill, RunState, Source, Trigger, Window};

/// Beyond the patience of a scheduled run: how long after its scheduled time its session's holes are filled.
const AFTER_PATIENCE: TimeDelta = TimeDelta::hours(1);

/// The backfill that fills a job's last sessions; none if its provider takes no days, or nothing is over yet.
pub(super) fn healing(
    job: &'static Job,
    ticks: &Ticks,
    patience: TimeDelta,
    sessions: usize,
    now: DateTime<Utc>,
) -> Option<Trigger> {
    let takes_days = |endpoint: &&crate::catalogue::Endpoint| {
        endpoint.window.is_some() && endpoint.dataset.expects.follows_sessions()
    };
    let endpoint = job.endpoints.iter().find(takes_days)?;
    let over = ticks.last(job, now - patience - AFTER_PATIENCE)?;
    let last = Follows::of(endpoint.dataset).day_at(&ticks.calendar, over)?;
    let from = ticks.calendar.sessions_back(last, sessions)?;
    let window = Window { from, to: last };
    Some(Trigger {
        backfill: Some(Backfill { window, only: Only::Empty, insists: false }),
        ..trigger(job, format!("{}_heal_{last}", job.name), None, now)
    })
}

/// The backfills of the histories that a run has found changed, if it has.
pub(in crate::engine) fn refetches(
    state: &RunState,
    job: &'static Job,
    calendar: &Calendar,
    sessions: usize,
    now: DateTime<Utc>,
) -> Vec<Trigger> {
    let Some(last) = calendar.latest_published_by(now) else { return Vec::new() };
    let refetch = |(day, tickers): (&NaiveDate, &Vec<Ticker>)| {
        let window = Window { from: calendar.sessions_back(last.date, sessions)?, to: last.date };
        let mut tickers = tickers.clone();
        tickers.sort_unstable();
        let names: Vec<_> = tickers.iter().map(Ticker::as_str).collect();
        let digest = format!("{:032x}", fnv1a_128(names.join("\n").as_bytes()));
        let run_id = format!("{}_adjust_{day}_{}", job.name, digest.get(..16)?);
        Some(Trigger {
            backfill: Some(Backfill { window, only: Only::All, insists: true }),
            ..trigger(job, run_id, Some(tickers), now)
        })
    };
    state.adjusted.iter().filter_map(refetch).collect()
}

fn trigger(job: &'static Job, run_id: String, tickers: Option<Vec<Ticker>>, now: DateTime<Utc>) -> Trigger {
    Trigger {
        job,
        scope: job.scope,
        tickers,
        run_time: now,
        backfill: None,
        force: false,
        dry_run: false,
        reason: None,
        digest: run_id.clone(),
        run_id,
        source: Source::Backfill,
        tick: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::find;
    use crate::run::tests::state;
    use crate::run::window::tests::window;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// The backfill of the last five sessions.
    fn check(job: &str, now: &str) -> Option<(String, Window)> {
        let ticks = Ticks { skip: true, ..Ticks::default() };
        let trigger = healing(find(job).unwrap(), &ticks, TimeDelta::hours(4), 5, at(now))?;
        Some((trigger.run_id, trigger.backfill.unwrap().window))
    }

    #[test]
    fn the_last_sessions_are_healed_once_their_run_has_had_its_time() {
        // Thanksgiving is on the 26th. Wednesday's prices are due at 23:00 UTC; five hours later their time is over.
        let prices = |now| check("tiingo-daily-prices", now).unwrap();
        let heal = |day: &str| format!("tiingo-daily-prices_heal_{day}");
        assert_eq!(prices("2026-11-26T03:59:00Z"), (heal("2026-11-24"), window("2026-11-18", "2026-11-24")));
        assert_eq!(prices("2026-11-26T04:00:00Z"), (heal("2026-11-25"), window("2026-11-19", "2026-11-25")));
        assert_eq!(prices("2026-11-27T12:00:00Z").0, heal("2026-11-25"));
        // Past days of these cannot be requested, or they have no sessions.
        for job in ["finnhub-quote-portfolio", "alpha-vantage-technical-indicators", "polygon-news-universe"]
        {
            assert_eq!(check(job, "2026-11-27T12:00:00Z"), None, "{job}");
        }
    }

    #[test]
    fn nothing_is_healed_if_no_session_is_to_be() {
        let job = find("tiingo-daily-prices").unwrap();
        let none = healing(job, &Ticks::default(), TimeDelta::hours(4), 0, at("2026-11-27T12:00:00Z"));
        assert!(none.is_none());
    }

    #[test]
    fn the_history_of_a_ticker_that_was_split_is_requested_once() {
        let job = find("tiingo-daily-prices").unwrap();
        let of = |tickers: &[&str]| {
            let tickers = tickers.iter().map(|ticker| Ticker::parse(ticker).unwrap()).collect();
            let adjusted = [("2026-11-25".parse().unwrap(), tickers)].into();
            let run = RunState { adjusted, ..state() };
            let mut all = refetches(&run, job, &Calendar::default(), 252, at("2026-11-26T02:00:00Z"));
            (all.len(), all.remove(0))
        };
        let (count, one) = of(&["B", "A"]);
        assert_eq!(count, 1);
        assert!(one.run_id.starts_with("tiingo-daily-prices_adjust_2026-11-25_"), "{}", one.run_id);
        let asked = Backfill { window: window("2025-11-25", "2026-11-25"), only: Only::All, insists: true };
        assert_eq!(one.backfill, Some(asked));
        assert_eq!(of(&["A", "B"]).1.run_id, one.run_id, "whoever comes first");
        assert_ne!(of(&["A", "B", "C"]).1.run_id, one.run_id);
        assert_eq!(refetches(&state(), job, &Calendar::default(), 252, at("2026-11-26T02:00:00Z")).len(), 0);
    }
}
