//! How the component sends: head and body of a request leave together (`src/spin/outgoing.rs`, by way of the guest).
//!
//! Packets are told apart by what one read of the receiver finds, no clock is looked at. Where the sender's kernel holds
//! a second packet back until the first one is acknowledged, and the receiver's puts that off, a read finds the head alone.

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
    what_the_sdk_sends_comes_in_pieces,
    what_the_component_sends_comes_whole,
    so_does_what_it_sends_many_times_at_once,
    a_body_of_several_mebibytes_arrives,
    a_request_without_a_body_arrives,
    an_answer_that_comes_before_the_end_of_the_body_is_read,
    a_call_that_is_given_up_ends_its_connection,
    a_call_that_fails_says_so,
    what_the_component_answers_comes_whole,
];

/// Lets the guest send bodies; what became of each.
async fn post(running: &Running, way: &str, url: &str, headers: &[(&str, usize)]) -> Vec<String> {
    let headers: Vec<_> = headers.iter().map(|(name, number)| (*name, number.to_string())).collect();
    let mut all = vec![("x-url", url)];
    all.extend(headers.iter().map(|(name, number)| (*name, number.as_str())));
    let (status, body) = get(running.addr, &format!("/post/{way}"), &all).await;
    assert_eq!(status, 200, "{body}");
    body.lines().map(str::to_owned).collect()
}

/// Sends small bodies in one of the ways: how many arrive whole, and how many in pieces.
async fn tally(subject: &Subject, way: &str, times: usize) -> (usize, usize) {
    let pieces = Pieces::start().await;
    let running = serve(subject, &[&pieces.url("")]).await;
    let headers = [("x-bytes", 200), ("x-times", times), ("x-rounds", ROUNDS)];
    let found = post(&running, way, &pieces.url("/"), &headers).await;
    assert_eq!(found, vec!["200 OK: 200"; times * ROUNDS]);
    pieces.tally()
}

/// Should this fail on a new Spin, docs/upstream/spin-nagle.md is history there.
async fn what_the_sdk_sends_comes_in_pieces(subject: &Subject) {
    let (whole, split) = tally(subject, "sdk", 1).await;
    assert!(split > whole, "{split} in pieces, {whole} whole");
}

/// A host with a thread to spare may take the head before it has the body: seldom, but not never.
async fn what_the_component_sends_comes_whole(subject: &Subject) {
    let (whole, split) = tally(subject, "together", 1).await;
    assert!(split <= whole / 4, "{split} in pieces, {whole} whole");
}

async fn so_does_what_it_sends_many_times_at_once(subject: &Subject) {
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

async fn an_answer_that_comes_before_the_end_of_the_body_is_read(subject: &Subject) {
    let pieces = Pieces::start().await;
    let running = serve(subject, &[&pieces.url("")]).await;
    let found = post(&running, "together", &pieces.url("/early"), &[("x-bytes", 32 << 20)]).await;
    assert_eq!(found, ["413 Payload Too Large: early"]);
}

async fn a_call_that_is_given_up_ends_its_connection(subject: &Subject) {
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
    // The instance is as well as before.
    let found = post(&running, "together", &pieces.url("/"), &[("x-bytes", 200)]).await;
    assert_eq!(found, ["200 OK: 200"]);
}

async fn a_call_that_fails_says_so(subject: &Subject) {
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

/// The SDK hands over the body of an answer before the host writes its head.
async fn what_the_component_answers_comes_whole(subject: &Subject) {
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
