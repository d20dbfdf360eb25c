//! The whole service against everything that can go wrong, thousands of times, in virtual time.
//!
//! A seed determines a [`scenario::Scenario`]: settings, tickers, ticks, storms. Real `App`s behind the real router run
//! it against an in-memory Firestore and simulated providers; they die at any step and restart. Some invariants are
//! checked all the time, the others when the world has come to rest. A seed that breaks one prints its history and the
//! command that replays it.

mod alarms;
mod breaker_watch;
mod each_job;
mod instance;
mod invariants;
mod journal;
mod ledger_watch;
mod network;
mod operators;
mod order_watch;
mod provider;
mod record_watch;
mod run;
mod scenario;
mod scheduler;
mod settings;
mod stage;
mod storm;
mod stream;
mod tick;

use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use run::Outcome;

/// Seeds of a normal test run.
const SEEDS: u64 = 1_000;
const THREADS: usize = 2;
/// Default number of failing seeds after which the search ends.
const FAILURES_MAX: u64 = 5;

/// A number from the environment, set by `cargo xtask simulate`.
fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} must be a number")))
}

#[test]
fn invariants_hold_for_every_seed() {
    if let Some(seed) = setting("SIMULATION_SEED") {
        let outcome = run::seed(seed);
        println!("{}", outcome.story.join("\n"));
        assert!(outcome.violations.is_empty(), "{}", report(&outcome));
        return;
    }
    let first = setting("SIMULATION_FROM").unwrap_or(1);
    let count = setting("SIMULATION_SEEDS").unwrap_or(SEEDS);
    let next = AtomicU64::new(first);
    let failures_max = usize::try_from(setting("SIMULATION_FAILURES").unwrap_or(FAILURES_MAX)).expect("fits");
    let failures = Mutex::new(Vec::new());
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| search(&next, first + count, &failures, failures_max));
        }
    });
    let elapsed = start.elapsed().as_secs_f64();
    println!("{count} seeds in {elapsed:.1} s");
    let failures = failures.into_inner().expect("no thread has panicked");
    assert!(failures.is_empty(), "{}", failures.iter().map(report).collect::<String>());
}

#[test]
fn the_same_seed_gives_the_same_history() {
    for seed in 1..=20 {
        assert_eq!(run::seed(seed).story, run::seed(seed).story, "seed {seed}");
    }
}

/// Runs seeds until there are no more or enough have failed.
fn search(next: &AtomicU64, end: u64, failures: &Mutex<Vec<Outcome>>, failures_max: usize) {
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return;
        }
        let outcome = run::seed(seed);
        let mut failures = failures.lock().expect("no thread has panicked");
        if !outcome.violations.is_empty() {
            failures.push(outcome);
        }
        if failures.len() >= failures_max {
            return;
        }
    }
}

/// The report of a failing seed.
fn report(outcome: &Outcome) -> String {
    const LINES_MAX: usize = 60;
    let mut text = format!("\nseed {} breaks:\n", outcome.seed);
    for violation in outcome.violations.iter().take(10) {
        let _ = writeln!(text, "  {violation}");
    }
    let skipped = outcome.story.len().saturating_sub(LINES_MAX);
    let _ = writeln!(text, "the last of {} lines of its history:", outcome.story.len());
    for line in &outcome.story[skipped..] {
        let _ = writeln!(text, "  {line}");
    }
    let _ = writeln!(text, "in full: cargo xtask simulate --seed {}", outcome.seed);
    text
}
