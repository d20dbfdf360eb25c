//! A market over weeks: sessions, ticks, watches, and long faults between them. Holes fill themselves.
//!
//! `MARKET_SEED=n` plays one world, `MARKET_SEEDS=n` that many.

mod backfill;
mod check;
mod plan;
mod replay;
mod stored;
mod world;

use std::time::Duration;

use plan::{Fault, Plan};
use world::Market;

use crate::world::dice::Dice;

/// Worlds of the usual test.
const SEEDS: u64 = 8;
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// A month of faults, then a quiet week; whatever the provider has is there.
#[test]
fn holes_fill_themselves_within_two_sessions() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("MARKET_SEED") {
        Some(seed) => seed..=seed,
        None => 1..=number("MARKET_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        play(seed, &Plan::random(seed));
    }
}

/// The provider is down for two days: nobody does anything, and all is there in the end.
#[test]
fn a_provider_that_was_down_for_days_is_made_up_for() {
    let mut plan = Plan::quiet(7);
    // From Monday, 2026-11-30, 12:00 in New York until Wednesday, 12:00.
    plan.faults.push(Fault::down(6 * DAY + 22 * HOUR, 2 * DAY));
    play(7, &plan);
}

/// The scheduler is gone, so no tick brings the last weeks again, and for two days the provider has nothing yet for most
/// tickers: the watch alone requests it until it is there.
#[test]
fn what_the_provider_had_nothing_for_is_requested_again() {
    let mut plan = Plan::quiet(8);
    plan.faults.push(Fault::silent(6 * DAY, 31 * DAY));
    plan.faults.push(Fault::empty(7 * DAY + 10 * HOUR, 2 * DAY));
    play(8, &plan);
}

/// Without the watch, what was missed stays missing: the world can tell.
#[test]
fn without_a_watch_holes_stay() {
    let mut plan = Plan::quiet(7);
    plan.faults.push(Fault::down(6 * DAY + 22 * HOUR, 2 * DAY));
    plan.is_watched = false;
    let holes = check::holes(&Market::play(Dice::new(7), &plan));
    assert!(!holes.is_empty());
}

fn play(seed: u64, plan: &Plan) {
    let market = Market::play(Dice::new(seed), plan);
    let mut complaints = check::holes(&market);
    complaints.extend(check::bases(&market));
    complaints.extend(check::coverage(&market));
    assert!(
        complaints.is_empty(),
        "MARKET_SEED={seed}: {plan:?}\n{} complaints:\n{}",
        complaints.len(),
        complaints.iter().take(20).cloned().collect::<Vec<_>>().join("\n")
    );
}
