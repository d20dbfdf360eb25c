//! What answers to requests for past days say of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::NaiveDate;

use super::{Covering, name};
use crate::catalogue::Ticker;
use crate::engine::execute::Execution;
use crate::engine::execute::deliveries::Delivery;
use crate::resilience::class::Class;
use crate::run::cell::{Cell, Day};
use crate::run::{Outcome, Shortfall, Window, Work};

/// Why a ticker has failed whose answer lacks what an earlier one had.
const CONTRADICTED: &str = "the service sent nothing for days of which it has sent records before";

impl Execution<'_> {
    /// A service that ignores the requested days may send others inside of them, and looks as if it had nothing else. What
    /// is stored of these days shows that it has.
    pub(super) fn contradict(delivery: &mut Delivery, contradicted: &BTreeSet<(Arc<str>, NaiveDate)>) {
        let Some(work) = &delivery.work else { return };
        let Some(window) = work.window.filter(|_| !contradicted.is_empty()) else { return };
        let in_window = contradicted.iter().filter(|(_, day)| window.contains(*day));
        let names: BTreeSet<&str> = in_window.map(|(name, _)| &**name).collect();
        let known: BTreeSet<_> =
            delivery.shortfalls.iter().filter_map(|short| short.ticker.as_ref()).collect();
        let is_concerned = |ticker: &&Ticker| names.contains(ticker.as_str()) && !known.contains(ticker);
        let concerned: Vec<Ticker> = work.tickers.iter().filter(is_concerned).cloned().collect();
        delivery.shortfalls.extend(concerned.into_iter().map(|ticker| Shortfall {
            ticker: Some(ticker),
            endpoint: delivery.endpoint.to_owned(),
            window: Some(window),
            outcome: Outcome::Failed,
            class: Some(Class::Malformed),
            reason: CONTRADICTED.to_owned(),
        }));
    }
}

impl Covering {
    /// The days of a window that have something to cover.
    pub(in crate::engine::execute) fn days_of(&self, endpoint: &str, window: Window) -> Vec<NaiveDate> {
        let Some((_, follows, _)) = self.about(endpoint) else { return Vec::new() };
        follows.days_by(&self.calendar, (window.from, window.to), self.tick)
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
