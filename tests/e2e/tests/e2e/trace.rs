//! Trace propagation, and the headers of every response.

use std::collections::BTreeMap;

use e2e::stored::{RUNS, list};
use e2e::system::{PATIENCE, expect, get, start, tick};
use reqwest::{Client, Method, Response};
use serde_json::Value;
use sim::orchestrator::Orchestrator;
use sim::watchlist::Watchlist;

const TRACE_ID: &str = "0af7651916cd43dd8448eb211c80319c";
const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

async fn ask(to: &Orchestrator, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
    let client = Client::builder().no_proxy().build().expect("a client");
    let mut request = client.request(method, format!("{}{path}", to.url())).timeout(PATIENCE);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("an answer")
}

fn text<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().expect("ASCII"))
}

#[tokio::test]
async fn a_trace_is_propagated_from_the_scheduler_to_the_provider_and_back() {
    let stack = start(Watchlist::new(8, 5), &[]).await;
    let headers = [("traceparent", TRACEPARENT), ("x-request-id", "req-7")];
    let answer = ask(&stack.orchestrator, Method::POST, "/finnhub/quote-portfolio", &headers).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(text(&answer, "x-request-id"), "req-7");
    let own = text(&answer, "traceparent").to_owned();
    assert!(own.starts_with(&format!("00-{TRACE_ID}-")) && own != TRACEPARENT, "{own}");
    let report: Value = answer.json().await.expect("JSON");
    assert_eq!(report["data"]["trace_id"], TRACE_ID);

    let calls = stack.providers.finnhub().journal().calls();
    let spans: Vec<_> = calls.iter().map(|call| call.headers["traceparent"].clone()).collect();
    assert!(
        !spans.is_empty() && spans.iter().all(|span| span.starts_with(&format!("00-{TRACE_ID}-"))),
        "{spans:?}"
    );
    assert!(!spans.contains(&own), "each call has its own span: {spans:?}");
    assert_eq!(list(&stack.db, RUNS).await[0].fields["trace_id"], TRACE_ID);

    let lines = stack.orchestrator.log().lines();
    let of_trace =
        format!("\"logging.googleapis.com/trace\":\"projects/{}/traces/{TRACE_ID}\"", stack.project);
    let run_id = report["data"]["run_id"].as_str().expect("a run id");
    for message in ["provider call", "run ended", "request completed"] {
        let line = lines.iter().find(|line| line.contains(message)).unwrap_or_else(|| panic!("no {message}"));
        assert!(line.contains(&of_trace) && line.contains(run_id) && line.contains("req-7"), "{line}");
    }
}

#[tokio::test]
async fn a_request_without_a_trace_gets_one_and_cloud_runs_header_is_accepted() {
    let stack = start(Watchlist::new(1, 1), &[]).await;
    let answer = ask(&stack.orchestrator, Method::GET, "/jobs", &[]).await;
    let (new, id) = (text(&answer, "traceparent"), text(&answer, "x-request-id"));
    assert!(new.len() == 55 && id.len() == 36, "{new} {id}");
    let headers = [("x-cloud-trace-context", "105445aa7843bc8bf206b12000100000/1;o=1")];
    let answer = ask(&stack.orchestrator, Method::GET, "/jobs", &headers).await;
    assert!(text(&answer, "traceparent").starts_with("00-105445aa7843bc8bf206b12000100000-"));
    let answer = ask(&stack.orchestrator, Method::GET, "/jobs", &[("x-request-id", "two words")]).await;
    assert_ne!(text(&answer, "x-request-id"), "two words");
}

#[tokio::test]
async fn the_boundary_line_is_cloud_loggings_http_request() {
    let stack = start(Watchlist::new(3, 3), &[]).await;
    expect(&stack.orchestrator, &tick("finnhub-quote-portfolio"), 200).await;
    let line = stack.orchestrator.log().wait_for("request completed", PATIENCE).await.expect("a line");
    let line: Value = serde_json::from_str(&line).expect("JSON");
    let request = line["httpRequest"].as_object().expect("an object");
    assert_eq!((&request["requestMethod"], &request["status"]), (&"POST".into(), &200.into()));
    assert_eq!(request["requestUrl"], "/finnhub/quote-portfolio");
    assert_eq!(request["userAgent"], "Google-Cloud-Scheduler");
    assert!(request["latency"].as_str().is_some_and(|latency| latency.ends_with('s')), "{request:?}");
    assert!(line["logging.googleapis.com/labels"]["instance"].is_string(), "{line}");
}

