//! Hostile input while another run is in progress: that run succeeds, in the same instance.

use std::time::Duration;

use e2e::system::{by_hand, expect, get, send, start, tick, wait_until};
use serde_json::{Value, json};
use sim::providers::Fault;
use sim::stack::Stack;
use sim::watchlist::Watchlist;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const MEBIBYTE: usize = 1 << 20;

/// The id of the instance that answers; the host uses one for as many concurrent requests as are sent here.
async fn instance(stack: &Stack) -> String {
    let status = get(&stack.orchestrator, "/status").await;
    let id = status.body.pointer("/instance/id").and_then(Value::as_str);
    id.unwrap_or_else(|| panic!("no instance in {:#}", status.body)).to_owned()
}

/// Starts a run that waits for its provider during `attack`; it must succeed, in the same instance.
async fn beside_a_neighbour(stack: &Stack, attack: impl Future<Output = ()>) {
    let before = instance(stack).await;
    let finnhub = stack.providers.finnhub();
    finnhub.fault(Fault::slow(Duration::from_secs(6)));
    let neighbour = tick("finnhub-quote-portfolio").tickers(["AAPL"]);
    let neighbour = expect(&stack.orchestrator, &neighbour, 200);
    let attack = async {
        wait_until("the neighbour waits for its provider", async || finnhub.max_in_flight() > 0).await;
        attack.await;
    };
    let (reply, ()) = futures::join!(neighbour, attack);
    assert_eq!(reply.body["data"]["records_stored"], 1, "{:#}", reply.body);
    assert_eq!(instance(stack).await, before, "the instance was lost");
    let log = stack.orchestrator.log();
    assert!(log.find("trap").is_none() && log.find("panicked").is_none(), "{}", log.tail());
}

fn filled(head: &str, piece: &str, tail: &str) -> String {
    let times = (MEBIBYTE - head.len() - tail.len()) / piece.len();
    [head, &piece.repeat(times), tail].concat()
}

#[tokio::test]
async fn hostile_requests_do_not_affect_another_run() {
    let stack = start(Watchlist::new(0, 0), &[]).await;
    let bodies = [
        filled("", "[", ""),
        filled("", "{\"a\":", ""),
        filled("", ",", ""),
        filled("{\"tickers\":[", "0,", "0]}"),
        filled("{\"tickers\":[\"", "\u{202e}", "\"]}"),
        json!({"tickers": ["\u{202e}\u{1d56c}\u{fe0f}", "\u{0}", "ß", "Ａ"]}).to_string(),
        ["{\"a\":", &"[".repeat(126), &"]".repeat(126), ",\"tickers\":[\"", &"x".repeat(65), "\"]}"].concat(),
    ];
    beside_a_neighbour(&stack, async {
        for body in bodies {
            let start: String = body.chars().take(20).collect();
            let reply = send(&stack.orchestrator, &by_hand("tiingo-daily-prices").body(body)).await;
            assert_eq!(reply.status, 422, "{start}: {:#}", reply.body);
            assert!(reply.body["detail"].as_str().is_some_and(|detail| detail.len() < 10_000), "{start}");
        }
    })
    .await;
}

#[tokio::test]
async fn hostile_responses_of_a_provider_do_not_affect_another_providers_run() {
    let stack = start(Watchlist::new(0, 0), &[]).await;
    let tiingo = stack.providers.tiingo();
    let nested = |depth: usize| ["[".repeat(depth), "]".repeat(depth)].concat();
    let many = |piece: &str, last: &str| {
        let times = (31 << 20) / piece.len();
        format!("{{\"status\":\"ok\",\"data\":[{}{last}]}}", piece.repeat(times))
    };
    // The response, and whether the ticker fails permanently or stays pending.
    let answers = [
        (format!("{{\"status\":\"ok\",\"data\":[{{\"ticker\":\"AAPL\",\"data\":[{}]}}]}}", nested(120)), 502),
        (format!("{{\"status\":\"ok\",\"data\":[{}]}}", nested(1_000_000)), 502),
        (format!("{{\"status\":\"ok\",\"errors\":[{}]}}", nested(127)), 502),
        (many("0,", "0"), 502),
        (many("[],", "0"), 502),
        (many("{\"ticker\":\"AAPL\",\"data\":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]},", "0"), 502),
        (format!("{{\"status\":\"{}\"}}", "x".repeat(2 << 20)), 503),
    ];
    beside_a_neighbour(&stack, async {
        for (body, status) in answers {
            let start: String = body.chars().take(60).collect();
            tiingo.clear();
            tiingo.fault(Fault::body(body));
            let key = format!("k{}", e2e::system::now().timestamp_micros());
            let request = by_hand("tiingo-daily-prices").header("idempotency-key", key).tickers(["AAPL"]);
            let reply = send(&stack.orchestrator, &request).await;
            assert_eq!(reply.status, status, "{start}: {:#}", reply.body);
            let text = reply.body.to_string();
            assert!(text.len() < 10_000 && !text.contains("could be stored"), "{start}: {text}");
        }
    })
    .await;
}

#[tokio::test]
async fn oversized_headers_and_addresses_are_refused() {
    let stack = start(Watchlist::new(0, 0), &[]).await;
    let before = instance(&stack).await;
    let long = get(&stack.orchestrator, &format!("/runs/{}", "x".repeat(8_000))).await;
    assert_eq!((long.status, long.body["type"].as_str()), (404, Some("/problems/not-found")));
    let mut many = by_hand("tiingo-daily-prices");
    for number in 0..200 {
        many = many.header(&format!("x-{number}"), "y");
    }
    assert_eq!(send(&stack.orchestrator, &many).await.status, 431);
    // The HTTP client would refuse to send these.
    let endless = format!("GET /runs/{} HTTP/1.1\r\nhost: us\r\n\r\n", "x".repeat(70_000));
    assert_eq!(raw(&stack, &endless).await, "HTTP/1.1 414 URI Too Long");
    let big = format!("GET /health HTTP/1.1\r\nhost: us\r\nx: {}\r\n\r\n", "y".repeat(500_000));
    assert_eq!(raw(&stack, &big).await, "HTTP/1.1 431 Request Header Fields Too Large");
    assert_eq!(instance(&stack).await, before);
}

/// Sends raw bytes; returns the first line of the response.
async fn raw(stack: &Stack, bytes: &str) -> String {
    let address = stack.orchestrator.url().trim_start_matches("http://");
    let mut connection = TcpStream::connect(address).await.expect("a connection");
    // The server may answer and close the connection before it has read everything.
    let _ = connection.write_all(bytes.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = connection.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
}
