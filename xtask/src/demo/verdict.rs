//! Compares expected and actual results, and shows both.

use std::collections::BTreeSet;

use comfy_table::{CellAlignment, Table};
use serde_json::Value;
use sim::firestore::Kind;
use sim::scheduler::Reply;

use super::found::Found;
use super::plan::{Documents, JobPlan, all_documents};
use crate::progress;

/// Maximum ids in one problem.
const EXAMPLES_MAX: usize = 3;

/// One job that was run: its expected results and its response.
pub struct Played<'a> {
    pub plan: &'a JobPlan,
    pub reply: &'a Reply,
}

impl Played<'_> {
    fn data(&self, field: &str) -> Option<u64> {
        self.reply.body["data"][field].as_u64()
    }

    /// Records that are stored now: another job may have stored some of them before.
    fn records(&self) -> Option<u64> {
        Some(self.data("records_stored")? + self.data("records_unchanged").unwrap_or_default())
    }

    fn run_id(&self) -> &str {
        self.reply.body.pointer("/data/run_id").and_then(Value::as_str).unwrap_or_default()
    }

    fn raw_logs(&self, found: &Found) -> usize {
        found.raw_logs.get(self.run_id()).copied().unwrap_or_default()
    }

    fn problems(&self, found: &Found) -> Vec<String> {
        let Self { plan, reply } = self;
        let mut problems = Vec::new();
        if reply.status != 200 || reply.body["status"] != "ok" {
            problems.push(format!("answered {} {}", reply.status, reply.body));
        }
        let run = found.runs.get(self.run_id()).map(String::as_str);
        if run != Some("succeeded") {
            problems.push(format!("the ledger has {}", run.unwrap_or("no run")));
        }
        let as_u64 = |number: usize| u64::try_from(number).ok();
        let figures = [
            ("tickers processed", as_u64(plan.tickers), self.data("tickers_processed")),
            ("records stored or unchanged", as_u64(plan.records()), self.records()),
            ("raw logs reported", as_u64(plan.calls), self.data("raw_logs")),
            ("raw logs in Firestore", as_u64(plan.calls), as_u64(self.raw_logs(found))),
        ];
        for (what, expected, actual) in figures {
            if expected != actual {
                let show =
                    |number: Option<u64>| number.map_or("none".to_owned(), |number| number.to_string());
                problems.push(format!("{what}: expected {}, found {}", show(expected), show(actual)));
            }
        }
        problems.into_iter().map(|problem| format!("{}: {problem}", plan.job.name)).collect()
    }
}

/// Every difference from the expected results.
pub fn problems(played: &[Played], plans: &[JobPlan], found: &Found) -> Vec<String> {
    let mut problems: Vec<_> = played.iter().flat_map(|played| played.problems(found)).collect();
    for (collection, expected) in &all_documents(plans) {
        let actual = found.documents.get(collection).cloned().unwrap_or_default();
        for (what, ids) in [("missing", expected - &actual), ("unexpected", &actual - expected)] {
            if !ids.is_empty() {
                problems.push(format!("{collection}: {} {what}, such as {}", ids.len(), examples(&ids)));
            }
        }
    }
    if found.rejected > 0 {
        problems.push(format!("rejected_records: {} records were rejected", found.rejected));
    }
    problems
}

/// One row per job; documents and raw logs are those read back.
pub fn jobs_table(played: &[Played], found: &Found) -> Table {
    let mut table = progress::table(["job", "status", "tickers", "records", "raw logs", "duration"]);
    for played in played {
        let Played { plan, reply } = played;
        let status = reply.body["status"].as_str().unwrap_or("none");
        let tickers = played.data("tickers_processed").and_then(|number| usize::try_from(number).ok());
        table.add_row([
            plan.job.name.to_owned(),
            format!("{} {status}", reply.status),
            of(tickers.unwrap_or_default(), plan.tickers),
            of(found.count_of(&plan.documents), plan.records()),
            of(played.raw_logs(found), plan.calls),
            format!("{:.2} s", reply.duration.as_secs_f64()),
        ]);
    }
    align_right(&mut table, 2);
    table
}

/// One row per collection.
pub fn collections_table(expected: &Documents, found: &Found, kind: Kind) -> Table {
    let documents = format!("documents, Firestore: {}", kind.name());
    let mut table = progress::table(["collection", documents.as_str()]);
    for (collection, ids) in expected {
        let actual = found.documents.get(collection).map_or(0, BTreeSet::len);
        table.add_row([(*collection).to_owned(), of(actual, ids.len())]);
    }
    align_right(&mut table, 1);
    table
}

fn of(actual: usize, expected: usize) -> String {
    if actual == expected { actual.to_string() } else { format!("{actual} of {expected}") }
}

fn align_right(table: &mut Table, from: usize) {
    for column in table.column_iter_mut().skip(from) {
        column.set_cell_alignment(CellAlignment::Right);
    }
}

fn examples(ids: &BTreeSet<String>) -> String {
    ids.iter().take(EXAMPLES_MAX).map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use serde_json::json;
    use sim::scheduler::Job;

    use super::*;

    fn documents(ids: &[&str]) -> Documents {
        BTreeMap::from([("prices_daily", ids.iter().map(|id| (*id).to_owned()).collect())])
    }

    fn plan() -> JobPlan {
        let job = Job::find("tiingo-daily-prices").expect("known");
        JobPlan { job, tickers: 2, calls: 1, documents: documents(&["A_1", "B_1"]) }
    }

    fn reply() -> Reply {
        let data = json!({"run_id": "r", "tickers_processed": 2, "records_stored": 2, "raw_logs": 1});
        Reply {
            status: 200,
            headers: BTreeMap::new(),
            body: json!({"status": "ok", "data": data}),
            duration: Duration::from_millis(5),
        }
    }

    fn found() -> Found {
        Found {
            documents: documents(&["A_1", "B_1"]),
            raw_logs: BTreeMap::from([("r".to_owned(), 1)]),
            runs: BTreeMap::from([("r".to_owned(), "succeeded".to_owned())]),
            rejected: 0,
        }
    }

    fn check(reply: &Reply, found: &Found, expected: &[&str]) {
        let plans = [plan()];
        let played = [Played { plan: &plans[0], reply }];
        assert_eq!(problems(&played, &plans, found), expected);
    }

    #[test]
    fn exact_results_give_no_problems() {
        check(&reply(), &found(), &[]);
    }

    #[test]
    fn a_missing_or_unexpected_document_is_reported() {
        check(
            &reply(),
            &Found { documents: documents(&["A_1", "C_1"]), ..found() },
            &["prices_daily: 1 missing, such as B_1", "prices_daily: 1 unexpected, such as C_1"],
        );
    }

    #[test]
    fn a_response_with_a_lower_count_is_reported() {
        let mut reply = reply();
        reply.body["data"]["records_stored"] = json!(1);
        reply.body["data"]["records_unchanged"] = json!(1);
        check(&reply, &found(), &[]);
        reply.body["data"]["records_unchanged"] = json!(0);
        check(&reply, &found(), &["tiingo-daily-prices: records stored or unchanged: expected 2, found 1"]);
    }

    #[test]
    fn missing_raw_logs_or_runs_and_rejected_records_are_reported() {
        check(
            &reply(),
            &Found { documents: documents(&["A_1", "B_1"]), rejected: 1, ..Found::default() },
            &[
                "tiingo-daily-prices: the ledger has no run",
                "tiingo-daily-prices: raw logs in Firestore: expected 1, found 0",
                "rejected_records: 1 records were rejected",
            ],
        );
    }
}