#[tokio::test]
async fn the_runs_log_line_and_entry_have_the_resources_it_used() {
    let stack = start(Watchlist::new(20, 5), &[]).await;
    let reply = expect(&stack.orchestrator, &tick("tiingo-daily-prices"), 200).await;
    let used = &reply.body["data"]["resources"];
    let number =
        |pointer: &str| used.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("{used:#}"));
    assert!(number("/bytes_in") > 5_000 && number("/bytes_out") > 5_000, "{used:#}");
    assert!(number("/memory_bytes") > 1 << 20, "{used:#}");
    let steps = ["claim", "plan", "execute"].map(|step| number(&format!("/steps_ms/{step}")));
    let duration = reply.body["data"]["duration_ms"].as_u64().expect("a number");
    assert!(steps.iter().sum::<u64>() <= duration + 3, "{steps:?} of {duration}");
    let line = stack.orchestrator.log().wait_for("run ended", PATIENCE).await.expect("a line");
    for field in ["steps_ms.claim", "steps_ms.close", "waits_ms.retry", "bytes_in", "memory_bytes"] {
        assert!(line.contains(field), "{field}: {line}");
    }
}

#[tokio::test]
async fn every_response_has_security_headers() {
    let stack = start(Watchlist::new(1, 1), &[]).await;
    for path in ["/", "/assets/dashboard.js", "/health", "/status", "/nowhere", "/runs?limit=0"] {
        let headers = get(&stack.orchestrator, path).await.headers;
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(headers.get(name).map(String::as_str), Some(value), "{path}: {name}");
        }
        let policy = policy(&headers);
        assert_eq!(policy.get("default-src"), Some(&"'none'"), "{path}");
        assert_eq!(policy.get("frame-ancestors"), Some(&"'none'"), "{path}");
        assert!(!headers["content-security-policy"].contains("unsafe"), "{path}");
    }
}

fn policy(headers: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    headers["content-security-policy"].split(';').filter_map(|rule| rule.trim().split_once(' ')).collect()
}

#[tokio::test]
async fn only_pages_of_configured_origins_may_call() {
    let settings = [("cors_allow_origins", "https://ops.example, http://localhost:5173")];
    let stack = start(Watchlist::new(1, 1), &settings).await;
    let preflight = |origin: &'static str| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "POST"),
            ("access-control-request-headers", "authorization,content-type"),
        ];
        let orchestrator = &stack.orchestrator;
        async move { ask(orchestrator, Method::OPTIONS, "/manual/trigger-job", &headers).await }
    };
    for origin in ["https://ops.example", "http://localhost:5173"] {
        let answer = preflight(origin).await;
        assert_eq!((answer.status().as_u16(), text(&answer, "access-control-allow-origin")), (200, origin));
        assert!(text(&answer, "access-control-allow-headers").contains("authorization"));
        let answer = ask(&stack.orchestrator, Method::GET, "/jobs", &[("origin", origin)]).await;
        assert_eq!(text(&answer, "access-control-allow-origin"), origin);
        assert!(text(&answer, "access-control-expose-headers").contains("retry-after"));
    }
    for origin in ["https://evil.example", "null", "https://ops.example.evil.example"] {
        assert_eq!(text(&preflight(origin).await, "access-control-allow-origin"), "", "{origin}");
    }
    let closed = start(Watchlist::new(1, 1), &[]).await;
    let answer = ask(&closed.orchestrator, Method::GET, "/jobs", &[("origin", "https://ops.example")]).await;
    assert_eq!(text(&answer, "access-control-allow-origin"), "");
}
