//! What follows when a provider reports a limit: a pause that all runs and instances share.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// Longest pause of that kind.
pub const PAUSE_MAX: Duration = Duration::from_secs(3600);
/// How often in a row a provider may report a limit before the attempt ends.
pub const IN_ROW_MAX: u32 = 3;
/// Longest pause that is accepted, whatever the provider says.
const ASKED_MAX: Duration = Duration::from_secs(24 * 3600);

/// State of a provider's limit, shared by all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limit {
    /// No call before this, by Firestore's clock.
    pub until: Option<DateTime<Utc>>,
    /// How often in a row the provider has reported a limit, without a success in between.
    pub in_row: u32,
    /// Its message.
    pub reason: Option<String>,
}

impl Limit {
    /// How long calls must still wait.
    pub fn left(&self, now: DateTime<Utc>) -> Duration {
        self.until.map_or(Duration::ZERO, |until| (until - now).to_std().unwrap_or_default())
    }

    /// The state after a call was refused because of the limit. `asked` is the requested wait, or the window that the
    /// message names; `minute` is the length of a provider's minute: without a requested wait the first pause is a quarter
    /// of it, doubling while the provider keeps reporting a limit. `is_late`: the call was sent before the
    /// current pause began, so it tells nothing new.
    #[must_use]
    pub fn hit(
        &self,
        now: DateTime<Utc>,
        asked: Option<Duration>,
        minute: Duration,
        reason: &str,
        is_late: bool,
    ) -> Self {
        let in_row = if is_late { self.in_row.max(1) } else { self.in_row.saturating_add(1) };
        let doublings = in_row.saturating_sub(1).min(16);
        let growing = (minute / 4).saturating_mul(1 << doublings).min(PAUSE_MAX);
        // The requested wait is trusted the first time; after that it has proved too short.
        let pause = match asked {
            Some(asked) if in_row <= 1 => asked.min(ASKED_MAX),
            Some(asked) => asked.max(growing).min(ASKED_MAX),
            None => growing,
        };
        let until = now + TimeDelta::from_std(pause).unwrap_or(TimeDelta::days(1));
        Self { until: self.until.max(Some(until)), in_row, reason: Some(reason.to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(second, 0).unwrap()
    }

    fn seconds(limit: &Limit, now: i64) -> u64 {
        limit.left(at(now)).as_secs()
    }

    #[test]
    fn the_pause_grows_while_the_provider_says_nothing_else() {
        let mut limit = Limit::default();
        let mut pauses = Vec::new();
        let mut now = 0;
        for _ in 0..10 {
            limit = limit.hit(at(now), None, MINUTE, "429", false);
            pauses.push(seconds(&limit, now));
            now += 10_000;
        }
        assert_eq!(pauses, [15, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600]);
    }

    #[test]
    fn what_the_provider_asks_for_is_obeyed() {
        let limit = Limit::default().hit(at(0), Some(Duration::from_secs(3600)), MINUTE, "daily", false);
        assert_eq!(seconds(&limit, 0), 3600);
        assert_eq!(seconds(&limit, 4000), 0);
        let moment = Limit::default().hit(at(0), Some(Duration::ZERO), MINUTE, "429", false);
        assert_eq!(seconds(&moment, 0), 0);
        let again = moment.hit(at(0), Some(Duration::ZERO), MINUTE, "429", false);
        assert_eq!(seconds(&again, 0), 30, "it was not enough");
        let absurd = Limit::default().hit(at(0), Some(Duration::MAX), MINUTE, "429", false);
        assert_eq!(seconds(&absurd, 0), 86_400);
    }

    #[test]
    fn calls_that_were_on_their_way_already_do_not_lengthen_it() {
        let first = Limit::default().hit(at(0), None, MINUTE, "429", false);
        let late = first.hit(at(1), None, MINUTE, "429", true);
        assert_eq!((late.in_row, seconds(&late, 1)), (1, 15));
    }
}
