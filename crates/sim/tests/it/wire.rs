//! Faults as a caller sees them on the socket.

use std::io;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sim::providers::{Defect, Fault, Outcome, Ports, Providers, RetryAfter};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends one fetch over a raw socket; returns everything received until the connection ended, and how it ended.
async fn raw_fetch(url: &str) -> (Vec<u8>, io::Result<()>) {
    let address = url.strip_prefix("http://").expect("http");
    let mut socket = TcpStream::connect(address).await.expect("connected");
    let run_time = "2026-11-20T15:00:00Z";
    let body =
        json!({"tickers": ["AAPL"], "scope": "indices", "job_id": "j", "run_time": run_time}).to_string();
    let request = format!(
        "POST /fetch HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(request.as_bytes()).await.expect("sent");
    let mut received = Vec::new();
    let end = socket.read_to_end(&mut received).await.map(drop);
    (received, end)
}

fn split(answer: &[u8]) -> (String, Vec<u8>) {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    (String::from_utf8_lossy(&answer[..end]).to_lowercase(), answer[end + 4..].to_vec())
}

async fn tiingo_with(fault: Fault) -> Providers {
    let providers = Providers::start(Ports::default()).await.expect("started");
    providers.tiingo().fault(fault);
    providers
}

#[tokio::test]
async fn a_reset_is_a_tcp_reset() {
    let providers = tiingo_with(Fault::reset()).await;
    let (received, end) = raw_fetch(&providers.tiingo().url()).await;
    assert_eq!(received, b"");
    assert_eq!(end.expect_err("reset").kind(), io::ErrorKind::ConnectionReset);
    assert_eq!(providers.tiingo().journal().calls()[0].outcome, Outcome::Reset);
}

#[tokio::test]
async fn a_truncated_body_is_shorter_than_promised() {
    let providers = tiingo_with(Fault::truncated()).await;
    let (received, _) = raw_fetch(&providers.tiingo().url()).await;
    let (head, body) = split(&received);
    let promised: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .expect("a length")
        .parse()
        .expect("a number");
    assert_eq!(body.len(), promised / 2);
}

#[tokio::test]
async fn a_slow_body_comes_after_its_head() {
    let providers = tiingo_with(Fault::slow_body(Duration::from_millis(300))).await;
    let start = Instant::now();
    let (received, end) = raw_fetch(&providers.tiingo().url()).await;
    end.expect("a proper end");
    assert!(start.elapsed() >= Duration::from_millis(300));
    let body: Value = serde_json::from_slice(&split(&received).1).expect("whole");
    assert_eq!(body["fetched"], 1);
    let latency = providers.tiingo().journal().calls()[0].latency.expect("answered");
    assert!(latency < Duration::from_millis(200), "the head was not slow: {latency:?}");
}

#[tokio::test]
async fn a_hang_ends_when_the_caller_gives_up() {
    let providers = tiingo_with(Fault::hang()).await;
    let url = providers.tiingo().url();
    assert!(tokio::time::timeout(Duration::from_millis(100), raw_fetch(&url)).await.is_err());
    let journal = providers.tiingo().journal();
    let start = Instant::now();
    while journal.calls()[0].outcome == Outcome::Pending && start.elapsed() < Duration::from_secs(5) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(journal.calls()[0].outcome, Outcome::Abandoned);
}

#[tokio::test]
async fn a_status_carries_its_detail_and_retry_after() {
    let fault = Fault::status(429).retry_after(RetryAfter::Seconds(7)).detail("slow down");
    let providers = tiingo_with(fault).await;
    let (received, _) = raw_fetch(&providers.tiingo().url()).await;
    let (head, body) = split(&received);
    assert!(head.starts_with("http/1.1 429") && head.contains("retry-after: 7"), "{head}");
    assert_eq!(body, br#"{"detail":"slow down"}"#);
}

#[tokio::test]
async fn garbage_is_not_json_but_a_wrong_shape_is() {
    let providers = tiingo_with(Fault::garbage().times(1)).await;
    providers.tiingo().fault(Fault::wrong_shape().times(1));
    let url = providers.tiingo().url();
    let (garbage, _) = raw_fetch(&url).await;
    assert!(serde_json::from_slice::<Value>(&split(&garbage).1).is_err());
    let (wrong, _) = raw_fetch(&url).await;
    let wrong: Value = serde_json::from_slice(&split(&wrong).1).expect("JSON");
    assert!(wrong.get("data").is_none());
    let (good, _) = raw_fetch(&url).await;
    let good: Value = serde_json::from_slice(&split(&good).1).expect("JSON");
    assert_eq!(good["status"], "ok");
}

#[tokio::test]
async fn huge_bodies_are_valid_and_big_enough() {
    const BYTES: usize = 20 << 20;
    let providers = tiingo_with(Fault::huge_body(BYTES).times(1)).await;
    providers.tiingo().fault(Fault::bad_records([Defect::HugeField(2 << 20)]).after(1));
    let url = providers.tiingo().url();
    let (padded, _) = raw_fetch(&url).await;
    let body = split(&padded).1;
    assert!(body.len() > BYTES);
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(body["data"][0]["count"], 5);
    let (record, _) = raw_fetch(&url).await;
    let body: Value = serde_json::from_slice(&split(&record).1).expect("JSON");
    assert_eq!(body["data"][0]["data"][5]["padding"].as_str().map(str::len), Some(2 << 20));
}
