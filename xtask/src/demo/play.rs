//! Simulates Cloud Scheduler, with a progress bar for the provider calls.

use std::time::{Duration, SystemTime};

use anyhow::{Result, ensure};
use chrono::{DateTime, SecondsFormat, Utc};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use sim::scheduler::{Reply, Tick, WATCH_INTERVAL};
use sim::stack::Stack;

use super::plan::JobPlan;
use crate::progress;

/// Interval at which the providers' journals are polled.
const BAR_INTERVAL: Duration = Duration::from_millis(50);

/// Posts the tick of each job, one after the other, and returns the responses in that order. The watch is called every
/// minute meanwhile, and once more at the end.
pub async fn all(stack: &Stack, plans: &[JobPlan], run_time: DateTime<Utc>) -> Result<Vec<Reply>> {
    let (jobs, watches) = (jobs(stack, plans, run_time), watches(stack));
    tokio::pin!(jobs, watches);
    let replies = tokio::select! {
        replies = &mut jobs => replies?,
        failed = &mut watches => return Err(failed),
    };
    watch(stack).await?;
    Ok(replies)
}

/// Calls the watch every minute; ends only with an error.
async fn watches(stack: &Stack) -> anyhow::Error {
    let mut ticks = tokio::time::interval(WATCH_INTERVAL);
    loop {
        ticks.tick().await;
        if let Err(error) = watch(stack).await {
            return error;
        }
    }
}

async fn watch(stack: &Stack) -> Result<()> {
    let reply = Tick::of_watch(SystemTime::now().into()).send(stack.orchestrator.url()).await?;
    ensure!(reply.is_success(), "the watch answers {}: {}", reply.status, reply.body);
    Ok(())
}

async fn jobs(stack: &Stack, plans: &[JobPlan], run_time: DateTime<Utc>) -> Result<Vec<Reply>> {
    let mut replies = Vec::new();
    for (number, plan) in plans.iter().enumerate() {
        let bar = bar(number + 1, plans.len(), plan);
        let reply = one(stack, plan, run_time, &bar).await?;
        if bar.is_hidden() {
            progress::note(&format!(
                "{}: {} in {:.1} s",
                plan.job.name,
                reply.status,
                reply.duration.as_secs_f64()
            ));
        }
        bar.finish();
        replies.push(reply);
    }
    Ok(replies)
}

async fn one(stack: &Stack, plan: &JobPlan, run_time: DateTime<Utc>, bar: &ProgressBar) -> Result<Reply> {
    let time = run_time.to_rfc3339_opts(SecondsFormat::Secs, true);
    let tick = Tick::new(plan.job, run_time).field("run_time", json!(time));
    let before = calls(stack);
    let mut looks = tokio::time::interval(BAR_INTERVAL);
    let sending = tick.send(stack.orchestrator.url());
    tokio::pin!(sending);
    loop {
        tokio::select! {
            reply = &mut sending => {
                bar.set_position(calls(stack) - before);
                return reply;
            }
            _ = looks.tick() => bar.set_position(calls(stack) - before),
        }
    }
}

/// Calls that the providers have received.
fn calls(stack: &Stack) -> u64 {
    stack.providers.all().iter().map(|provider| provider.journal().count() as u64).sum()
}

fn bar(number: usize, of: usize, plan: &JobPlan) -> ProgressBar {
    let template = "    {msg:42} {bar:30} {pos:>4}/{len} calls {elapsed:>4}";
    let style = ProgressStyle::with_template(template).expect("the template is valid");
    let bar = ProgressBar::new(plan.calls as u64).with_style(style);
    bar.set_message(format!("{number:>2}/{of} {}", plan.job.name));
    bar
}
