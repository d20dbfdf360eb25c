//! What an operator sees: status, alerts, metrics.

use e2e::runtime::builder;
use e2e::system::{another, expect, get, post, start, start_with, tick};
use serde_json::{Value, json};
use sim::firestore::Firestore;
use sim::firestore::proxy::{self, Proxy};
use sim::orchestrator::Orchestrator;
use sim::providers::Fault;
use sim::stack::Parts;
use sim::watchlist::Watchlist;

/// The status without cached values: the first request to a new instance loads everything.
async fn status_of(orchestrator: &Orchestrator) -> Value {
    let reply = get(orchestrator, "/status").await;
    assert_eq!(reply.status, 200);
    reply.body
}

fn row<'a>(list: &'a Value, field: &str, name: &str) -> &'a Value {
    let rows = list.as_array().expect("a list");
    rows.iter().find(|row| row[field] == name).unwrap_or_else(|| panic!("no {name} in {list:#}"))
}

/// The value of a sample, by its whole name with labels.
fn sample(metrics: &str, name: &str) -> Option<f64> {
    metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

async fn metrics_of(orchestrator: &Orchestrator) -> String {
    let reply = get(orchestrator, "/metrics").await;
    assert_eq!(
        (reply.status, reply.headers["content-type"].as_str()),
        (200, "text/plain; version=0.0.4; charset=utf-8")
    );
    reply.body.as_str().expect("a string").to_owned()
}

#[tokio::test]
async fn status_sums_up_the_runs_and_shows_the_services_health() {
    let stack = start(Watchlist::new(20, 5), &[]).await;
    stack.providers.alphavantage().fault(Fault::status(503));
    expect(&stack.orchestrator, &tick("tiingo-daily-prices"), 200).await;
    expect(&stack.orchestrator, &tick("finnhub-quote-portfolio"), 200).await;
    expect(&stack.orchestrator, &tick("alpha-vantage-technical-indicators"), 503).await;

    let status = status_of(&stack.orchestrator).await;
    let all = &status["statistics"];
    assert_eq!(
        (&all["jobs_processed"], &all["jobs_successful"], &all["jobs_failed"]),
        (&json!(3), &json!(2), &json!(1))
    );
    assert!(all["last_job_time"].is_string());
    let tiingo = row(&status["jobs"], "job", "tiingo-daily-prices");
    assert_eq!(tiingo["success_percent"], 100.0);
    let run = &tiingo["recent_runs"][0];
    assert_eq!((&run["run_status"], &run["tickers_requested"]), (&json!("succeeded"), &json!(28)));
    let failed = row(&status["jobs"], "job", "alpha-vantage-technical-indicators");
    assert_eq!(
        (&failed["recent_runs"][0]["run_status"], &failed["success_percent"]),
        (&json!("failed"), &json!(0.0))
    );
    assert!(failed["recent_runs"][0]["stopped"].is_string(), "{failed:#}");

    assert_eq!(status["firestore"]["reachable"], true);
    for (provider, healthy) in
        [("tiingo", json!(true)), ("finnhub", json!(true)), ("alphavantage", json!(false))]
    {
        let service = row(&status["services"], "provider", provider);
        assert_eq!((&service["healthy"], &service["source"]), (&healthy, &json!("calls")), "{service:#}");
    }
    let service = row(&status["services"], "provider", "polygon");
    assert_eq!(
        (&service["healthy"], &service["checked_at"]),
        (&Value::Null, &Value::Null),
        "it has not been called"
    );
    let service = row(&status["services"], "provider", "alphavantage");
    assert!(service["error"].as_str().is_some_and(|error| error.contains("503")), "{service:#}");
    assert_eq!(service["connections"]["last_success_time"], Value::Null);
    assert!(
        service["connections"]["failures_in_row"].as_u64().is_some_and(|failures| failures > 0),
        "{service:#}"
    );
    let alert = row(&status["alerts"], "alert", "ProviderUnhealthy");
    assert_eq!((&alert["provider"], &alert["severity"]), (&json!("alphavantage"), &json!("warning")));
}

#[tokio::test]
async fn an_open_breaker_raises_an_alert_until_it_is_reset() {
    let settings = [("breaker_min_calls", "2"), ("breaker_window", "2")];
    let stack = start(Watchlist::new(8, 5), &settings).await;
    stack.providers.polygon().fault(Fault::status(500));
    expect(&stack.orchestrator, &tick("polygon-news-portfolio"), 503).await;
    let status = status_of(&stack.orchestrator).await;
    let service = row(&status["services"], "provider", "polygon");
    assert_eq!(service["breaker"]["position"], "open");
    let alert = row(&status["alerts"], "alert", "BreakerOpen");
    assert!(alert["message"].as_str().is_some_and(|message| message.contains("500")), "{alert:#}");
    assert_eq!(
        (alert["runbook"].as_str(), alert["since"].is_string()),
        (Some("docs/operations.md#breakeropen"), true)
    );
    let metrics = metrics_of(&stack.orchestrator).await;
    let position = |position| {
        sample(
            &metrics,
            &format!("orchestrator_breaker_position{{provider=\"polygon\",position=\"{position}\"}}"),
        )
    };
    assert_eq!((position("open"), position("closed")), (Some(1.0), Some(0.0)));
    let opened = "orchestrator_breaker_transitions_total{provider=\"polygon\",position=\"open\"}";
    assert_eq!(sample(&metrics, opened), Some(1.0));

    stack.providers.polygon().clear();
    post(&stack.orchestrator, "/breakers/polygon/reset").await;
    let fresh = another(&stack, &settings).await;
    let status = status_of(&fresh).await;
    assert_eq!(row(&status["services"], "provider", "polygon")["breaker"]["position"], "closed");
    assert!(!status["alerts"].to_string().contains("BreakerOpen"));
}

#[tokio::test]
async fn metrics_are_true_across_instances_and_resumed_runs() {
    // No breaker: the second instance must continue at once.
    let settings = [("breaker_window", "1000"), ("breaker_min_calls", "1000")];
    let stack = start(Watchlist::new(20, 5), &settings).await;
    stack.providers.tiingo().fault(Fault::status(503));
    expect(&stack.orchestrator, &tick("tiingo-daily-prices"), 503).await;
    stack.orchestrator.kill();
    stack.providers.tiingo().clear();
    let calls_failed = u32::try_from(stack.providers.tiingo().journal().count()).expect("a few");
    let second = another(&stack, &settings).await;
    let report = expect(&second, &tick("tiingo-daily-prices"), 200).await.body;
    expect(&second, &tick("finnhub-quote-portfolio"), 200).await;

    let third = another(&stack, &[]).await;
    let metrics = metrics_of(&third).await;
    let of = |name: &str, more: &str| {
        sample(
            &metrics,
            &format!("orchestrator_{name}{{job_name=\"tiingo-daily-prices\",provider=\"tiingo\"{more}}}"),
        )
    };
    assert_eq!(of("run_attempts_total", ",status=\"failed\""), Some(1.0));
    assert_eq!(of("run_attempts_total", ",status=\"succeeded\""), Some(1.0));
    assert_eq!(of("run_attempt_duration_seconds_count", ""), Some(2.0));
    assert_eq!(
        of("records_stored_total", ",collection=\"prices_daily\""),
        report["data"]["records_stored"].as_f64()
    );
    let calls = [",class=\"ok\"", ",class=\"unavailable\""].map(|class| of("provider_calls_total", class));
    let [Some(ok), Some(failed)] = calls else { panic!("{metrics}") };
    assert_eq!((failed, Some(ok + failed)), (f64::from(calls_failed), report["data"]["calls"].as_f64()));
    assert_eq!(of("provider_call_duration_seconds_count", ""), report["data"]["calls"].as_f64());
    assert!(
        of("job_seconds_since_last_success", "").is_some_and(|age| (0.0..600.0).contains(&age)),
        "{metrics}"
    );
    assert_eq!(of("alert_run_seconds", ""), Some(600.0));
    // Raw logs count as written too.
    let written = report["data"]["records_stored"].as_f64().zip(report["data"]["raw_logs"].as_f64());
    assert_eq!(of("firestore_writes_total", ""), written.map(|(records, logs)| records + logs));
    let status = status_of(&third).await;
    let job = row(&status["jobs"], "job", "tiingo-daily-prices");
    assert_eq!(
        (&job["statistics"]["jobs_processed"], &job["statistics"]["jobs_failed"]),
        (&json!(1), &json!(0))
    );
}

#[tokio::test]
async fn without_firestore_status_reports_it_quickly_and_a_scrape_fails() {
    let firestore = Firestore::shared().await.expect("Firestore");
    let proxy = Proxy::start(&firestore.host()).await.expect("the proxy");
    let parts =
        Parts { firestore: Some(firestore), watchlist: Some(Watchlist::new(3, 3)), ..Parts::default() };
    let stack = start_with(parts, builder().variable("firestore_emulator_host", proxy.host())).await;
    proxy.fault(proxy::Fault::status(503));
    let status = status_of(&stack.orchestrator).await;
    assert_eq!((&status["status"], &status["firestore"]["reachable"]), (&json!("unhealthy"), &json!(false)));
    assert_eq!(status["alerts"][0]["alert"], "FirestoreUnreachable");
    assert_eq!(status["services"].as_array().map(Vec::len), Some(4));
    assert_eq!(get(&stack.orchestrator, "/metrics").await.status, 503);
}
