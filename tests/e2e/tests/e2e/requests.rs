//! What callers may send, and the problems reported for everything else.

use e2e::stored::{RUNS, count};
use e2e::system::{ask, by_hand, expect, get, job, send, start, tick};
use reqwest::Method;
use serde_json::{Value, json};
use sim::endpoint::Service;
use sim::scheduler::{JOBS, Reply};
use sim::watchlist::Watchlist;

const MANUAL: &str = "/manual/trigger-job";
const PRICES: &str = "/tiingo/daily-prices";
const MARKET: &str = "/polygon/news-market";

fn assert_problem(reply: &Reply, status: u16, case: &str) {
    assert_eq!(reply.status, status, "{case}: {:#}", reply.body);
    assert_eq!(reply.headers["content-type"], "application/problem+json", "{case}");
    assert_eq!(reply.body["status"], status, "{case}");
    for member in ["type", "title", "detail"] {
        let text = reply.body[member].as_str();
        assert!(text.is_some_and(|text| !text.is_empty()), "{case}: no {member} in {:#}", reply.body);
    }
}

/// Route, body, status, the field reported (empty: none), a part of the message.
fn mistakes() -> Vec<(&'static str, String, u16, &'static str, &'static str)> {
    let json = |body: Value| body.to_string();
    let tickers = |count: usize| (0..count).map(|number| format!("T{number}")).collect::<Vec<_>>();
    vec![
        (PRICES, "{".into(), 422, "body", "is not valid JSON"),
        (PRICES, "\u{fffd}".into(), 422, "body", "is not valid JSON"),
        (PRICES, "[]".into(), 422, "body", "must be a JSON object"),
        (PRICES, json(json!({"scope": 7})), 422, "scope", "must be a string"),
        (
            PRICES,
            json(json!({"scope": "everything"})),
            422,
            "scope",
            "must be one of entire_watchlist, active",
        ),
        (
            PRICES,
            json(json!({"scope": "indices"})),
            422,
            "scope",
            "tiingo-daily-prices covers entire_watchlist",
        ),
        (PRICES, json(json!({"job": 7})), 422, "job", "must be a string"),
        (
            PRICES,
            json(json!({"job": "polygon-news-market"})),
            422,
            "job",
            "this route runs tiingo-daily-prices",
        ),
        (PRICES, json(json!({"job": "no-such-job"})), 400, "", "known jobs: tiingo-daily-prices,"),
        (PRICES, json(json!({"run_time": 7})), 422, "run_time", "must be a string"),
        (PRICES, json(json!({"run_time": "yesterday"})), 422, "run_time", "must be an RFC 3339 time such as"),
        (
            PRICES,
            json(json!({"run_time": "2025-02-30T00:00:00Z"})),
            422,
            "run_time",
            "must be an RFC 3339 time",
        ),
        (PRICES, json(json!({"tickers": "AAPL"})), 422, "tickers", "must be a list of strings"),
        (PRICES, json(json!({"tickers": ["AAPL", 7]})), 422, "tickers[1]", "must be a string"),
        (PRICES, json(json!({"tickers": ["  "]})), 422, "tickers[0]", "ticker is empty"),
        (PRICES, json(json!({"tickers": ["A\tB"]})), 422, "tickers[0]", "contains an invisible character"),
        (PRICES, json(json!({"tickers": ["A".repeat(65)]})), 422, "tickers[0]", "65 bytes, limit 64"),
        (PRICES, json(json!({"tickers": tickers(5_001)})), 422, "tickers", "5001, limit 5000"),
        (MARKET, json(json!({"tickers": ["AAPL"]})), 422, "tickers", "takes no tickers, but 1 were given"),
        (MANUAL, String::new(), 422, "job", "is missing; known jobs: tiingo-daily-prices,"),
        (MANUAL, json(json!({"job": "no-such-job"})), 400, "", "known jobs: tiingo-daily-prices,"),
        (MANUAL, json(json!({"job": "tiingo-daily-prices", "scope": "none"})), 422, "scope", "its own is"),
        (MANUAL, json(json!({"job": "polygon-news-market", "scope": "indices"})), 422, "scope", "is none"),
    ]
}

#[tokio::test]
async fn every_mistake_in_a_body_is_reported_and_no_run_starts() {
    let stack = start(Watchlist::new(5, 5), &[]).await;
    for (route, body, status, field, message) in mistakes() {
        let case = format!("{route} {}", body.chars().take(80).collect::<String>());
        let reply = send(&stack.orchestrator, &tick("tiingo-daily-prices").route(route).body(body)).await;
        assert_problem(&reply, status, &case);
        let detail = reply.body["detail"].as_str().expect("a string");
        assert!(detail.contains(message), "{case}: {detail}");
        if !field.is_empty() {
            assert_eq!(reply.body["errors"][0]["field"], field, "{case}: {:#}", reply.body);
            assert!(detail.contains(field), "{case}: {detail}");
        }
    }
    for service in Service::ALL {
        assert_eq!(stack.providers.get(service).journal().count(), 0);
    }
    assert_eq!(count(&stack.db, RUNS).await, 0);
}

