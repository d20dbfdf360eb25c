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

/// The coverage of a dataset's last days whose runs are over. Usually it is one. The last run after an early close is
/// responsible for two: then it is the one that less is stored of.
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
        share(self.last_final.as_ref()?)
    }
}

fn share(summary: &DaySummary) -> Option<f64> {
    let counts = summary.counts;
    #[expect(clippy::cast_precision_loss, reason = "counts of tickers")]
    (counts.due > 0).then(|| counts.covered as f64 / counts.due as f64)
}

/// The coverage of every dataset, with one request.
pub(super) async fn of_all(ops: &Ops, now: DateTime<Utc>) -> Result<Vec<DatasetCoverage>, FirestoreError> {
    let last = |dataset: &'static Dataset| {
        let grace = |job: &Job| {
            let minutes = ops.settings.alerts.overdue_minutes.of(job.name);
            ops.settings.run.publish.patience + Duration::from_secs(60 * minutes)
        };
        let days = last_final_days(dataset, &ops.settings.ticks.calendar, now, grace)?;
        Some((dataset, days))
    };
    let known: Vec<_> = catalogue::datasets().filter_map(last).collect();
    let day = |dataset: &'static Dataset| move |date: &NaiveDate| Day { dataset: dataset.name, date: *date };
    let days: Vec<_> = known.iter().flat_map(|(dataset, days)| days.iter().map(day(dataset))).collect();
    let mut summaries = ops.coverage.counts_of(&days).await?.into_iter();
    let of = |(dataset, days): (&'static Dataset, Vec<NaiveDate>)| DatasetCoverage {
        dataset,
        last_final: least(summaries.by_ref().take(days.len()).flatten()),
    };
    Ok(known.into_iter().map(of).collect())
}

/// The day that the smallest share of is stored, of those that a run was planned for; the latest of several.
fn least(summaries: impl Iterator<Item = DaySummary>) -> Option<DaySummary> {
    let share = |summary: &DaySummary| share(summary).unwrap_or(1.0);
    let planned = summaries.filter(|summary| summary.counts.expected > 0);
    planned.reduce(|least, next| if share(&next) <= share(&least) { next } else { least })
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
/// With it come the days before it that its runs were responsible for, too.
fn last_final_days(
    dataset: &'static Dataset,
    calendar: &Calendar,
    now: DateTime<Utc>,
    grace: impl Fn(&Job) -> Duration,
) -> Option<Vec<NaiveDate>> {
    let over = |job: &'static Job| {
        let until = now.checked_sub_signed(TimeDelta::from_std(grace(job)).ok()?)?;
        over_by(Follows::of(dataset), &Schedule::parse(job.schedule)?, calendar, until)
    };
    // None if one of the jobs has none.
    let days: Vec<_> = feeding(dataset).map(over).collect::<Option<_>>()?;
    let (day, before) = days.into_iter().min()?;
    Some(Follows::of(dataset).days_since(calendar, before, day))
}

/// The latest day whose last tick lies at or before `until`, and the day that the ticks before are about. A tick on a day
/// without a session is about nothing: it would ask for the session before it once more.
fn over_by(
    follows: Follows,
    schedule: &Schedule,
    calendar: &Calendar,
    until: DateTime<Utc>,
) -> Option<(NaiveDate, Option<NaiveDate>)> {
    let is_about = |tick: &DateTime<Utc>| {
        !follows.has_sessions() || calendar.session(to_new_york(*tick).date()).is_some()
    };
    let next = schedule.after(until).take(TICKS_MAX).find(is_about)?;
    let unfinished = follows.day_at(calendar, next)?;
    let mut latest = None;
    for tick in schedule.until(until).filter(is_about).take(TICKS_MAX) {
        let day = follows.day_at(calendar, tick)?;
        match latest {
            Some(latest) if day < latest => return Some((latest, Some(day))),
            None if day < unfinished => latest = Some(day),
            _ => {}
        }
    }
    latest.map(|day| (day, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::find_dataset;

    fn final_day(dataset: &str, now: &str) -> String {
        let grace = |_: &Job| Duration::from_secs(270 * 60);
        let dataset = find_dataset(dataset).unwrap();
        let days = last_final_days(dataset, &Calendar::default(), now.parse().unwrap(), grace).unwrap();
        days.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
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
            // The indicators' run at 17:00 is about the session before, and on Friday, which closes at 13:00, about
            // that day: Wednesday's session is nobody else's.
            ("technical_indicators", "2026-11-27T12:00:00Z", "2026-11-24"),
            ("technical_indicators", "2026-12-01T12:00:00Z", "2026-11-25 2026-11-27"),
            ("technical_indicators", "2026-12-02T12:00:00Z", "2026-11-30"),
        ] {
            assert_eq!(final_day(dataset, now), expect, "{dataset} at {now}");
        }
    }

    #[test]
    fn of_two_days_the_one_with_less_counts() {
        let day = |date: &str, expected, covered| DaySummary {
            date: date.parse().unwrap(),
            counts: crate::ledger::coverage::Counts {
                expected,
                due: expected,
                covered,
                ..Default::default()
            },
            changed_at: None,
            run_id: None,
        };
        let least = |days: [DaySummary; 2]| least(days.into_iter()).map(|day| day.date.to_string());
        let whole = || day("2026-11-27", 4, 4);
        assert_eq!(least([day("2026-11-25", 4, 0), whole()]).as_deref(), Some("2026-11-25"));
        assert_eq!(least([day("2026-11-25", 4, 4), whole()]).as_deref(), Some("2026-11-27"));
        assert_eq!(least([day("2026-11-25", 0, 0), whole()]).as_deref(), Some("2026-11-27"), "nobody's day");
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
