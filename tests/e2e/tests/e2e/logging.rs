//! What the component writes to its log.

use e2e::system::{expect, send, start, tick};
use serde_json::Value;
use sim::providers::Fault;
use sim::watchlist::Watchlist;

fn parsed(lines: &[String]) -> Vec<Value> {
    lines
        .iter()
        .map(|line| match serde_json::from_str(line) {
            Ok(Value::Object(fields)) => Value::Object(fields),
            other => panic!("{other:?} is no JSON object: {line}"),
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
    let lines = parsed(&stack.orchestrator.log().lines());
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
async fn a_secret_is_in_no_line_and_no_answer() {
    const SECRET: &str = "s3cr3t-token-of-the-test";
    let settings = [("gcp_credentials", "access_token"), ("gcp_access_token", SECRET)];
    let stack = start(Watchlist::new(5, 5), &settings).await;
    let reply = send(&stack.orchestrator, &tick("finnhub-quote-portfolio")).await;
    let health = e2e::system::get(&stack.orchestrator, "/health").await;
    for text in [&reply.body, &health.body] {
        assert!(!text.to_string().contains(SECRET), "{text:#}");
    }
    assert_eq!(stack.orchestrator.log().find(SECRET), None);
    assert!(!stack.orchestrator.log().lines().is_empty());
}
