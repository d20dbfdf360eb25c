//! How the component sends: head and body of a request leave together (`src/spin/outgoing.rs`, through the guest).
//!
//! The receiver distinguishes packets by its reads, without a clock. If the sender's kernel holds a second packet back
//! until the first is acknowledged, and the receiver's delays that, a read finds only the head.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::pieces::Pieces;
use crate::subject::{Running, Subject, points, serve};
use crate::support::get;

/// Requests one after another on a connection.
const ROUNDS: usize = 16;
/// Requests at once.
const TIMES: usize = 16;

points![
    requests_of_the_sdk_arrive_in_pieces,
    requests_of_the_component_arrive_whole,
    concurrent_requests_of_the_component_arrive_whole,
    a_body_of_several_mebibytes_arrives,
    a_request_without_a_body_arrives,
    a_response_before_the_end_of_the_body_is_read,
    a_cancelled_call_closes_its_connection,
    a_failed_call_is_reported,
    responses_of_the_component_arrive_whole,
];

/// Makes the guest send bodies; returns the result of each.
async fn post(running: &Running, way: &str, url: &str, headers: &[(&str, usize)]) -> Vec<String> {
    let headers: Vec<_> = headers.iter().map(|(name, number)| (*name, number.to_string())).collect();
    let mut all = vec![("x-url", url)];
    all.extend(headers.iter().map(|(name, number)| (*name, number.as_str())));
    let (status, body) = get(running.addr, &format!("/post/{way}"), &all).await;
    assert_eq!(status, 200, "{body}");
    body.lines().map(str::to_owned).collect()
}

/// Sends small bodies in one of the ways; returns how many arrive whole and how many in pieces.
async fn tally(subject: &Subject, way: &str, times: usize) -> (usize, usize) {
    let pieces = Pieces::start().await;
    let running = serve(subject, &[&pieces.url("")]).await;
    let headers = [("x-bytes", 200), ("x-times", times), ("x-rounds", ROUNDS)];
    let found = post(&running, way, &pieces.url("/"), &headers).await;
    assert_eq!(found, vec!["200 OK: 200"; times * ROUNDS]);
    pieces.tally()
}

/// If this fails on a new version of Spin, docs/upstream/spin-nagle.md has been fixed there.
async fn requests_of_the_sdk_arrive_in_pieces(subject: &Subject) {
    let (whole, split) = tally(subject, "sdk", 1).await;
    assert!(split > whole, "{split} in pieces, {whole} whole");
}

/// Occasionally a host with a spare thread sends the head before it has the body.
async fn requests_of_the_component_arrive_whole(subject: &Subject) {
    let (whole, split) = tally(subject, "together", 1).await;
    assert!(split <= whole / 4, "{split} in pieces, {whole} whole");
}

async fn concurrent_requests_of_the_component_arrive_whole(subject: &Subject) {
    let (whole, split) = tally(subject, "together", TIMES).await;
    assert!(split <= whole / 4, "{split} in pieces, {whole} whole");
}

async fn a_body_of_several_mebibytes_arrives(subject: &Subject) {
    let pieces = Pieces::start().await;
    let running = serve(subject, &[&pieces.url("")]).await;
    let found = post(&running, "together", &pieces.url("/"), &[("x-bytes", 5 << 20), ("x-times", 3)]).await;
    assert_eq!(found, vec![format!("200 OK: {}", 5 << 20); 3]);
}

async fn a_request_without_a_body_arrives(subject: &Subject) {
    let pieces = Pieces::start().await;
    let running = serve(subject, &[&pieces.url("")]).await;
    let found = post(&running, "together", &pieces.url("/"), &[("x-rounds", 3)]).await;
    assert_eq!(found, vec!["200 OK: 0"; 3]);
}

async fn a_response_before_the_end_of_the_body_is_read(subject: &Subject) {
    let pieces = Pieces::start().await;
    let running = serve(subject, &[&pieces.url("")]).await;
    let found = post(&running, "together", &pieces.url("/early"), &[("x-bytes", 32 << 20)]).await;
    assert_eq!(found, ["413 Payload Too Large: early"]);
}

async fn a_cancelled_call_closes_its_connection(subject: &Subject) {
    let pieces = Pieces::start().await;
    let running = serve(subject, &[&pieces.url("")]).await;
    for bytes in [200, 5 << 20] {
        let before = pieces.ended();
        let headers = [("x-bytes", bytes), ("x-give-up-ms", 50)];
        assert_eq!(post(&running, "together", &pieces.url("/silent"), &headers).await, ["given up"]);
        while pieces.ended() == before {
            tokio::task::yield_now().await;
        }
    }
    // The instance still works.
    let found = post(&running, "together", &pieces.url("/"), &[("x-bytes", 200)]).await;
    assert_eq!(found, ["200 OK: 200"]);
}

async fn a_failed_call_is_reported(subject: &Subject) {
    let pieces = Pieces::start().await;
    let running = serve(subject, &[&pieces.url(""), "http://127.0.0.1:1"]).await;
    for (url, code) in [
        (pieces.url("/reset").as_str(), "HttpProtocolError"),
        ("http://127.0.0.1:1/", "ConnectionRefused"),
        ("http://127.0.0.1:2/", "HttpRequestDenied"),
    ] {
        let headers = [("x-bytes", 5 << 20), ("x-times", 2)];
        let found = post(&running, "together", url, &headers).await;
        assert_eq!(found, vec![format!("failed: ErrorCode::{code}"); 2], "{url}");
    }
}

/// The SDK passes the body of a response to the host before the host writes the head.
async fn responses_of_the_component_arrive_whole(subject: &Subject) {
    let running = serve(subject, &[]).await;
    let mut stream = TcpStream::connect(running.addr).await.unwrap();
    let request = format!("GET /length HTTP/1.1\r\nhost: {}\r\n\r\n", running.addr);
    let (mut whole, mut split) = (0, 0);
    for _ in 0..ROUNDS {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let mut reads = 0;
        while !answer.ends_with("the whole answer") {
            let mut buffer = [0; 4096];
            let bytes = stream.read(&mut buffer).await.unwrap();
            assert!(bytes > 0, "{answer}");
            answer.push_str(&String::from_utf8_lossy(&buffer[..bytes]));
            reads += 1;
        }
        *(if reads == 1 { &mut whole } else { &mut split }) += 1;
    }
    assert!(split <= whole / 4, "{split} in pieces, {whole} whole");
}
