//! How often a schedule ticks.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::limits::Limits;

/// Retries of one tick end this long before the next tick: Cloud Scheduler holds a tick back while it retries another.
const BEFORE_NEXT_TICK: Duration = Duration::from_secs(60);

/// Retries of one tick never go on longer, however seldom the job runs.
const WINDOW_MAX: Duration = Duration::from_secs(12 * 3600);

/// Most retries that Cloud Scheduler can be told.
const RETRIES_MAX: u64 = 5;

const MINUTES_A_DAY: u64 = 24 * 60;

/// How long one tick may be tried again.
pub fn retry_window(schedule: &str) -> Result<Duration> {
    Ok(shortest_gap(schedule)?.saturating_sub(BEFORE_NEXT_TICK).min(WINDOW_MAX))
}

/// How many retries one tick certainly gets: as many as begin within the window, so that they end before the next tick.
///
/// With a window Cloud Scheduler goes on until both are used up, so that a run of many requests gets more.
pub fn retries(window: Duration, limits: &Limits) -> u64 {
    let (mut wait, mut total, mut retries) = (limits.min_backoff, 0, 0);
    while retries < RETRIES_MAX && total + wait <= window.as_secs() {
        total += wait;
        retries += 1;
        wait = (wait * 2).min(limits.max_backoff);
    }
    retries
}

/// The shortest time between two ticks, as if the schedule ticked on every day.
fn shortest_gap(schedule: &str) -> Result<Duration> {
    let fields: Vec<_> = schedule.split_whitespace().collect();
    let [minute, hour, ..] = fields[..] else { anyhow::bail!("no cron schedule: `{schedule}`") };
    let minutes = values(minute, 60).with_context(|| format!("minutes of `{schedule}`"))?;
    let hours = values(hour, 24).with_context(|| format!("hours of `{schedule}`"))?;
    let ticks: Vec<_> = hours.iter().flat_map(|hour| minutes.iter().map(move |m| hour * 60 + m)).collect();
    let next_day = ticks.first().map(|first| first + MINUTES_A_DAY);
    let later = ticks.iter().copied().skip(1).chain(next_day);
    let gap = ticks.iter().zip(later).map(|(tick, next)| next - tick).min();
    Ok(Duration::from_secs(60 * gap.with_context(|| format!("`{schedule}` never ticks"))?))
}

/// The values of one field: `*`, `*/n`, `a`, `a-b`, `a-b/n`, and lists of them.
fn values(field: &str, end: u64) -> Result<BTreeSet<u64>> {
    let mut values = BTreeSet::new();
    for part in field.split(',') {
        let (range, step) = part.split_once('/').unwrap_or((part, "1"));
        let step: usize = step.parse()?;
        ensure!(step > 0, "a step of 0");
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (first.parse()?, last.parse()?),
            None if range == "*" => (0, end - 1),
            None => (range.parse()?, range.parse()?),
        };
        ensure!(first <= last && last < end, "`{part}` is out of range");
        values.extend((first..=last).step_by(step));
    }
    Ok(values)
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
            ("55,0 * * * *", 5),
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
    fn what_is_no_schedule_is_refused() {
        for schedule in ["", "x 1 * * *", "60 1 * * *", "*/0 1 * * *", "5-1 1 * * *"] {
            assert!(shortest_gap(schedule).is_err(), "{schedule}");
        }
    }
}
