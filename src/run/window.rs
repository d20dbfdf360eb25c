//! A range of days for which data is requested.

use std::fmt;

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};

/// How far outside of its window a record may lie before the window counts as ignored: services differ in whether they
/// include the days at its ends, and in the time zone of a day.
const SLACK: Days = Days::new(7);

/// Days in New York, both included.
#[cfg_attr(not(target_family = "wasm"), derive(utoipa::ToSchema))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Window {
    pub from: NaiveDate,
    pub to: NaiveDate,
}

impl Window {
    pub fn contains(&self, day: NaiveDate) -> bool {
        (self.from..=self.to).contains(&day)
    }

    /// Whether a day is so far away that a service that sends it has ignored the window.
    pub fn is_far_from(&self, day: NaiveDate) -> bool {
        let early = self.from.checked_sub_days(SLACK).is_some_and(|first| day < first);
        early || self.to.checked_add_days(SLACK).is_some_and(|last| day > last)
    }

    /// Number of days.
    pub fn days(&self) -> u64 {
        u64::try_from((self.to - self.from).num_days().saturating_add(1)).unwrap_or_default()
    }

    /// The same days in pieces of at most `days_max`, the latest first: recent data is missed most.
    pub fn pieces(self, days_max: u64) -> Vec<Self> {
        let (mut pieces, mut to) = (Vec::new(), self.to);
        while to >= self.from {
            let first = to.checked_sub_days(Days::new(days_max.saturating_sub(1)));
            let from = first.map_or(self.from, |first| first.max(self.from));
            pieces.push(Self { from, to });
            match from.pred_opt() {
                Some(before) => to = before,
                None => break,
            }
        }
        pieces
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.from == self.to {
            write!(f, "{}", self.from)
        } else {
            write!(f, "{} to {}", self.from, self.to)
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn window(from: &str, to: &str) -> Window {
        Window { from: from.parse().unwrap(), to: to.parse().unwrap() }
    }

    #[test]
    fn pieces_are_as_long_as_allowed_and_the_latest_comes_first() {
        let year = window("2025-01-01", "2025-12-31");
        assert_eq!(year.pieces(366), [year]);
        let pieces = window("2026-11-01", "2026-11-10").pieces(7);
        assert_eq!(pieces, [window("2026-11-04", "2026-11-10"), window("2026-11-01", "2026-11-03")]);
        assert_eq!(window("2026-11-01", "2026-11-01").pieces(0), [window("2026-11-01", "2026-11-01")]);
    }

    #[test]
    fn a_week_around_it_is_not_far() {
        let week = window("2026-11-09", "2026-11-13");
        let is_far = |day: &str| week.is_far_from(day.parse().unwrap());
        let days = ["2026-11-01", "2026-11-02", "2026-11-10", "2026-11-20", "2026-11-21"];
        assert_eq!(days.map(is_far), [true, false, false, false, true]);
    }

    proptest! {
        #[test]
        fn pieces_are_the_same_days(start in 0_u64..9_000, days in 1_u64..3_000, days_max in 1_u64..400) {
            let from = NaiveDate::from_ymd_opt(2010, 1, 1).unwrap() + Days::new(start);
            let all = Window { from, to: from + Days::new(days - 1) };
            let pieces = all.pieces(days_max);
            prop_assert_eq!(pieces.iter().map(Window::days).sum::<u64>(), days);
            prop_assert!(pieces.iter().all(|piece| piece.days() <= days_max));
            prop_assert!(pieces.windows(2).all(|two| two[1].to.succ_opt() == Some(two[0].from)));
            prop_assert_eq!((pieces[pieces.len() - 1].from, pieces[0].to), (all.from, all.to));
        }
    }
}
