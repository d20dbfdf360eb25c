//! Requests that the component sends, and what it learns when they fail.

use std::time::Duration;

use host::RunningHost;
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{Lines, Upstream, fetch, folder, host_of, manifest};

const GOOD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

async fn host_allowing(url: &str) -> RunningHost {
    host_of(manifest(&[url.to_owned()])).start().await.unwrap()
}

/// Lets the guest fetch from a server that answers with `answer` and expects the guest to say `expect`.
async fn check(answer: &'static str, close: bool, timeouts: &[(&str, &str)], expect: &str) {
    let upstream = Upstream::start(answer, close).await;
    let host = host_allowing(&upstream.url()).await;
    let found = fetch(&host, &upstream.url(), timeouts).await;
    assert_eq!(found, expect, "{answer:?}");
}

#[tokio::test]
async fn whole_responses_arrive() {
    check(GOOD, false, &[], "200 OK: ok").await;
    check(
        "HTTP/1.1 503 X\r\ntransfer-encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
        true,
        &[],
        "503 Service Unavailable: no",
    )
    .await;
    check("HTTP/1.0 200 OK\r\n\r\nto the end", true, &[], "200 OK: to the end").await;
}

#[tokio::test]
async fn truncated_responses_are_errors() {
    let incomplete = "failed: ErrorCode::HttpResponseIncomplete";
    check("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", true, &[], incomplete).await;
    check("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n", true, &[], incomplete).await;
    check("HTTP/1.1 200 OK\r\ncont", true, &[], "failed: ErrorCode::ConnectionTerminated").await;
    check("", true, &[], "failed: ErrorCode::ConnectionTerminated").await;
}

#[tokio::test]
async fn garbage_is_a_protocol_error() {
    check("not http at all\r\n\r\n", false, &[], "failed: ErrorCode::HttpProtocolError").await;
}

#[tokio::test]
async fn time_outs_of_the_request_hold() {
    let late = "failed: ErrorCode::ConnectionReadTimeout";
    check("", false, &[("x-first-byte-ms", "50")], late).await;
    check("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nok", false, &[("x-between-bytes-ms", "50")], late)
        .await;
}

#[tokio::test]
async fn time_out_for_the_connection_holds() {
    // A listener whose queue is full leaves further connections waiting.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let addr = listener.local_addr().unwrap();
    let waiting: Vec<_> = (0..4).map(|_| tokio::spawn(TcpStream::connect(addr))).collect();
    tokio::time::sleep(Duration::from_millis(50)).await;

    let url = format!("http://{addr}");
    let host = host_allowing(&url).await;
    assert_eq!(fetch(&host, &url, &[("x-connect-ms", "50")]).await, "failed: ErrorCode::ConnectionTimeout");
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn refused_connections_are_told_apart() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let host = host_allowing(&url).await;
    drop(listener);
    assert_eq!(fetch(&host, &url, &[]).await, "failed: ErrorCode::ConnectionRefused");
}

#[tokio::test]
async fn hosts_that_are_not_allowed_are_never_called() {
    let upstream = Upstream::start(GOOD, false).await;
    let lines = Lines::default();
    let host = host_of(manifest(&["http://127.0.0.1:1".into()])).log(lines.log()).start().await.unwrap();
    let found = fetch(&host, &format!("{}/path?key=secret", upstream.url()), &[]).await;
    assert_eq!(found, "failed: ErrorCode::HttpRequestDenied");
    assert_eq!(upstream.connections(), 0);
    let text = lines.text();
    assert!(text.contains(&format!("add \"{}\" to its allowed_outbound_hosts", upstream.url())), "{text}");
    assert!(!text.contains("secret"), "{text}");
}

#[tokio::test]
async fn https_is_refused_and_never_sent_in_clear() {
    let upstream = Upstream::start(GOOD, false).await;
    let url = upstream.url().replace("http:", "https:");
    let host = host_allowing(&url).await;
    assert!(fetch(&host, &url, &[]).await.contains("speaks http only"));
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn connections_are_kept_unless_pooling_is_off() {
    for (config, connections) in [("", 1), ("[outbound_http]\nconnection_pooling = false\n", 3)] {
        let upstream = Upstream::start(GOOD, false).await;
        let path = folder().join("runtime-config.toml");
        std::fs::write(&path, config).unwrap();
        let host = host_of(manifest(&[upstream.url()])).runtime_config(Some(path)).start().await.unwrap();
        for _ in 0..3 {
            assert_eq!(fetch(&host, &upstream.url(), &[]).await, "200 OK: ok");
        }
        assert_eq!(upstream.connections(), connections, "{config:?}");
    }
}
