//! A run whose process is killed in the middle and that another process completes, with the count of what was done twice.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use sim::data::Spec;
use sim::firestore::Firestore;
use sim::orchestrator::{Builder, Orchestrator};
use sim::providers::{Call, Fault, Outcome, Pace};
use sim::scheduler::{Job, Reply, Tick};
use sim::stack::{Parts, Stack};
use sim::watchlist::Watchlist;
use tokio::task::JoinHandle;

use super::found::{Found, RUNS};
use super::plan::{self, JobPlan};
use super::verdict::{self, Played};

const JOB: &str = "tiingo-daily-prices";

/// Symbols besides the indices. They make eleven calls, whatever the size of the demo's own watchlist.
const SYMBOLS: usize = 500;

/// Calls that the provider answers before it falls silent, so that the process dies in the middle on any machine.
const ANSWERED: usize = 6;

/// The shortest lease that can be set: nobody may take over the run of a dead process before it ends.
const LEASE: (&str, &str) = ("lease_seconds", "5");

/// Between two looks at the ledger, and between two attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// Only a broken system takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// What became of the run.
pub struct Killed {
    plan: JobPlan,
    /// Each call's tickers.
    answered: Vec<Vec<String>>,
    /// Calls that were under way when the process died.
    unanswered: Vec<Vec<String>>,
    /// Calls of the process that completed the run.
    later: Vec<Vec<String>>,
    reply: Reply,
    found: Found,
}

/// Starts a system with a project of its own, and in the background [`play`].
pub async fn start(
    firestore: Arc<Firestore>,
    builder: &Builder,
    run_time: DateTime<Utc>,
) -> Result<JoinHandle<Result<Killed>>> {
    let (watchlist, pace) = (Some(Watchlist::new(SYMBOLS, 0)), Some(Pace::Unlimited));
    let parts = Parts { firestore: Some(firestore), watchlist, pace, ..Parts::default() };
    let builder = builder.clone().variable(LEASE.0, LEASE.1);
    let stack = Stack::start(parts, builder.clone()).await?;
    Ok(tokio::spawn(play(stack, builder, run_time)))
}

/// Kills the process in the middle of a run, starts another one and repeats the tick until it succeeds.
async fn play(stack: Stack, builder: Builder, run_time: DateTime<Utc>) -> Result<Killed> {
    let job = Job::find(JOB).with_context(|| format!("no job {JOB}"))?;
    let plan = plan::plan_job(job, &stack.watchlist, &Spec::default(), run_time)?;
    let time = run_time.to_rfc3339_opts(SecondsFormat::Secs, true);
    let tick = Tick::new(job, run_time).field("run_time", json!(time));

    let earlier = until_killed(&stack, &tick).await?;
    let second = builder.default_variables(stack.variables()).start().await?;
    let reply = until_done(&second, &tick).await?;
    let found = Found::read(&stack.db, plan.documents.keys().copied()).await?;
    let later = stack.providers.tiingo().journal().calls().split_off(earlier.len());
    let (answered, unanswered) = earlier.into_iter().partition(is_answered);
    let tickers = |calls: Vec<Call>| calls.into_iter().map(|call| call.tickers).collect();
    let (answered, unanswered, later) = (tickers(answered), tickers(unanswered), tickers(later));
    Ok(Killed { plan, answered, unanswered, later, reply, found })
}

/// Sends the tick, and kills the process once the ledger has recorded the calls that were answered; returns all calls.
async fn until_killed(stack: &Stack, tick: &Tick) -> Result<Vec<Call>> {
    let tiingo = stack.providers.tiingo();
    tiingo.fault(Fault::hang().after(ANSWERED as u64));
    let sending = tick.send(stack.orchestrator.url());
    tokio::pin!(sending);
    tokio::select! {
        reply = &mut sending => bail!("the run that was to be killed has ended by itself: {:?}", reply?.body),
        recorded = recorded(stack) => recorded?,
    }
    stack.orchestrator.kill();
    let calls = tiingo.journal().calls();
    tiingo.clear();
    Ok(calls)
}

