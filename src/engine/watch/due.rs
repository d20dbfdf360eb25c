//! Which unfinished runs the watch goes on with, and when, and which it gives up.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::catalogue::{Job, Ticks};
use crate::ledger::summary::RunSummary;
use crate::run::{Source, Status};

/// How long the watch goes on with a run that is about current data.
const CURRENT_FOR: TimeDelta = TimeDelta::hours(24);
/// How long it goes on with a backfill.
pub(super) const BACKFILL_FOR: TimeDelta = TimeDelta::days(14);
/// How far behind the clock may be that a run was created with: its own tick is no later one.
const CLOCKS_APART: TimeDelta = TimeDelta::minutes(1);
/// Wait after the first attempt that ended with work left; it doubles with each.
const WAIT: Duration = Duration::from_secs(60);
/// Longest such wait.
const WAIT_MAX: Duration = Duration::from_secs(900);

/// What the watch does with an unfinished run, unless its owner is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duty {
    GoOn,
    /// Closes it, for this reason: nobody else would, and it would count as running for ever.
    GiveUp(&'static str),
}

/// Why the watch does not go on with a run.
const REPLACED: &str = "its instance has died, and a later tick of the job requests the same";
const TOO_OLD: &str = "nobody has finished it in time";

/// Whether it is a run that leaves the provider to others.
pub(super) fn is_background(run: &RunSummary) -> bool {
    [Source::Backfill, Source::Replay].iter().any(|source| run.trigger == source.name())
}

/// Why nobody goes on with a run any more, whatever is left of it.
fn given_up(job: &Job, run: &RunSummary, ticks: &Ticks, now: DateTime<Utc>) -> Option<&'static str> {
    let created_at = run.created_at?;
    let age = if is_background(run) { BACKFILL_FOR } else { CURRENT_FOR };
    let is_replaced = run.trigger == Source::Scheduler.name()
        && ticks.next(job, created_at + CLOCKS_APART).is_some_and(|next| next <= now);
    if is_replaced { Some(REPLACED) } else { (now - created_at > age).then_some(TOO_OLD) }
}

/// Whether a tick's run is still worked on, or will be: what is left of it, it requests itself.
pub(super) fn is_expected(job: &Job, run: &RunSummary, ticks: &Ticks, now: DateTime<Utc>) -> bool {
    let is_left = run.run_status == Status::Running || run.stopped.is_some();
    run.trigger == Source::Scheduler.name() && is_left && given_up(job, run, ticks, now).is_none()
}

