//! What answers to requests for past days say of them.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::{Covering, name};
use crate::engine::execute::deliveries::Delivery;
use crate::run::cell::{Cell, Day};
use crate::run::{Window, Work};

impl Covering {
    /// The days of a window that have something to cover.
    pub(in crate::engine::execute) fn days_of(&self, endpoint: &str, window: Window) -> Vec<NaiveDate> {
        let Some((_, follows, _)) = self.about(endpoint) else { return Vec::new() };
        let until = if follows.has_sessions() { self.until.0 } else { Some(self.until.1) };
        until.map_or_else(Vec::new, |until| follows.days(&self.calendar, window.from..=window.to.min(until)))
    }

    /// What an answer to a request for some days says of them.
    pub(super) fn add_window(&mut self, delivery: &Delivery, work: &Work, window: Window, day: Day) {
        let days = self.days_of(delivery.endpoint, window);
        let has_sessions =
            self.about(delivery.endpoint).is_some_and(|(_, follows, _)| follows.has_sessions());
        let short: BTreeSet<_> =
            delivery.shortfalls.iter().filter_map(|short| short.ticker.as_ref()).collect();
        for ticker in &work.tickers {
            let (ticker, is_short) = (name(Some(ticker)), short.contains(ticker));
            for date in &days {
                let day = Day { date: *date, ..day };
                if self.expects_windows {
                    let expected = &mut self.changes.entry(day).or_default().expected;
                    self.cells += usize::from(expected.insert(ticker.clone()));
                }
                if !has_sessions && !is_short {
                    let records = delivery.cells.by_day.get(&(ticker.clone(), *date)).copied();
                    self.note(day, &ticker, &Cell::answered(records.unwrap_or_default()), false);
                }
            }
        }
    }
}
