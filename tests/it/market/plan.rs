//! What happens in a world, and when.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::NaiveDate;
use orchestrator::calendar::Calendar;
use sim::data::records_of;
use sim::endpoint::Endpoint;

use super::world::{DAYS, Market, QUIET_DAYS};
use crate::world::clock::{EPOCH, civil};
use crate::world::dice::Dice;

/// What happens in a world.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) tickers: usize,
    pub(super) faults: Vec<Fault>,
    /// Sessions that the provider has nothing for, by ticker.
    pub(super) never: BTreeSet<(String, NaiveDate)>,
    pub(super) is_watched: bool,
    /// How many percent of the requests are taken by an instance that dies while it works on them.
    pub(super) mortality: u64,
    /// Tickers of one request at most.
    pub(super) batch: usize,
    /// The provider works on one ticker at a time, each this long.
    pub(super) pace: Duration,
}

/// A fault that lasts.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    from: Duration,
    to: Duration,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The provider answers 503.
    Down,
    /// The provider answers that it has nothing, for most tickers.
    Empty,
    /// The provider ignores the days that are asked for.
    Ignorant,
    /// Firestore answers 503.
    Firestore,
    /// The scheduler sends nothing.
    Silent,
}

impl Fault {
    pub(super) fn down(from: Duration, length: Duration) -> Self {
        Self { from, to: from + length, kind: Kind::Down }
    }

    pub(super) fn ignored(from: Duration, length: Duration) -> Self {
        Self { from, to: from + length, kind: Kind::Ignorant }
    }

    pub(super) fn empty(from: Duration, length: Duration) -> Self {
        Self { from, to: from + length, kind: Kind::Empty }
    }

    pub(super) fn silent(from: Duration, length: Duration) -> Self {
        Self { from, to: from + length, kind: Kind::Silent }
    }
}

impl Plan {
    pub(super) fn quiet(seed: u64) -> Self {
        Self {
            tickers: 3 + usize::try_from(seed % 5).expect("small"),
            faults: Vec::new(),
            never: BTreeSet::new(),
            is_watched: true,
            mortality: 0,
            batch: 4,
            pace: Duration::ZERO,
        }
    }

    pub(super) fn random(seed: u64) -> Self {
        let dice = Dice::new(seed ^ 0x006d_6172_6b65_7421);
        let mut plan = Self { mortality: dice.pick(&[0, 10, 40]), ..Self::quiet(seed) };
        let kinds = [Kind::Down, Kind::Empty, Kind::Ignorant, Kind::Firestore, Kind::Silent];
        for _ in 0..dice.between(1, 8) {
            let days = u64::from(DAYS - QUIET_DAYS);
            let from = dice.millis(0, days * 24 * 3_600_000);
            let hours = dice.pick(&[1, 4, 12, 30, 54]);
            let kind = dice.pick(&kinds);
            // What lasts until the quiet week would leave less than two sessions to make up for it.
            let last = Duration::from_secs(days * 24 * 3_600);
            let to = (from + dice.millis(1, hours * 3_600_000)).min(last);
            plan.faults.push(Fault { from, to, kind });
        }
        let calendar = Calendar::default();
        for session in calendar.sessions(first_day()..=last_day()) {
            for ticker in names(plan.tickers) {
                // A change that its record does not tell cannot be known.
                if dice.chance(2) && !is_change(&ticker, session.date) {
                    plan.never.insert((ticker, session.date));
                }
            }
        }
        plan
    }

    pub(super) fn is(&self, kind: Kind, now: Duration) -> bool {
        self.faults.iter().any(|fault| fault.kind == kind && (fault.from..fault.to).contains(&now))
    }
}

/// Whether the provider has a split or a dividend of a ticker on a day.
pub(super) fn is_change(ticker: &str, date: NaiveDate) -> bool {
    let at = civil(Duration::from_secs(u64::from(DAYS) * 24 * 3_600));
    let prices = records_of(&Market::spec(), Endpoint::TIINGO_PRICES, ticker, (date, date), at);
    prices.iter().any(|price| price["div_cash"] != 0.0 || price["split_factor"] != 1.0)
}

pub(super) fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("T{number}")).collect()
}

pub(super) fn first_day() -> NaiveDate {
    EPOCH.date_naive()
}

pub(super) fn last_day() -> NaiveDate {
    civil(Duration::from_secs(u64::from(DAYS) * 24 * 3_600)).date_naive()
}