/// Whether work is left of a run that nobody else will take up, and it is time to.
pub(super) fn duty(job: &Job, run: &RunSummary, ticks: &Ticks, now: DateTime<Utc>) -> Option<Duty> {
    let created_at = run.created_at?;
    if let Some(reason) = given_up(job, run, ticks, now) {
        return (run.run_status == Status::Running).then_some(Duty::GiveUp(reason));
    }
    let is_due = match run.run_status {
        // Whether its owner is alive, its entry says.
        Status::Running => true,
        Status::Failed => {
            // Without a reason to stop, nothing is left: nothing succeeded.
            let has_work = run.stopped.is_some();
            let waits = run.waits_until.is_some_and(|until| now < until);
            let attempts = u32::try_from(run.attempt).unwrap_or(u32::MAX);
            let wait = WAIT.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1))).min(WAIT_MAX);
            let ended = run.ended_at.unwrap_or(created_at);
            has_work && !waits && TimeDelta::from_std(wait).is_ok_and(|wait| now - ended >= wait)
        }
        _ => false,
    };
    is_due.then_some(Duty::GoOn)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::find;
    use crate::ledger::summary::tests::summary;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// A run of this job that was created on Monday, 2026-11-23, at 18:00 in New York and stopped two minutes later.
    fn stopped(trigger: Source) -> RunSummary {
        RunSummary {
            run_status: Status::Failed,
            trigger: trigger.name().to_owned(),
            attempt: 1,
            created_at: Some(at("2026-11-23T23:00:00Z")),
            ended_at: Some(at("2026-11-23T23:02:00Z")),
            stopped: Some("the deadline is near".to_owned()),
            ..summary()
        }
    }

    fn check(job: &str, run: &RunSummary, now: &str) -> bool {
        on(job, run, now) == Some(Duty::GoOn)
    }

    fn on(job: &str, run: &RunSummary, now: &str) -> Option<Duty> {
        duty(find(job).unwrap(), run, &Ticks { skip: true, ..Ticks::default() }, at(now))
    }

    const PRICES: &str = "tiingo-daily-prices";

    #[test]
    fn a_run_is_taken_up_after_a_wait_that_grows() {
        let run = stopped(Source::Scheduler);
        assert!(!check(PRICES, &run, "2026-11-23T23:02:59Z"));
        assert!(check(PRICES, &run, "2026-11-23T23:03:00Z"));
        let later = RunSummary { attempt: 3, ..run.clone() };
        assert!(!check(PRICES, &later, "2026-11-23T23:05:59Z"));
        assert!(check(PRICES, &later, "2026-11-23T23:06:00Z"));
        let late = RunSummary { attempt: 900, ..run };
        assert!(check(PRICES, &late, "2026-11-23T23:17:00Z"), "never more than a quarter of an hour");
    }

    #[test]
    fn a_run_that_waits_for_its_data_is_left_until_then() {
        let run = RunSummary { waits_until: Some(at("2026-11-23T23:20:00Z")), ..stopped(Source::Scheduler) };
        assert!(!check(PRICES, &run, "2026-11-23T23:19:59Z"));
        assert!(check(PRICES, &run, "2026-11-23T23:20:00Z"));
    }

    #[test]
    fn a_tick_whose_job_has_had_another_one_is_left() {
        let run = stopped(Source::Scheduler);
        assert!(check(PRICES, &run, "2026-11-24T22:00:00Z"));
        assert!(!check(PRICES, &run, "2026-11-24T23:00:00Z"), "today's run requests the same");
        assert!(!check("polygon-news-market", &run, "2026-11-24T14:00:00Z"));
        // Nobody else comes for these.
        assert!(check("polygon-news-market", &stopped(Source::Manual), "2026-11-24T14:00:00Z"));
        assert!(!check(PRICES, &stopped(Source::Manual), "2026-11-25T00:00:00Z"), "a day is enough");
        assert!(check(PRICES, &stopped(Source::Backfill), "2026-12-05T00:00:00Z"));
        assert!(!check(PRICES, &stopped(Source::Backfill), "2026-12-08T00:00:00Z"));
    }

    #[test]
    fn what_still_runs_when_nobody_goes_on_with_it_is_given_up() {
        let running = |trigger| RunSummary { run_status: Status::Running, stopped: None, ..stopped(trigger) };
        let tick = running(Source::Scheduler);
        assert_eq!(on(PRICES, &tick, "2026-11-24T22:59:00Z"), Some(Duty::GoOn));
        assert_eq!(on(PRICES, &tick, "2026-11-24T23:00:00Z"), Some(Duty::GiveUp(REPLACED)));
        assert_eq!(on(PRICES, &running(Source::Manual), "2026-11-25T00:00:00Z"), Some(Duty::GiveUp(TOO_OLD)));
        assert_eq!(
            on(PRICES, &running(Source::Backfill), "2026-12-08T00:00:00Z"),
            Some(Duty::GiveUp(TOO_OLD))
        );
        assert_eq!(on(PRICES, &stopped(Source::Scheduler), "2026-11-24T23:00:00Z"), None, "it has ended");
    }

    #[test]
    fn what_has_ended_is_left_and_what_runs_is_looked_at() {
        let nothing_succeeded = RunSummary { stopped: None, ..stopped(Source::Scheduler) };
        assert!(!check(PRICES, &nothing_succeeded, "2026-11-23T23:30:00Z"));
        for (status, expect) in [
            (Status::Running, true),
            (Status::Succeeded, false),
            (Status::Partial, false),
            (Status::Skipped, false),
        ] {
            let run = RunSummary { run_status: status, ..stopped(Source::Scheduler) };
            assert_eq!(check(PRICES, &run, "2026-11-23T23:30:00Z"), expect, "{status:?}");
        }
    }
}
