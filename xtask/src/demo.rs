//! `cargo xtask demo`: runs the whole system once and checks what it stored.

mod found;
mod killed;
mod plan;
mod play;
mod verdict;

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use anyhow::{Result, bail};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use orchestrator::catalogue::{self, Ticks};
use sim::data::Spec;
use sim::firestore::Kind;
use sim::orchestrator::Builder;
use sim::providers::Pace;
use sim::stack::{Parts, Stack};
use sim::watchlist::Watchlist;
use tokio::task::JoinHandle;

use self::found::Found;
use self::killed::Killed;
use self::verdict::Played;
use crate::cli::DemoArgs;
use crate::{build, firestore, progress, setup, system};

/// Turns off the runs that the service makes by itself.
const ITSELF: [(&str, &str); 2] = [("heal_sessions", "0"), ("refetch_history_sessions", "0")];

/// Sets up, builds and starts everything, runs every job, reads back the results and compares them.
pub async fn run(args: &DemoArgs) -> Result<()> {
    let start = Instant::now();
    if args.active > args.symbols {
        bail!("--active {} is more than --symbols {}", args.active, args.symbols);
    }
    let kind = firestore::kind(args.firestore);
    setup::target()?;
    if kind == Kind::Emulator {
        setup::emulator()?;
    }
    let program = args.runtime.program()?;
    build::all(args.runtime)?;

    let watchlist = Watchlist::new(args.symbols as usize, args.active as usize);
    // Every job once: what the service makes up for by itself would add to the counts.
    let builder = system::builder(args.runtime, program).variables(ITSELF);
    let run_time = tick_time(SystemTime::now().into());
    let plans = plan::plan(&watchlist, &Spec::default(), run_time)?;
    let (stack, killed) = start_all(kind, &watchlist, &builder, run_time).await?;
    progress::step("simulating Cloud Scheduler: every job once; beside them, a run whose process is killed");
    let replies = play::all(&stack, &plans, run_time).await?;

    progress::step("reading back the contents of Firestore");
    let expected = plan::all_documents(&plans);
    let found = Found::read(&stack.db, expected.keys().copied()).await?;
    let played: Vec<_> = plans.iter().zip(&replies).map(|(plan, reply)| Played { plan, reply }).collect();
    println!("{}\n", verdict::jobs_table(&played, &found));
    println!("{}\n", verdict::collections_table(&expected, &found, kind));
    progress::step("waiting for the run whose process was killed: it is taken over when the lease ends");
    let killed = killed.await??;
    let mut problems = verdict::problems(&played, &plans, &found);
    problems.extend(killed.problems());
    if !problems.is_empty() {
        eprintln!("the component's last log lines:\n{}", stack.orchestrator.log().tail());
        bail!("the results are not as expected:\n  {}", problems.join("\n  "));
    }
    println!(
        "All counts match exactly (Firestore: {}). Took {:.1} s.\n{WHERE_NEXT}\n\n{}",
        kind.name(),
        start.elapsed().as_secs_f64(),
        killed.line()
    );
    Ok(())
}

/// When the ticks are due: now, or, while a job would skip it because the market is closed, in the latest session.
fn tick_time(now: DateTime<Utc>) -> DateTime<Utc> {
    let ticks = Ticks { skip: true, ..Ticks::default() };
    let now = now.trunc_subsecs(0);
    if catalogue::jobs().all(|job| ticks.skipped(job, now).is_none()) {
        return now;
    }
    let closed = ticks.calendar.latest_closed_by(now, TimeDelta::zero());
    closed.map_or(now, |session| session.close)
}

const WHERE_NEXT: &str = "
Where to look next:
  cargo xtask up            keeps the same system running and prints its addresses
  cargo xtask trigger JOB   runs one of its jobs and says what became of it
  cargo xtask test          runs every test
  README.md                 jobs, first settings, deployment, all documents
  ARCHITECTURE.md           how a scheduled job runs through the code";

/// Starts the system, and in a project of its own the run that is killed.
async fn start_all(
    kind: Kind,
    watchlist: &Watchlist,
    builder: &Builder,
    run_time: DateTime<Utc>,
) -> Result<(Stack, JoinHandle<Result<Killed>>)> {
    progress::step(&format!(
        "starting Firestore ({}), the simulated providers and the component; {} symbols in the watchlist",
        kind.name(),
        watchlist.tickers(sim::watchlist::Scope::EntireWatchlist).len()
    ));
    let spinner = progress::spinner("starting");
    let firestore = Arc::new(firestore::start(kind, None).await?);
    // First: the dead process's lease passes while the jobs are running.
    let killed = killed::start(Arc::clone(&firestore), builder, run_time).await?;
    let (watchlist, pace) = (Some(watchlist.clone()), Some(Pace::Unlimited));
    let parts = Parts { firestore: Some(firestore), watchlist, pace, ..Parts::default() };
    let stack = Stack::start(parts, builder.clone()).await?;
    spinner.finish_and_clear();
    Ok((stack, killed))
}
