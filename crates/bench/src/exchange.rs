//! The duration of one exchange, compared with a peer that never keeps a sender waiting.
//!
//! Spin leaves Nagle's algorithm on. Whether the component's requests suffer from that shows in comparison with peers
//! that acknowledge immediately: there, no packet waits for an acknowledgement, as on a connection with `TCP_NODELAY`.

use std::time::Duration;

use anyhow::{Context, Result};
use sim::data::Spec;
use sim::relay::{Acknowledge, Relay};
use sim::scheduler::Job;

use crate::figure::{Figure, Goal, count, median};
use crate::scene::Scene;

/// The measured job: one call after another, each for one ticker and followed by its write.
const JOB: &str = "tiingo-daily-prices";
const SETTINGS: [(&str, &str); 2] = [("batch_size_tiingo", "1"), ("max_concurrency_tiingo", "1")];
const TICKERS: usize = 200;
/// Number of alternating rounds.
const ROUNDS: usize = 15;
/// Maximum duration of an exchange, relative to one in which nothing waits.
const GOAL: f64 = 1.1;

pub async fn measure(scene: &Scene) -> Result<Vec<Figure>> {
    let job = Job::find(JOB).context("no such job")?;
    let mut sides = Vec::new();
    for acknowledge in [Acknowledge::Late, Acknowledge::AtOnce] {
        let (provider, firestore) = (Relay::start(acknowledge).await?, Relay::start(acknowledge).await?);
        provider.lead_to(scene.providers.tiingo().url().trim_start_matches("http://"));
        firestore.lead_to(scene.emulator.host());
        let url = format!("http://{}", provider.host());
        let settings = [&SETTINGS[..], &[("tiingo_service_url", &url)]].concat();
        let system = scene.system_at(firestore.host(), TICKERS, &settings).await?;
        sides.push((system, provider, firestore, Vec::new()));
    }
    scene.answers(Spec::default(), Duration::ZERO);
    for _ in 0..ROUNDS {
        for (system, .., walls) in &mut sides {
            let took = system.run_afresh(job).await?.duration;
            walls.push(took.as_secs_f64() * 1000.0 / count(TICKERS));
        }
    }
    let mut figures = Vec::new();
    let (mut medians, mut tallies) = (Vec::new(), Vec::new());
    for (system, provider, firestore, walls) in sides {
        system.stop().await?;
        medians.push(median(walls));
        let (calls, writes) = (provider.seen(), firestore.seen());
        tallies.push((calls.whole + writes.whole, calls.split + writes.split));
    }
    if let ([late, at_once], [(whole, split), _]) = (medians.as_slice(), tallies.as_slice()) {
        let what = format!("{JOB}, {TICKERS} calls of one ticker");
        let figure = Figure::new(
            format!("{what}: a call and its write"),
            (*late, "ms"),
            "acknowledged at once",
            *at_once,
        );
        figures.push(figure.goal(Goal::RatioAtMost(GOAL)));
        let pieces = (count(*split), "requests");
        figures.push(Figure::new(format!("{what}: sent in pieces"), pieces, "sent whole", count(*whole)));
    }
    figures.iter().for_each(crate::tell);
    Ok(figures)
}