/// Waits until the ledger has recorded every call that the provider answers, and as many more as allowed are under way.
async fn recorded(stack: &Stack) -> Result<()> {
    let start = Instant::now();
    let at_once = plan::default_of("max_concurrency_tiingo")?;
    loop {
        let calls = stack.providers.tiingo().journal().calls();
        let (answered, open): (Vec<_>, Vec<_>) = calls.iter().partition(|call| is_answered(call));
        let tickers: usize = answered.iter().map(|call| call.tickers.len()).sum();
        let runs = stack.db.list_fields(RUNS, &["tickers_processed"]).await?;
        let processed = runs.first().and_then(|run| run.fields["tickers_processed"].as_u64());
        let is_full = answered.len() == ANSWERED && open.len() == at_once;
        if is_full && processed == Some(tickers as u64) {
            return Ok(());
        }
        if start.elapsed() > PATIENCE {
            bail!(
                "the run that was to be killed has recorded {processed:?} of {tickers} tickers; the last log lines:\n{}",
                stack.orchestrator.log().tail()
            );
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Repeats the tick until it succeeds, as Cloud Scheduler does. While the dead process's lease lasts, the answer is 409.
async fn until_done(orchestrator: &Orchestrator, tick: &Tick) -> Result<Reply> {
    let start = Instant::now();
    loop {
        let reply = tick.send(orchestrator.url()).await?;
        if reply.is_success() {
            return Ok(reply);
        }
        if start.elapsed() > PATIENCE {
            bail!("the killed run is not resumed: {} {}", reply.status, reply.body);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn is_answered(call: &Call) -> bool {
    call.outcome == Outcome::Answered(200)
}

impl Killed {
    /// Every difference from an exact result.
    pub fn problems(&self) -> Vec<String> {
        let Self { plan, reply, found, .. } = self;
        let mut problems = verdict::problems(&[Played { plan, reply }], std::slice::from_ref(plan), found);
        let data =
            |field: &str| self.reply.body["data"].get(field).and_then(Value::as_u64).unwrap_or_default();
        let again = self.later.iter().filter(|call| self.answered.contains(call)).count();
        let figures = [
            ("attempts", 2, data("attempt")),
            ("records written twice", 0, data("records_unchanged") + data("records_revised")),
            ("answered calls made again", 0, again as u64),
            ("calls", (plan.calls + self.twice()) as u64, self.calls() as u64),
        ];
        for (what, expected, actual) in figures {
            if expected != actual {
                problems.push(format!("{what}: expected {expected}, found {actual}"));
            }
        }
        problems.into_iter().map(|problem| format!("the run that was killed: {problem}")).collect()
    }

    /// What is special here, in one line.
    pub fn line(&self) -> String {
        let records = thousands(self.found.count_of(&self.plan.documents));
        let twice = match self.twice() {
            0 => "No call was made twice.".to_owned(),
            1 => "Only the call without an answer was made twice.".to_owned(),
            calls => format!("Only the {calls} calls without an answer were made twice."),
        };
        format!(
            "Killed after {} of {} calls and resumed: {records} prices stored, each once. {twice}",
            self.answered.len(),
            self.plan.calls
        )
    }

    /// Calls of both processes.
    fn calls(&self) -> usize {
        self.answered.len() + self.unanswered.len() + self.later.len()
    }

    /// Calls that were under way when the process died, and were made again.
    fn twice(&self) -> usize {
        self.later.iter().filter(|call| self.unanswered.contains(call)).count()
    }
}

/// A number with commas: `2,540`.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn calls(names: &[&str]) -> Vec<Vec<String>> {
        names.iter().map(|name| vec![(*name).to_owned()]).collect()
    }

    /// Three calls: one answered, one under way when the process died, one made later.
    fn killed() -> Killed {
        let job = Job::find(JOB).expect("known");
        let ids = ["A_1", "B_1", "C_1"].map(ToOwned::to_owned).into();
        let documents = BTreeMap::from([("prices_daily", ids)]);
        let found = Found {
            documents: documents.clone(),
            raw_logs: BTreeMap::from([("r".to_owned(), 3)]),
            runs: BTreeMap::from([("r".to_owned(), "succeeded".to_owned())]),
            rejected: 0,
        };
        let data = json!({
            "run_id": "r", "attempt": 2, "tickers_processed": 3, "records_stored": 3, "records_unchanged": 0,
            "raw_logs": 3,
        });
        let body = json!({"status": "ok", "data": data});
        Killed {
            plan: JobPlan { job, tickers: 3, calls: 3, documents },
            answered: calls(&["A"]),
            unanswered: calls(&["B"]),
            later: calls(&["B", "C"]),
            reply: Reply { status: 200, headers: BTreeMap::new(), body, duration: Duration::ZERO },
            found,
        }
    }

    fn check(killed: &Killed, expected: &[&str]) {
        let expected: Vec<_> =
            expected.iter().map(|text| format!("the run that was killed: {text}")).collect();
        assert_eq!(killed.problems(), expected);
    }

    #[test]
    fn the_line_has_the_counts_of_the_run() {
        check(&killed(), &[]);
        let line = killed().line();
        let expected = "Killed after 1 of 3 calls and resumed: 3 prices stored, each once. \
                        Only the call without an answer was made twice.";
        assert_eq!(line, expected);
        let several = Killed { unanswered: calls(&["B", "C"]), ..killed() };
        check(&several, &[]);
        assert!(several.line().ends_with("Only the 2 calls without an answer were made twice."));
        let none = Killed { unanswered: Vec::new(), ..killed() };
        assert!(none.line().ends_with("No call was made twice."));
    }

    #[test]
    fn an_answered_call_that_is_made_again_is_reported() {
        let killed = Killed { later: calls(&["A", "B", "C"]), ..killed() };
        check(&killed, &["answered calls made again: expected 0, found 1", "calls: expected 4, found 5"]);
    }

    #[test]
    fn a_call_that_is_never_made_is_reported() {
        check(&Killed { later: calls(&["B"]), ..killed() }, &["calls: expected 4, found 3"]);
    }

    #[test]
    fn a_missing_price_or_one_written_twice_is_reported() {
        let mut killed = killed();
        killed.found.documents.get_mut("prices_daily").expect("prices").remove("C_1");
        check(&killed, &["prices_daily: 1 missing, such as C_1"]);
        let mut killed = self::killed();
        killed.reply.body["data"]["records_stored"] = json!(2);
        killed.reply.body["data"]["records_unchanged"] = json!(1);
        check(&killed, &["records written twice: expected 0, found 1"]);
    }

    #[test]
    fn a_run_that_was_not_interrupted_is_reported() {
        let mut killed = killed();
        killed.reply.body["data"]["attempt"] = json!(1);
        check(&killed, &["attempts: expected 2, found 1"]);
    }

    #[test]
    fn numbers_have_commas() {
        assert_eq!([0, 999, 2540, 1_000_000].map(thousands), ["0", "999", "2,540", "1,000,000"]);
    }
}
