//! Which days of a dataset its jobs have been due for, and whether they are covered.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use super::Ops;
use crate::calendar::Calendar;
use crate::calendar::new_york::to_new_york;
use crate::calendar::schedule::Schedule;
use crate::catalogue::{self, Dataset, Job};
use crate::firestore::FirestoreError;
use crate::ledger::coverage::DaySummary;
use crate::ledger::coverage::days::Follows;
use crate::run::cell::Day;

/// Ticks that are looked at in search of another day: quotes are due every five minutes.
const TICKS_MAX: usize = 500;

/// The coverage of a dataset's last day whose runs are over.
#[derive(Clone, Debug)]
pub struct DatasetCoverage {
    pub dataset: &'static Dataset,
    /// None if no scheduled run was planned for that day.
    pub last_final: Option<DaySummary>,
}

impl DatasetCoverage {
    /// Share of the tickers of that day that are stored, of those that the provider's quota allowed; none if no run was
    /// planned for it. A fresh installation has none, and neither has a day on which no run came: that is an overdue
    /// job.
    pub fn ratio(&self) -> Option<f64> {
        let counts = self.last_final.as_ref()?.counts;
        #[expect(clippy::cast_precision_loss, reason = "counts of tickers")]
        (counts.due > 0).then(|| counts.covered as f64 / counts.due as f64)
    }
}

/// The coverage of every dataset, with one request.
pub(super) async fn of_all(ops: &Ops, now: DateTime<Utc>) -> Result<Vec<DatasetCoverage>, FirestoreError> {
    let last = |dataset: &'static Dataset| {
        let grace = |job: &Job| {
            let minutes = ops.settings.alerts.overdue_minutes.of(job.name);
            ops.settings.run.publish.patience + Duration::from_secs(60 * minutes)
        };
        let date = last_final_day(dataset, &ops.settings.ticks.calendar, now, grace)?;
        Some((dataset, Day { dataset: dataset.name, date }))
    };
    let known: Vec<_> = catalogue::datasets().filter_map(last).collect();
    let days: Vec<_> = known.iter().map(|(_, day)| *day).collect();
    let summaries = ops.coverage.counts_of(&days).await?;
    let planned = |summary: DaySummary| Some(summary).filter(|summary| summary.counts.expected > 0);
    let of = |((dataset, _), summary): ((&'static Dataset, Day), Option<DaySummary>)| DatasetCoverage {
        dataset,
        last_final: summary.and_then(planned),
    };
    Ok(known.into_iter().zip(summaries).map(of).collect())
}

/// The jobs that feed a dataset.
pub fn feeding(dataset: &'static Dataset) -> impl Iterator<Item = &'static Job> {
    catalogue::jobs().filter(move |job| job.endpoints.iter().any(|endpoint| endpoint.dataset == dataset))
}

/// The latest day for which a run of the dataset has been due.
pub fn latest_day(dataset: &'static Dataset, calendar: &Calendar, now: DateTime<Utc>) -> Option<NaiveDate> {
    let follows = Follows::of(dataset);
    let due = |job: &Job| follows.day_at(calendar, Schedule::parse(job.schedule)?.until(now).next()?);
    feeding(dataset).filter_map(due).max()
}

/// The latest day that no run is due for any more: the last tick of each job for it is longer ago than the job's grace.
fn last_final_day(
    dataset: &'static Dataset,
    calendar: &Calendar,
    now: DateTime<Utc>,
    grace: impl Fn(&Job) -> Duration,
) -> Option<NaiveDate> {
    let over = |job: &'static Job| {
        let until = now.checked_sub_signed(TimeDelta::from_std(grace(job)).ok()?)?;
        over_by(Follows::of(dataset), &Schedule::parse(job.schedule)?, calendar, until)
    };
    // None if one of the jobs has none.
    let days: Vec<_> = feeding(dataset).map(over).collect::<Option<_>>()?;
    days.into_iter().min()
}

/// The latest day whose last tick lies at or before `until`.
fn over_by(
    follows: Follows,
    schedule: &Schedule,
    calendar: &Calendar,
    until: DateTime<Utc>,
) -> Option<NaiveDate> {
    let mut tick = schedule.until(until).next()?;
    let next = next_tick(follows, schedule, calendar, tick)?;
    let unfinished = follows.day_at(calendar, next)?;
    for _ in 0..TICKS_MAX {
        let day = follows.day_at(calendar, tick)?;
        if day < unfinished {
            return Some(day);
        }
        tick = schedule.until(tick - TimeDelta::seconds(1)).next()?;
    }
    None
}

/// The next tick that is about anything: one on a day without a session asks for the session before it once more.
fn next_tick(
    follows: Follows,
    schedule: &Schedule,
    calendar: &Calendar,
    tick: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let mut next = schedule.next_after(tick)?;
    for _ in 0..TICKS_MAX {
        if !follows.has_sessions() || calendar.session(to_new_york(next).date()).is_some() {
            return Some(next);
        }
        next = schedule.next_after(next)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::find_dataset;

    fn final_day(dataset: &str, now: &str) -> String {
        let grace = |_: &Job| Duration::from_secs(270 * 60);
        let day =
            last_final_day(find_dataset(dataset).unwrap(), &Calendar::default(), now.parse().unwrap(), grace);
        day.unwrap().to_string()
    }

    #[test]
    fn a_session_is_final_when_its_runs_have_had_their_time() {
        for (dataset, now, expect) in [
            // Monday's prices are due at 18:00 and 18:05 in New York, 23:00 UTC, and final four and a half hours later.
            ("daily_prices", "2026-11-24T03:34:00Z", "2026-11-20"),
            ("daily_prices", "2026-11-24T03:36:00Z", "2026-11-23"),
            // Thanksgiving is on the 26th: its tick is about Wednesday's session, which is final before it.
            ("daily_prices", "2026-11-26T03:36:00Z", "2026-11-25"),
            ("daily_prices", "2026-11-27T12:00:00Z", "2026-11-25"),
            ("daily_prices", "2026-11-29T12:00:00Z", "2026-11-27"),
            // The first ticks of the morning are about the session before.
            ("quotes", "2026-11-24T18:00:00Z", "2026-11-20"),
            ("quotes", "2026-11-24T19:00:00Z", "2026-11-23"),
            ("finnhub_news", "2026-11-24T12:00:00Z", "2026-11-23"),
            ("market_news", "2026-11-24T22:00:00Z", "2026-11-23"),
        ] {
            assert_eq!(final_day(dataset, now), expect, "{dataset} at {now}");
        }
    }

    #[test]
    fn a_run_has_been_due_for_the_day_of_the_last_tick() {
        let latest = |dataset, now: &str| {
            let day = latest_day(find_dataset(dataset).unwrap(), &Calendar::default(), now.parse().unwrap());
            day.unwrap().to_string()
        };
        assert_eq!(latest("daily_prices", "2026-11-23T22:59:00Z"), "2026-11-20");
        assert_eq!(latest("daily_prices", "2026-11-23T23:00:00Z"), "2026-11-23");
        assert_eq!(latest("quotes", "2026-11-24T15:00:00Z"), "2026-11-24");
        assert_eq!(latest("market_news", "2026-11-24T15:00:00Z"), "2026-11-24");
    }

    #[test]
    fn a_day_that_no_run_was_planned_for_has_no_share() {
        let dataset = find_dataset("quotes").unwrap();
        assert_eq!(DatasetCoverage { dataset, last_final: None }.ratio(), None);
    }
}