#[tokio::test]
async fn all_mistakes_in_a_body_are_reported_together() {
    let stack = start(Watchlist::new(5, 5), &[]).await;
    let body = json!({"scope": "x", "run_time": "y", "tickers": ["", "AAPL", 1], "job": []}).to_string();
    let reply = send(&stack.orchestrator, &tick("tiingo-daily-prices").body(body)).await;
    assert_problem(&reply, 422, "all at once");
    let fields: Vec<_> = reply.body["errors"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|error| error["field"].as_str().expect("a name"))
        .collect();
    e2e::system::assert_same(fields, ["job", "scope", "run_time", "tickers[0]", "tickers[2]"]);
}

#[tokio::test]
async fn a_key_that_is_too_long_or_has_blanks_is_refused() {
    let stack = start(Watchlist::new(5, 5), &[]).await;
    for key in ["k".repeat(256), "two words".to_owned()] {
        let request = by_hand("tiingo-daily-prices").header("idempotency-key", key.clone());
        let reply = send(&stack.orchestrator, &request).await;
        assert_problem(&reply, 422, &key);
        assert_eq!(reply.body["errors"][0]["field"], "Idempotency-Key");
    }
}

#[tokio::test]
async fn unknown_routes_and_wrong_methods_are_distinguished() {
    let stack = start(Watchlist::new(5, 5), &[]).await;
    let orchestrator = &stack.orchestrator;
    for path in ["/nowhere", "/tiingo", "/tiingo/daily-prices//", "/fetch", "/runs/a/b"] {
        assert_problem(&get(orchestrator, path).await, 404, path);
    }
    for job in JOBS {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let reply = ask(orchestrator, method.clone(), job.route).await;
            assert_problem(&reply, 405, &format!("{method} {}", job.route));
            assert_eq!(reply.headers["allow"], "POST");
        }
    }
    let reply = ask(orchestrator, Method::POST, "/jobs").await;
    assert_problem(&reply, 405, "POST /jobs");
    assert_eq!(reply.headers["allow"], "GET,HEAD");
    let reply = ask(orchestrator, Method::DELETE, "/health").await;
    assert_problem(&reply, 405, "DELETE /health");
}

#[tokio::test]
async fn a_body_may_have_at_most_one_mebibyte() {
    let stack = start(Watchlist::new(5, 5), &[]).await;
    let padded = |bytes: usize| {
        let mut body = json!({"tickers": ["AAPL"]}).to_string();
        body.push_str(&" ".repeat(bytes - body.len()));
        tick("tiingo-daily-prices").body(body)
    };
    expect(&stack.orchestrator, &padded(1 << 20), 200).await;
    let reply = send(&stack.orchestrator, &padded((1 << 20) + 1)).await;
    assert_problem(&reply, 413, "one byte too many");
    assert!(reply.body["detail"].as_str().is_some_and(|detail| detail.contains("1048576 bytes")));
}

#[tokio::test]
async fn any_content_type_any_case_of_a_scope_and_an_empty_body_are_accepted() {
    let stack = start(Watchlist::new(5, 5), &[]).await;
    let name = "finnhub-quote-portfolio";
    for (minutes, request) in [
        tick(name),
        tick(name).header("content-type", "text/plain"),
        tick(name).header("content-type", "application/json; charset=utf-8"),
        tick(name).scope("ACTIVE_SYMBOLS"),
        tick(name).body(""),
        tick(name).body("{}"),
        tick(name).field("scope", Value::Null).field("tickers", Value::Null).field("unknown", json!(1)),
    ]
    .into_iter()
    .enumerate()
    {
        let time = format!("2025-11-20T15:{minutes:02}:00Z");
        let request = request.header("x-cloudscheduler-scheduletime", time);
        let reply = expect(&stack.orchestrator, &request, 200).await;
        assert_eq!(reply.body["data"]["tickers_processed"], 5);
    }
}

#[tokio::test]
async fn any_job_can_be_triggered_by_its_name_with_another_scope() {
    let stack = start(Watchlist::new(20, 5), &[]).await;
    let body = json!({"job": "tiingo-daily-prices", "scope": "ACTIVE_SYMBOLS"}).to_string();
    let request = by_hand("tiingo-daily-prices").route(MANUAL).body(body);
    let reply = expect(&stack.orchestrator, &request, 200).await;
    assert_eq!(reply.body["data"]["trigger"], "manual");
    assert_eq!(reply.body["data"]["scope"], "active_symbols");
    let scope = job("finnhub-quote-portfolio").scope;
    e2e::system::assert_same(stack.providers.tiingo().journal().tickers(), stack.watchlist.tickers(scope));
    let call = stack.providers.tiingo().journal().calls().remove(0);
    assert_eq!(call.body["scope"], "active_symbols");
}
