//! The component's log.

use std::collections::BTreeSet;

use e2e::system::{by_hand, expect, get, post, send, start, tick};
use serde_json::{Value, json};
use sim::providers::Fault;
use sim::scheduler::JOBS;
use sim::watchlist::Watchlist;

fn parsed(lines: &[String]) -> Vec<Value> {
    lines
        .iter()
        .map(|line| match serde_json::from_str(line) {
            Ok(Value::Object(fields)) => Value::Object(fields),
            other => panic!("{other:?} is not a JSON object: {line}"),
        })
        .collect()
}

#[tokio::test]
async fn every_line_is_one_json_object_with_severity_time_and_message() {
    let stack = start(Watchlist::new(20, 5), &[]).await;
    stack.providers.polygon().fault(Fault::garbage());
    stack.providers.tiingo().fault(Fault::status(500).detail("two\nlines and \"quotes\"").times(1));
    expect(&stack.orchestrator, &tick("tiingo-daily-prices"), 200).await;
    expect(&stack.orchestrator, &tick("polygon-news-portfolio"), 503).await;
    send(&stack.orchestrator, &tick("finnhub-quote-portfolio").body("{")).await;
    let lines = parsed(&stack.orchestrator.component_lines());
    for line in &lines {
        let severity = line["severity"].as_str().expect("a severity");
        assert!(["DEBUG", "INFO", "WARNING", "ERROR"].contains(&severity), "{line}");
        assert!(line["message"].is_string(), "{line}");
        let time = line["time"].as_str().expect("a time");
        assert!(chrono::DateTime::parse_from_rfc3339(time).is_ok(), "{line}");
    }
    let ended: Vec<_> = lines.iter().filter(|line| line["message"] == "run ended").collect();
    let statuses: Vec<_> = ended.iter().map(|line| &line["run.status"]).collect();
    assert_eq!(statuses, ["succeeded", "failed"]);
    assert_eq!(ended[0]["job.name"], "tiingo-daily-prices");
    assert_eq!(ended[0]["records.stored"], 28 * 5);
}

#[tokio::test]
async fn every_line_of_a_request_names_it_and_every_line_of_a_run_names_job_and_run() {
    let stack = start(Watchlist::new(8, 4), &[("breaker_min_calls", "3")]).await;
    stack.providers.tiingo().fault(Fault::reset().times(1));
    stack.providers.alphavantage().fault(Fault::garbage().times(1));
    stack.providers.finnhub().fault(Fault::ticker_errors(["AAPL"]).times(2));
    for job in JOBS {
        expect(&stack.orchestrator, &tick(job.name), 200).await;
    }
    stack.providers.polygon().fault(Fault::status(503).detail("two\nlines"));
    expect(&stack.orchestrator, &by_hand("polygon-news-universe"), 503).await;
    post(&stack.orchestrator, "/breakers/polygon/reset").await;
    for path in ["/status", "/runs", "/nowhere"] {
        get(&stack.orchestrator, path).await;
    }

    let lines = parsed(&stack.orchestrator.component_lines());
    let mut messages = BTreeSet::new();
    for line in &lines {
        let message = line["message"].as_str().expect("a message");
        messages.insert(message);
        if message == "instance started" {
            continue;
        }
        assert!(line["request.id"].as_str().is_some_and(|id| !id.is_empty()), "{line}");
        let trace = line["logging.googleapis.com/trace"].as_str().unwrap_or_default();
        assert!(trace.starts_with(&format!("projects/{}/traces/", stack.project)), "{line}");
        assert!(line["logging.googleapis.com/spanId"].is_string(), "{line}");
        // Other requests have no run, and an order may be about something else.
        let url = line["httpRequest"]["requestUrl"].as_str();
        if message == "order received" {
            assert_eq!(
                (&line["order.what"], &line["order.subject"]),
                (&json!("reset_breaker"), &json!("polygon"))
            );
        } else if url.is_none_or(|url| JOBS.iter().any(|job| job.route == url)) {
            assert!(line["run.id"].is_string() && line["job.name"].is_string(), "{line}");
        }
    }
    for message in ["provider call", "run ended", "request completed", "circuit breaker opened"] {
        assert!(messages.contains(message), "no `{message}` among {messages:?}");
    }
    let jobs: BTreeSet<_> = lines.iter().filter_map(|line| line["job.name"].as_str()).collect();
    assert_eq!(jobs.len(), JOBS.len());
}

#[tokio::test]
async fn no_line_and_no_response_contains_a_secret() {
    const SECRET: &str = "s3cr3t-token-of-the-test";
    let settings = [("gcp_credentials", "access_token"), ("gcp_access_token", SECRET)];
    let stack = start(Watchlist::new(5, 5), &settings).await;
    let reply = send(&stack.orchestrator, &tick("finnhub-quote-portfolio")).await;
    let health = get(&stack.orchestrator, "/health").await;
    for text in [&reply.body, &health.body] {
        assert!(!text.to_string().contains(SECRET), "{text:#}");
    }
    assert_eq!(stack.orchestrator.log().find(SECRET), None);
    assert!(!stack.orchestrator.log().lines().is_empty());
}
