//! Requests that the component sends, beyond the points of parity with Spin (`parity.rs`).

use crate::support::{Upstream, fetch, folder, host_of, manifest};

const GOOD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn whole_responses_arrive() {
    for (answer, close, expect) in [
        (GOOD, false, "200 OK: ok"),
        (
            "HTTP/1.1 503 X\r\ntransfer-encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n",
            true,
            "503 Service Unavailable: no",
        ),
        ("HTTP/1.0 200 OK\r\n\r\nto the end", true, "200 OK: to the end"),
    ] {
        let upstream = Upstream::start(answer, close).await;
        let host = host_of(manifest(&[upstream.url()])).start().await.unwrap();
        assert_eq!(fetch(host.addr, &upstream.url(), &[]).await, expect, "{answer:?}");
    }
}

#[tokio::test]
async fn https_is_refused_and_never_sent_in_plain_text() {
    let upstream = Upstream::start(GOOD, false).await;
    let url = upstream.url().replace("http:", "https:");
    let host = host_of(manifest(std::slice::from_ref(&url))).start().await.unwrap();
    assert!(fetch(host.addr, &url, &[]).await.contains("speaks http only"));
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn connections_are_not_kept_if_pooling_is_off() {
    let upstream = Upstream::start(GOOD, false).await;
    let path = folder().join("runtime-config.toml");
    std::fs::write(&path, "[outbound_http]\nconnection_pooling = false\n").unwrap();
    let host = host_of(manifest(&[upstream.url()])).runtime_config(Some(path)).start().await.unwrap();
    for _ in 0..3 {
        assert_eq!(fetch(host.addr, &upstream.url(), &[]).await, "200 OK: ok");
    }
    assert_eq!(upstream.connections(), 3);
}
