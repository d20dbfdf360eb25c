//! How often a schedule ticks.

use std::iter::successors;
use std::time::Duration;

use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use orchestrator::calendar::schedule::Schedule;

use crate::limits::Limits;

/// Retries of one tick end this long before the next tick: Cloud Scheduler holds a tick back while it retries another.
const BEFORE_NEXT_TICK: Duration = Duration::from_secs(60);

/// Maximum time for retries of one tick, however rarely the job runs.
const WINDOW_MAX: Duration = Duration::from_secs(12 * 3600);

/// Maximum retries that Cloud Scheduler accepts.
const RETRIES_MAX: u64 = 5;

/// 2026-01-04T00:00:00Z, a Sunday, in seconds since 1970.
const WEEK_WITHOUT_CHANGE: i64 = 1_767_484_800;

/// How long one tick may be retried.
pub fn retry_window(schedule: &str) -> Result<Duration> {
    Ok(shortest_gap(schedule)?.saturating_sub(BEFORE_NEXT_TICK).min(WINDOW_MAX))
}

/// The number of retries that one tick is guaranteed: those that start within the window, so that they end before the
/// next tick.
///
/// With a window, Cloud Scheduler continues until both are used up, so a run of many requests gets more.
pub fn retries(window: Duration, limits: &Limits) -> u64 {
    let (mut wait, mut total, mut retries) = (limits.min_backoff, 0, 0);
    while retries < RETRIES_MAX && total + wait <= window.as_secs() {
        total += wait;
        retries += 1;
        wait = (wait * 2).min(limits.max_backoff);
    }
    retries
}

/// The shortest time between two ticks in a week.
pub fn shortest_gap(schedule: &str) -> Result<Duration> {
    let schedule = Schedule::parse(schedule).with_context(|| format!("not a schedule: `{schedule}`"))?;
    let tick_after = |tick: &DateTime<Utc>| schedule.next_after(*tick);
    // A week without a daylight saving change.
    let start = DateTime::from_timestamp(WEEK_WITHOUT_CHANGE, 0).context("no such time")?;
    let end = start + TimeDelta::days(8);
    let ticks: Vec<_> = successors(tick_after(&start), tick_after).take_while(|tick| *tick < end).collect();
    let gap = ticks.windows(2).map(|pair| pair[1] - pair[0]).min();
    Ok(gap.context("the schedule has fewer than two ticks a week")?.to_std()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gap_is_the_time_between_the_two_closest_ticks() {
        for (schedule, minutes) in [
            ("*/5 9-16 * * 1-5", 5),
            ("0,30 8-18 * * 1-5", 30),
            ("0 8-18/2 * * 1-5", 120),
            ("0 18 * * 1-5", 24 * 60),
            ("0,55 * * * *", 5),
        ] {
            let gap = shortest_gap(schedule).unwrap();
            assert_eq!(gap, Duration::from_secs(60 * minutes), "{schedule}");
        }
    }

    #[test]
    fn retries_end_before_the_next_tick_and_within_half_a_day() {
        assert_eq!(retry_window("*/5 9-16 * * 1-5").unwrap(), Duration::from_secs(240));
        assert_eq!(retry_window("0 17 * * 1-5").unwrap(), WINDOW_MAX);
    }

    #[test]
    fn retries_begin_within_the_window() {
        let limits = Limits { attempt_deadline: 960, min_backoff: 30, max_backoff: 300, max_doublings: 4 };
        for (window, expected) in [(29, 0), (30, 1), (240, 3), (43_200, 5)] {
            assert_eq!(retries(Duration::from_secs(window), &limits), expected, "{window}");
        }
    }

    #[test]
    fn an_invalid_schedule_is_refused() {
        for schedule in ["", "60 1 * * *", "0 0 1 * *"] {
            assert!(shortest_gap(schedule).is_err(), "{schedule}");
        }
    }
}
